"""What is being done, on a terminal, for whoever waits longer than a second."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from symsim.report.terminal_safety import unfiltered

PATIENCE_S = 1.0


@contextmanager
def progress_message(what: str) -> Iterator[Callable[[str], None]]:
    """A function that shows how far ``what`` is, on one line of stderr that is gone in the end."""
    started, shown = time.monotonic(), 0

    def tell(how_far: str) -> None:
        nonlocal shown
        if sys.stderr.isatty() and time.monotonic() - started > PATIENCE_S:
            line = f"{what}: {how_far}"
            unfiltered(sys.stderr).write("\r" + line.ljust(shown))
            sys.stderr.flush()
            shown = max(shown, len(line))

    try:
        yield tell
    finally:
        if shown:
            unfiltered(sys.stderr).write("\r" + " " * shown + "\r")
            sys.stderr.flush()
