"""What a rank holds while it runs its passes."""

from __future__ import annotations

from collections.abc import Iterator

from symsim.simulator.passes import Order

Held = tuple[tuple[int, ...], tuple[int, ...]]
"""Micro-batches of each chunk between F and B, and between B and W."""


def held_while_running(order: Order, chunks: int) -> Iterator[Held]:
    """What is held during each pass: one that is being made, or used up, is held."""
    saved, waiting = [0] * chunks, [0] * chunks
    late = any(one.kind == "W" for one in order)
    for one in order:
        if one.kind == "F":
            saved[one.chunk] += 1
            yield tuple(saved), tuple(waiting)
        elif one.kind == "B":
            yield tuple(saved), tuple(waiting)
            saved[one.chunk] -= 1
            waiting[one.chunk] += late
            yield tuple(saved), tuple(waiting)
        else:
            yield tuple(saved), tuple(waiting)
            waiting[one.chunk] -= 1
    assert not any(saved) and not any(waiting)
