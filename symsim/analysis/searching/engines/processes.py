"""The processes of one machine: portions go to whoever is free, the largest first."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor
from concurrent.futures import wait as wait_for
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing.connection import wait
from multiprocessing.sharedctypes import RawValue
from typing import Any

from symsim.analysis.searching.columns import Asked
from symsim.analysis.searching.engines.portions import Portion, Unit, portions
from symsim.analysis.searching.search import Engine
from symsim.analysis.searching.space import Space
from symsim.analysis.searching.sweep import Swept, prepare, sweep
from symsim.diagnostics import error

ATTEMPTS = 2
"""How often a portion is begun: once more where its process died."""


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def in_processes(workers: int) -> Engine:
    """An engine of so many processes; what a lost one had begun is begun once more.

    Raises:
        InputError: processes die again and again; whatever a sweep raises.
    """

    def run(space: Space, units: Sequence[Unit], asked: Asked, take: Callable[[Swept], None]) -> None:
        left = portions(units, workers)
        prepare(space, [part for unit in units for part in unit])
        for _ in range(ATTEMPTS):
            left = _begun(space, left, asked, take, workers)
            if not left:
                return
        message = f"processes of the search died twice, {len(left)} portions of it are left"
        raise error("E374", message, None, "most likely the memory ran out: fewer with --workers, or --engine local")

    return run


def _begun(
    space: Space, left: Sequence[Portion], asked: Asked, take: Callable[[Swept], None], workers: int
) -> list[Portion]:
    """Run portions; those that were lost with a process are returned."""
    others = set(multiprocessing.active_children())
    context = _context()
    # What is there now stays as it is: a forked process that collects garbage would copy all of it.
    gc.collect()
    gc.freeze()
    limit = RawValue("d", sys.float_info.max)
    pool = ProcessPoolExecutor(min(workers, len(left)), context, _begin, (space, asked, limit))
    finished = False
    lost: list[Portion] = []
    try:
        with _interrupts_noted() as interrupted:
            futures = {pool.submit(_swept, portion.unit): portion for portion in left}
            waiting = set(futures)
            while waiting:
                done, waiting = wait_for(waiting, LOOK_S, FIRST_COMPLETED)
                if interrupted.is_set():
                    raise KeyboardInterrupt
                for future in done:
                    found = _result(future)
                    if found is None:
                        lost.append(futures[future])
                    else:
                        found.variants = futures[future].variants
                        take(found)
        finished = not lost
    finally:
        # A process that nobody waits for any more would work on: after Ctrl-C, after an error.
        mine = set(multiprocessing.active_children()) - others
        if not finished:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in mine:
                process.terminate()
        pool.shutdown(wait=True)
        gc.unfreeze()
    return lost


LOOK_S = 0.2
"""How often it is looked whether somebody wants the search to end."""


@contextmanager
def _interrupts_noted() -> Iterator[threading.Event]:
    """Ctrl-C is noted and not raised: between the start of a process and its place in the pool, an exception would
    leave a process that nobody ends, or be lost."""
    noted = threading.Event()
    ignored = signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    if ignored or threading.current_thread() is not threading.main_thread():
        yield noted
        return
    before = signal.signal(signal.SIGINT, lambda number, frame: noted.set())
    try:
        yield noted
    finally:
        signal.signal(signal.SIGINT, before)


def _result(future: Future[Swept]) -> Swept | None:
    try:
        return future.result()
    except (BrokenProcessPool, MemoryError):
        return None


def _context() -> multiprocessing.context.BaseContext:
    """Forked where that can be: what is loaded and compiled is there at once."""
    return multiprocessing.get_context("fork" if "fork" in multiprocessing.get_all_start_methods() else "spawn")


_SPACE: Space | None = None
_ASKED: Asked | None = None
_LIMIT: Any = None


def _begin(space: Space, asked: Asked, limit: Any) -> None:
    """Ctrl-C ends a worker without a word, and the end of its parent ends it too."""
    global _SPACE, _ASKED, _LIMIT
    _SPACE, _ASKED, _LIMIT = space, asked, limit
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


def _swept(unit: Unit) -> Swept:
    assert _SPACE is not None and _ASKED is not None
    return sweep(_SPACE, unit, _ASKED, _LIMIT)
