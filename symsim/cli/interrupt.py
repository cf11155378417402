"""Ctrl-C at any time ends a command quietly, with status 130.

This module imports nothing heavy: the console script takes it first, so that there is no moment between the start of
symsim and its end at which Python would print where it was interrupted.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INTERRUPTED = 130
"""Exit status of what Ctrl-C ended: 128 and the number of the signal."""


def end_quietly(*_: Any) -> None:
    """Leave at once: nothing is written yet, or all of it is."""
    os._exit(INTERRUPTED)


def quiet_from_now() -> None:
    """From here on Ctrl-C ends the process, as long as nothing needs to be put in order.

    Where Ctrl-C is ignored, as in a job in the background, it stays so.
    """
    if _is_ours() and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, end_quietly)


@contextmanager
def interruptible() -> Iterator[None]:
    """While a command runs Ctrl-C is an exception, so that what it began is ended; after it, a quiet end."""
    ours = _is_ours() and signal.getsignal(signal.SIGINT) in (end_quietly, signal.default_int_handler)
    if not ours:
        yield
        return
    before, told = signal.getsignal(signal.SIGINT), sys.unraisablehook
    sys.unraisablehook = _quiet_in_destructors
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        sys.unraisablehook = told


def _quiet_in_destructors(problem: Any) -> None:
    """An interrupt while an object goes away cannot be passed on: it ends the process here."""
    if isinstance(problem.exc_value, KeyboardInterrupt):
        end_quietly()
    sys.__unraisablehook__(problem)


def _is_ours() -> bool:
    return threading.current_thread() is threading.main_thread()
