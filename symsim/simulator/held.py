"""What a rank holds while it runs its passes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from symsim.simulator.passes import Order

Held = tuple[tuple[int, ...], tuple[int, ...]]
"""Micro-batches of each chunk between F and B, and between B and W."""


def held_while_running(order: Order, chunks: int) -> Iterator[Held]:
    """What is held during each pass: one that is being made, or used up, is held.

    Of two passes that run layer by layer at once, the one is saved as the other is used up.
    """
    saved, waiting = [0] * chunks, [0] * chunks
    late = any(one.kind == "W" for one in order)
    forward = -1
    for one in order:
        if one.paired and one.kind == "F":
            forward = one.chunk
            continue
        if one.paired:
            yield tuple(saved), tuple(waiting)
            saved[forward] += 1
            saved[one.chunk] -= 1
            yield tuple(saved), tuple(waiting)
            continue
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


def bytes_of_passes(order: Order, saved: Sequence[float], late: Sequence[float]) -> list[tuple[float, float]]:
    """For each pass the bytes held while it runs, and when it has ended.

    ``saved``: what one micro-batch of each chunk keeps for its backward pass; ``late``: what of it, until its
    weight gradient is made, where that is a pass of its own.
    """
    split = any(one.kind == "W" for one in order)
    held, made = 0.0, 0.0
    out: list[tuple[float, float]] = []
    for one in order:
        if one.paired and one.kind == "F":
            made = saved[one.chunk]
            out.append((held, held))
            continue
        if one.paired:
            after = held + made - saved[one.chunk]
            out.append((max(held, after), after))
            held = after
            continue
        during = held + (saved[one.chunk] if one.kind == "F" else 0)
        if one.kind == "F":
            held = during
        elif one.kind == "B":
            held -= saved[one.chunk] - (late[one.chunk] if split else 0)
        else:
            held -= late[one.chunk]
        out.append((during, held))
    return out
