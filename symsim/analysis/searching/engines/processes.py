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
from contextlib import contextmanager, suppress
from multiprocessing.connection import wait
from multiprocessing.sharedctypes import RawValue
from typing import Any, TypeVar

from symsim.analysis.searching.compile_count import compiled, count_in_worker
from symsim.analysis.searching.engines.two_step_search import Unit, Writing, in_two_steps
from symsim.analysis.searching.search import Engine
from symsim.analysis.searching.space import Refused, Space, Variant
from symsim.analysis.searching.space_program import SpaceProgram, compile_variants
from symsim.analysis.searching.sweep import sweep
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked
from symsim.compiler.pipeline import compile_cost
from symsim.compiler.reuse import passes_of
from symsim.diagnostics import InputError, error

Result = TypeVar("Result")

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

    def run(space: Space, units: Sequence[Unit], asked: Asked, take: Callable[[SweepResult], None]) -> None:
        _prepare(space, [part for unit in units for part in unit])
        with _Crew(space, asked, workers) as crew:

            def write_all(portions: Sequence[Unit], done: Callable[[Writing], None]) -> None:
                crew.do(_write, portions, done)

            def sweep_all(parts: Sequence[SpaceProgram], done: Callable[[SweepResult], None]) -> None:
                crew.do(_sweep, parts, done)

            in_two_steps(units, workers, write_all, sweep_all, take)

    return run


def _prepare(space: Space, parts: Sequence[Variant | Refused]) -> None:
    """Compile one variant, so that processes that are forked now have its passes."""
    first = next((part for part in parts if isinstance(part, Variant)), None)
    if first is not None:
        model, passes = passes_of(space.model)
        with suppress(InputError):
            compile_cost(model, first.plan.structure, passes=passes)


class _Crew:
    """Processes that stay for a whole search; where one of them dies, all are replaced."""

    def __init__(self, space: Space, asked: Asked, workers: int) -> None:
        self._workers = workers
        self._limit = RawValue("d", sys.float_info.max)
        # Without a lock, which a process that is killed would keep: a count that is missed is no harm.
        self._compiled = RawValue("q", 0)
        self._heard = 0
        self._given = (space, asked, self._limit, self._compiled)
        self._pool: ProcessPoolExecutor | None = None
        self._mine: set[Any] = set()

    def __enter__(self) -> _Crew:
        # What is there now stays as it is: a forked process that collects garbage would copy all of it.
        gc.collect()
        gc.freeze()
        return self

    def __exit__(self, problem: type[BaseException] | None, *_: object) -> None:
        self._end(finished=problem is None)
        gc.unfreeze()

    def do(self, task: Callable[[Any], Result], items: Sequence[Any], done: Callable[[Result], None]) -> None:
        """A task on every item; what was lost with a process is begun once more."""
        left = list(items)
        for _ in range(ATTEMPTS):
            left = self._begun(task, left, done)
            if not left:
                return
            self._end(finished=False)
        message = f"processes of the search died twice, {len(left)} portions of it are left"
        raise error("E374", message, None, "most likely the memory ran out: fewer with --workers, or --engine local")

    def _begun(self, task: Callable[[Any], Result], items: Sequence[Any], done: Callable[[Result], None]) -> list[Any]:
        """Those of the items that were lost with a process are returned."""
        if not items:
            return []
        if self._pool is None:
            self._pool = ProcessPoolExecutor(self._workers, _context(), _begin, self._given)
        others = set(multiprocessing.active_children()) - self._mine
        futures: dict[Future[Result], Any] = {}
        with _interrupts_noted() as interrupted:
            try:
                # A process that died since the last task is noticed here.
                with suppress(BrokenProcessPool):
                    for item in items:
                        futures[self._pool.submit(task, item)] = item
            finally:
                # Also where the system refuses one of them: those that it gave would wait for ever.
                self._mine |= set(multiprocessing.active_children()) - others
            lost = list(items[len(futures) :])
            waiting = set(futures)
            while waiting:
                ready, waiting = wait_for(waiting, LOOK_S, FIRST_COMPLETED)
                if interrupted.is_set():
                    raise KeyboardInterrupt
                self._tell()
                for future in ready:
                    found = _result(future)
                    if found is None:
                        lost.append(futures[future])
                    else:
                        done(found)
        return lost

    def _tell(self) -> None:
        """Say here how many variants the processes have compiled."""
        there = int(self._compiled.value)
        compiled(there - self._heard)
        self._heard = there

    def _end(self, finished: bool) -> None:
        """A process that nobody waits for any more would work on: after Ctrl-C, after an error."""
        if self._pool is None:
            return
        if not finished:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for process in self._mine:
                process.terminate()
        self._pool.shutdown(wait=True)
        self._pool, self._mine = None, set()


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


def _result(future: Future[Result]) -> Result | None:
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


def _begin(space: Space, asked: Asked, limit: Any, count: Any) -> None:
    """Ctrl-C ends a worker without a word, and the end of its parent ends it too."""

    def hear(more: int) -> None:
        count.value += more

    count_in_worker(hear)
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


def _write(unit: Unit) -> Writing:
    assert _SPACE is not None and _ASKED is not None
    return compile_variants(_SPACE, unit, _ASKED)


def _sweep(part: SpaceProgram) -> SweepResult:
    assert _SPACE is not None and _ASKED is not None
    return sweep(_SPACE, part, _ASKED, limit=_LIMIT)
