"""Pipeline schedules as lists of passes, run one by one: what a rank holds while it runs them.

Each order is written as its source gives it, pass by pass; no count of what is held appears here.
A pass is forward (F), backward with respect to the input (B) or to the weights (W); B of a schedule
without W is the whole backward pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["F", "B", "W"]


@dataclass(frozen=True)
class Pass:
    kind: Kind
    chunk: int
    micro_batch: int


Order = list[Pass]


def gpipe(p: int, i: int, m: int) -> Order:
    """Huang et al. 2019: all forward passes, then all backward passes."""
    return [Pass("F", 0, k) for k in range(m)] + [Pass("B", 0, k) for k in range(m)]


def one_forward_one_backward(p: int, i: int, m: int) -> Order:
    """Narayanan et al. 2021, section 2.2.1: p − i − 1 forward passes, then one of each in turn."""
    return _alternating([("F", 0, k) for k in range(m)], [("B", 0, k) for k in range(m)], min(p - i - 1, m))


def interleaved(p: int, i: int, m: int, v: int, group: int) -> Order:
    """Narayanan et al. 2021, section 2.2.2, with Megatron-Core's groups of micro-batches.

    Forward passes take a group through chunk 0, then through chunk 1 …; backward passes through the
    chunks from the last. 2(p − i − 1) + (v − 1)·group forward passes come first.
    """
    groups = [range(start, min(start + group, m)) for start in range(0, m, group)]
    forward = [("F", c, k) for of in groups for c in range(v) for k in of]
    backward = [("B", c, k) for of in groups for c in reversed(range(v)) for k in of]
    return _alternating(forward, backward, min(2 * (p - i - 1) + (v - 1) * group, m * v))


def _alternating(forward: list[tuple[str, int, int]], backward: list[tuple[str, int, int]], first: int) -> Order:
    order = forward[:first]
    for k in range(first, len(forward)):
        order += [forward[k], backward[k - first]]
    order += backward[len(forward) - first :]
    return [Pass(kind, c, k) for kind, c, k in order]  # type: ignore[arg-type]


def zb_h1(p: int, i: int, m: int) -> Order:
    """Qi et al. 2023, figure 2: 1F1B whose weight passes start i micro-batches late."""
    return _weights_late(one_forward_one_backward(p, i, m), i)


def zb_h2(p: int, i: int, m: int) -> Order:
    """Qi et al. 2023, figure 3: 2(p − i − 1) forward passes first, weight passes 2i micro-batches late."""
    forward, backward = [("F", 0, k) for k in range(m)], [("B", 0, k) for k in range(m)]
    return _weights_late(_alternating(forward, backward, min(2 * (p - i - 1), m)), 2 * i)


def _weights_late(order: Order, late: int) -> Order:
    out: Order = []
    total = sum(one.kind == "B" for one in order)
    for one in order:
        out.append(one)
        if one.kind == "B" and one.micro_batch >= late:
            out.append(Pass("W", 0, one.micro_batch - late))
    return out + [Pass("W", 0, k) for k in range(max(total - late, 0), total)]


def zb_v(p: int, i: int, m: int) -> Order:
    """Qi et al. 2024, appendix on the order of ZB-V: chunk 1 of a rank is the way back.

    The order is that of at least 2p − 1 micro-batches; those beyond m are left out.
    """
    whole = max(m, 2 * p - 1)
    count = {(kind, chunk): 0 for kind in "FBW" for chunk in (0, 1)}
    order: Order = []

    def run(kind: Kind, chunk: int) -> None:
        order.append(Pass(kind, chunk, count[kind, chunk]))
        count[kind, chunk] += 1

    for _ in range(2 * (p - i) - 1):
        run("F", 0)
    for _ in range(i):
        run("F", 1)
        run("F", 0)
    for _ in range(p - i):
        run("F", 1)
        run("B", 1)
        run("W", 1)
    while count["F", 1] < count["F", 0] or count["F", 0] < whole:
        if count["F", 0] < whole:
            run("F", 0)
        run("B", 0)
        run("W", 0)
        run("F", 1)
        run("B", 1)
        run("W", 1)
    for _ in range(i):
        run("B", 0)
        run("B", 1)
    for _ in range(p - i):
        run("B", 0)
        run("W", 0)
    for chunk in (1, 0):
        while count["W", chunk] < count["B", chunk]:
            run("W", chunk)
    return [one for one in order if one.micro_batch < m]


def dualpipe(p: int, i: int, m: int) -> Order:
    """DeepSeek-V3 report, figure 5, and the eight steps of the published program.

    Half of the micro-batches go up through chunk 0 of the ranks, half down through chunk 1. A rank of
    the second half sees the two directions exchanged. Forward and backward passes that overlap are
    both held at once: F stands before B.
    """
    half = p // 2
    near = min(i, p - 1 - i)
    count = {(kind, side): 0 for kind in "FB" for side in (0, 1)}
    order: Order = []
    late: list[Pass] = []

    def chunk(side: int) -> int:
        return side if i < half else 1 - side

    def forward(side: int) -> None:
        order.append(Pass("F", chunk(side), count["F", side]))
        count["F", side] += 1

    def backward(side: int, weights_late: bool = False) -> None:
        one = count["B", side]
        count["B", side] += 1
        order.append(Pass("B", chunk(side), one))
        weights = Pass("W", chunk(side), one)
        if weights_late:
            late.append(weights)
        else:
            order.append(weights)

    def weights() -> None:
        order.append(late.pop(0))

    for _ in range((half - near - 1) * 2):
        forward(0)
    for _ in range(near + 1):
        forward(0)
        forward(1)
    for _ in range(half - near - 1):
        backward(1, weights_late=True)
        weights()
        forward(1)
    for _ in range(m // 2 - p + near + 1):
        forward(0)
        backward(1)
        forward(1)
        backward(0)
    for _ in range(half - near - 1):
        backward(1)
        forward(1)
        backward(0)
    weights_late = False
    for k in range(near + 1):
        weights_late = weights_late or (k == (near + 1) // 2 and near % 2 == 1)
        backward(1, weights_late)
        weights_late = weights_late or (k == (near + 1) // 2 and near % 2 == 0)
        backward(0, weights_late)
    for _ in range(half - near - 1):
        weights()
        backward(0, weights_late=True)
    for _ in range(near + 1):
        weights()
    assert not late
    return order


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


EQUAL: Mapping[Kind, float] = {"F": 1.0, "B": 1.0, "W": 1.0}

ORDERS: dict[str, Callable[[int, int, int], Order]] = {
    "1f1b": one_forward_one_backward,
    "gpipe": gpipe,
    "zb_h1": zb_h1,
    "zb_h2": zb_h2,
    "zb_v": zb_v,
    "dualpipe": dualpipe,
}


def stage(schedule: str, p: int, i: int, chunk: int) -> tuple[int, int]:
    """The pipeline (DualPipe runs two) and the stage of it that a chunk of a rank is."""
    if schedule == "zb_v":
        return 0, (2 * p - 1 - i if chunk else i)
    if schedule == "dualpipe":
        return chunk, (p - 1 - i if chunk else i)
    return 0, chunk * p + i


def run(orders: list[Order], schedule: str, chunks: int = 1, times: Mapping[Kind, float] = EQUAL) -> list[float] | None:
    """How long each rank is busy or waits, from its first pass to its last, each pass as soon as it can.

    None where ranks wait for ever.
    """
    p = len(orders)
    last = p * (2 if schedule == "zb_v" else chunks) - 1
    done: dict[tuple[Kind, int, int, int], float] = {}
    at, now, begun = [0] * p, [0.0] * p, [-1.0] * p
    moved = True
    while moved:
        moved = False
        for i, order in enumerate(orders):
            while at[i] < len(order):
                one = order[at[i]]
                way, k = stage(schedule, p, i, one.chunk)
                needed: list[tuple[Kind, int]] = []
                if one.kind == "F" and k > 0:
                    needed = [("F", k - 1)]
                elif one.kind == "B":
                    needed = [("F", k)] if k == last else [("F", k), ("B", k + 1)]
                before = [done.get((kind, way, other, one.micro_batch), -1.0) for kind, other in needed]
                if -1.0 in before:
                    break
                start = max(now[i], *before, 0.0)
                begun[i] = start if at[i] == 0 else begun[i]
                now[i] = done[one.kind, way, k, one.micro_batch] = start + times[one.kind]
                at[i] += 1
                moved = True
    ended = all(position == len(order) for position, order in zip(at, orders, strict=True))
    return [b - a for a, b in zip(begun, now, strict=True)] if ended else None
