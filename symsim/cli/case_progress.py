"""How many cases of a file are done, on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from symsim.report.terminal_safety import unfiltered


@contextmanager
def case_progress(total: int) -> Iterator[Callable[[], None]]:
    """A function to call after each case: it moves a bar on stderr, which is gone in the end."""
    if not sys.stderr.isatty():
        yield lambda: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(file=unfiltered(sys.stderr)), transient=True) as progress:
        task = progress.add_task("cases", total=total)
        yield lambda: progress.advance(task)
