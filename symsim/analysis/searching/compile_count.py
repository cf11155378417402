"""How many variants are compiled so far: said by whoever compiles one, heard by who shows how far a search is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Listener = Callable[[int], None]
"""Hears how many variants more are compiled."""

_LISTENER: ContextVar[Listener | None] = ContextVar("variants compiled", default=None)


@contextmanager
def counted(listener: Listener | None) -> Iterator[None]:
    """Have a function hear of every variant that is compiled meanwhile."""
    token = _LISTENER.set(listener)
    try:
        yield
    finally:
        _LISTENER.reset(token)


def count_in_worker(listener: Listener) -> None:
    """The same for the rest of a process."""
    _LISTENER.set(listener)


def compiled(count: int = 1) -> None:
    """Say that so many variants are compiled."""
    listener = _LISTENER.get()
    if listener is not None and count:
        listener(count)
