"""What the benchmarks share: a command with its time and memory, points swept when formulas are there, tables.

A figure of a machine that does other work too is a lower bound of what symsim does. So the load is told with every
answer, and processor seconds, which other work disturbs less, beside seconds of the clock.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

from symsim.analysis.searching.engines.processes import cores
from symsim.analysis.searching.engines.two_step_search import EACH, Unit
from symsim.analysis.searching.search import Result, search
from symsim.analysis.searching.space import Space, load_space
from symsim.analysis.searching.space_program import SpaceProgram, combined, compile_variants, split
from symsim.analysis.searching.sweep import sweep
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked
from symsim.report.tables import print_table

HERE = Path(__file__).parent

LOOK_S = 0.02
"""Seconds between two looks at the memory of a command."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One command: seconds of the clock, processor seconds of all its processes, what it printed."""

    wall_s: float
    cpu_s: float
    output: str


def command(arguments: Sequence[str], cache: str, watch: Callable[[int], None] | None = None) -> Ran:
    """Run symsim as a user does, in a process of its own; ``watch`` is given its number meanwhile."""
    environment = {**os.environ, "SYMSIM_CACHE": cache, "PYTHONPATH": str(HERE.parent)}
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "symsim", *arguments], env=environment, stdout=output, stderr=subprocess.DEVNULL
        )
        if watch is not None:
            watch(process.pid)
        _, status, used = os.wait4(process.pid, 0)
        wall = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read()
    if process.returncode:
        raise SystemExit(f"symsim {' '.join(arguments)} ended with {process.returncode}")
    return Ran(wall, used.ru_utime + used.ru_stime, printed)


def cold(arguments: Sequence[str], watch: Callable[[int], None] | None = None) -> Ran:
    """The same with an empty cache: every formula is compiled."""
    with tempfile.TemporaryDirectory() as empty:
        return command(arguments, empty, watch)


def peak_memory(arguments: Sequence[str]) -> int | None:
    """Bytes that a command and its processes have at most, what they share counted once. Linux alone tells."""
    if not Path("/proc/self/smaps_rollup").exists():
        return None
    most = 0
    ended = threading.Event()

    def look(first: int) -> None:
        nonlocal most
        while not ended.wait(LOOK_S):
            most = max(most, sum(_share(p) for p in _family(first)))

    thread: list[threading.Thread] = []

    def watch(pid: int) -> None:
        thread.append(threading.Thread(target=look, args=(pid,), daemon=True))
        thread[0].start()

    cold(arguments, watch)
    ended.set()
    thread[0].join()
    return most


def _family(first: int) -> list[int]:
    found, left = [], [first]
    while left:
        process = left.pop()
        found.append(process)
        for children in Path(f"/proc/{process}/task").glob("*/children"):
            try:
                left += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found


def _share(process: int) -> int:
    """Its memory, each page parted among those that have it."""
    try:
        lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)


class Compiled:
    """An engine of a search that compiles everything first and then measures the sweep alone.

    The sweep is what comes after formulas: which points are legal, what requirements remove, bounds, evaluation,
    the best. ``wall_s`` is from the moment that all processes are there to the last result.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self.wall_s = 0.0
        self.compile_s = 0.0

    def __call__(
        self,
        space: Space,
        units: Sequence[Unit],
        asked: Asked,
        take: Callable[[SweepResult], None],
    ) -> None:
        global _SPACE, _ASKED, _LIMIT
        start = time.perf_counter()
        for unit in units:
            written, swept = compile_variants(space, unit, asked)
            take(swept)
            _PARTS.extend(combined(written))
        if self.workers > 1:
            _PARTS[:] = split(_PARTS, EACH * self.workers)
        self.compile_s = time.perf_counter() - start
        _SPACE, _ASKED, _LIMIT = space, asked, RawValue("d", sys.float_info.max)
        context = multiprocessing.get_context("fork")
        with context.Pool(self.workers) as pool:
            pool.map(_awake, range(self.workers * 4), chunksize=1)
            start = time.perf_counter()
            found = list(pool.imap_unordered(_swept, range(len(_PARTS))))
            self.wall_s = time.perf_counter() - start
        _PARTS.clear()
        for swept in found:
            take(swept)


_PARTS: list[SpaceProgram] = []
_SPACE: Any = None
_ASKED: Any = None
_LIMIT: Any = None


def _awake(_: int) -> None:
    time.sleep(0.01)


def _swept(at: int) -> SweepResult:
    return sweep(_SPACE, _PARTS[at], _ASKED, limit=_LIMIT)


def sweep_alone(
    model: str, space: str, workers: int, settings: tuple[str, ...] = (), top: int = 20, system: str = "h100_sxm"
) -> tuple[Result, Compiled]:
    engine = Compiled(workers)
    return search(load_space(model, space, system, settings), top=top, engine=engine), engine


def machine() -> dict[str, Any]:
    """What the figures were measured on, and how busy it was."""
    import numpy as np

    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        lines = [line for line in information.read_text().splitlines() if line.startswith("model name")]
        name = lines[0].split(":", 1)[1].strip() if lines else name
    return {
        "processor": name,
        "cores": cores(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "load": [round(load, 2) for load in os.getloadavg()],
    }


def shown(answer: dict[str, Any], tables: Sequence[tuple[str, Sequence[str], Sequence[Sequence[str]]]]) -> None:
    """Tables with what they were measured on below."""
    for title, headings, rows in tables:
        print_table(headings, rows, title)
        print()
    on = answer["machine"]
    loads = ", ".join(str(load) for load in on["load"])
    print(f"{on['processor']}, {on['cores']} cores · Python {on['python']}, numpy {on['numpy']}")
    print(f"load of the last 1, 5 and 15 minutes: {loads}. Above 1 or so, other work took part of the time.")


def rate(per_s: float) -> str:
    for size, sign in ((1e6, "M"), (1e3, "k")):
        if per_s >= size:
            return f"{per_s / size:.3g} {sign}/s"
    return f"{per_s:.3g}/s"


def as_json(answer: dict[str, Any]) -> str:
    return json.dumps(answer, indent=1)
