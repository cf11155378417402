"""How long each pass takes: collected when ``--timings`` asks for it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PASSES: list[tuple[str, float]] = []
"""(pass, seconds) in the order in which they ran."""


@contextmanager
def timed(name: str) -> Iterator[None]:
    start = time.perf_counter()
    try:
        yield
    finally:
        PASSES.append((name, time.perf_counter() - start))
