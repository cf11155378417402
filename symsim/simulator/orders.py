"""The order in which each rank runs its passes, for every schedule.

Each order is written as its source gives it, pass by pass; no count of what is held appears here.
"""

from __future__ import annotations

from collections.abc import Callable

from symsim.simulator.passes import Kind, Order, Pass


def gpipe(p: int, i: int, m: int) -> Order:
    """Huang et al. 2019: all forward passes, then all backward passes."""
    return [Pass("F", 0, k) for k in range(m)] + [Pass("B", 0, k) for k in range(m)]


def one_forward_one_backward(p: int, i: int, m: int, pairs: bool = False) -> Order:
    """Narayanan et al. 2021, section 2.2.1: p − i − 1 forward passes, then one of each in turn; or in pairs."""
    first = min(p - i - 1 + pairs, m)
    return _alternating([("F", 0, k) for k in range(m)], [("B", 0, k) for k in range(m)], first, pairs)


def interleaved(p: int, i: int, m: int, v: int, group: int, pairs: bool = False) -> Order:
    """Narayanan et al. 2021, section 2.2.2, with Megatron-Core's groups of micro-batches.

    Forward passes take a group through chunk 0, then through chunk 1 …; backward passes through the
    chunks from the last. 2(p − i − 1) + (v − 1)·group forward passes come first, and one more where the others run
    in ``pairs`` of a forward and a backward pass at once (Megatron-Core 0.16.1, get_pp_rank_microbatches).
    """
    groups = [range(start, min(start + group, m)) for start in range(0, m, group)]
    forward = [("F", c, k) for of in groups for c in range(v) for k in of]
    backward = [("B", c, k) for of in groups for c in reversed(range(v)) for k in of]
    return _alternating(forward, backward, min(2 * (p - i - 1) + (v - 1) * group + pairs, m * v), pairs)


def _alternating(
    forward: list[tuple[str, int, int]], backward: list[tuple[str, int, int]], first: int, pairs: bool = False
) -> Order:
    turns = len(forward) - first
    order = [(*one, False) for one in forward[:first]]
    for k in range(turns):
        order += [(*forward[first + k], pairs), (*backward[k], pairs)]
    order += [(*one, False) for one in backward[turns:]]
    return [Pass(kind, c, k, paired) for kind, c, k, paired in order]  # type: ignore[arg-type]


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


ORDERS: dict[str, Callable[[int, int, int], Order]] = {
    "1f1b": one_forward_one_backward,
    "gpipe": gpipe,
    "zb_h1": zb_h1,
    "zb_h2": zb_h2,
    "zb_v": zb_v,
    "dualpipe": dualpipe,
}
"""Schedule → the order of rank i of p for m micro-batches. Interleaving also takes chunks and a group."""


def orders_of(
    schedule: str, p: int, m: int, chunks: int = 1, group: int | None = None, pairs: bool = False
) -> list[Order]:
    """The orders of all ranks. ``group``: micro-batches that pass a chunk in a row when interleaved, else p.

    ``pairs``: forward and backward passes of 1F1B, interleaved or not, run two at once.
    """
    if schedule == "interleaved":
        return [interleaved(p, i, m, chunks, group or p, pairs) for i in range(p)]
    if schedule == "1f1b":
        return [one_forward_one_backward(p, i, m, pairs) for i in range(p)]
    return [ORDERS[schedule](p, i, m) for i in range(p)]
