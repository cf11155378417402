"""How far a search is, on a terminal, for whoever waits longer than a second."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from symsim.report.terminal_safety import unfiltered

PATIENCE_S = 1.0


@contextmanager
def progress() -> Iterator[Callable[[int, int, int, int], None] | None]:
    """A function of variants done, variants, legal points so far, and variants compiled.

    ``None`` where stderr is no terminal. Compiling is half of the bar, evaluating the other half.
    """
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    bar = Progress(
        TextColumn("{task.fields[told]}"),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(file=unfiltered(sys.stderr)),
        transient=True,
        refresh_per_second=4,
    )
    task = bar.add_task("search", total=None, told="the space is read")
    patience = threading.Timer(PATIENCE_S, bar.start)
    patience.daemon = True
    patience.start()

    def tell(done: int, variants: int, legal: int, compiled: int) -> None:
        told = f"{done:,} of {variants:,} variants, {legal:,} legal points"
        if not done:
            told = f"{compiled:,} of {variants:,} variants compiled"
        bar.update(task, total=2 * variants, completed=done + max(done, compiled), told=told)

    try:
        yield tell
    finally:
        patience.cancel()
        patience.join()
        bar.stop()
