"""Points that bounds show to be behind those already found: they are counted, and not evaluated.

A bound of the objective depends on fewer axes than the objective itself, so many points share one: their *head*.
Bounds are computed head by head, the cheap ones for all, the closer ones for those that are left, the most
promising first; only the points of heads that no bound drops are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symsim.analysis.columns import Columns
from symsim.emit.samples import Array
from symsim.emit.sheet import Group, Rows, told_apart

FIRST = 16
"""Heads of the first turn: a few good points lower the limit for all others. Each turn has so many times more."""

TURN = 8192
"""Heads, or points, whose arrays stay in the cache of a core."""

Masks = Mapping[tuple[int, ...], Array]
"""By the registers of constraints, which of the points meet them all."""


@dataclass(slots=True)
class Waiting:
    """Places on the axes of points, each of which meets the constraints of some column at least."""

    codes: Array
    feasible: Masks

    def __len__(self) -> int:
        return int(self.codes.shape[1])

    @staticmethod
    def together(parts: Sequence[Waiting]) -> Waiting:
        feasible = {key: np.concatenate([part.feasible[key] for part in parts]) for key in parts[0].feasible}
        return Waiting(np.concatenate([part.codes for part in parts], axis=1), feasible)


Offer = Callable[[Rows, Array, Columns, Array], None]
"""``offer(rows, codes, column, mask)``: evaluate those of the rows that ``mask`` names, under a column."""


def offer_unless_behind(
    group: Group, points: Waiting, columns: Sequence[Columns], sign: int, limit: Callable[[], float], offer: Offer
) -> int:
    """Evaluate what no bound shows to be behind ``limit()``, which falls meanwhile.

    Gives how many were evaluated; a point counts for each column that it is evaluated under.
    """
    heads, head_of = _heads(group, points.codes, columns)
    hopes = _hopes(group, points, columns, heads, head_of, sign)
    lowest = np.minimum.reduce(list(hopes.values()))
    order = np.flatnonzero(lowest <= limit())
    order = order[np.argsort(lowest[order], kind="stable")]
    place = np.full(heads.shape[1], -1, dtype=np.intp)
    evaluated = 0
    for some in _turns(order):
        most = limit()
        hopeful = [hopes[column.bounds[0], column.constraints][some] <= most for column in columns]
        turn, masks = _by_closer_bounds(group, heads, some, hopeful, columns, sign, most)
        if not len(turn):
            continue
        place[turn] = np.arange(len(turn))
        of_turn = np.flatnonzero(place[head_of] >= 0)
        for begin in range(0, len(of_turn), TURN):
            few = of_turn[begin : begin + TURN]
            at = place[head_of[few]]
            asked = [m[at] & points.feasible[c.constraints][few] for m, c in zip(masks, columns, strict=True)]
            evaluated += _offered(group, points.codes[:, few], columns, asked, offer)
        place[turn] = -1
    return evaluated


def _offered(group: Group, codes: Array, columns: Sequence[Columns], masks: Sequence[Array], offer: Offer) -> int:
    anywhere = np.logical_or.reduce(masks)
    if not anywhere.any():
        return 0
    codes = codes[:, anywhere]
    rows = group.rows(codes)
    for column, mask in zip(columns, masks, strict=True):
        if mask.any():
            offer(rows, codes, column, mask[anywhere])
    return sum(int(np.count_nonzero(mask)) for mask in masks)


def _heads(group: Group, codes: Array, columns: Sequence[Columns]) -> tuple[Array, Array]:
    """The points as far as bounds tell them apart, and where each point is among them."""
    mask = 0
    for register in {register for column in columns for register in column.bounds}:
        mask |= group.masks[register]
    first, head_of = told_apart(group.sheet.shape, codes, mask | 1 << group.sheet.pp)
    return codes[:, first], head_of


def _hopes(
    group: Group, points: Waiting, columns: Sequence[Columns], heads: Array, head_of: Array, sign: int
) -> dict[tuple[int, tuple[int, ...]], Array]:
    """The cheapest bound of each head, infinite where none of its points is feasible."""
    keys = list(dict.fromkeys((column.bounds[0], column.constraints) for column in columns))
    count = heads.shape[1]
    hopes = {key: np.full(count, np.inf) for key in keys}
    there = {}
    for constraints, mask in points.feasible.items():
        there[constraints] = np.zeros(count, dtype=bool)
        there[constraints][head_of[mask]] = True
    for begin in range(0, count, TURN):
        part = slice(begin, begin + TURN)
        rows = group.rows(heads[:, part])
        for bound, constraints in keys:
            (found,) = rows.numbers((bound,))
            hopes[bound, constraints][part] = np.where(there[constraints][part], sign * found, np.inf)
    return hopes


def _turns(order: Array) -> Iterator[Array]:
    begin, size = 0, FIRST
    while begin < len(order):
        yield order[begin : begin + size]
        begin, size = begin + size, min(FIRST * size, TURN)


def _by_closer_bounds(
    group: Group,
    heads: Array,
    turn: Array,
    masks: list[Array],
    columns: Sequence[Columns],
    sign: int,
    most: float,
) -> tuple[Array, list[Array]]:
    """The heads that closer bounds leave under some column, and under which."""
    for level in range(max(len(column.bounds) for column in columns)):
        some = np.logical_or.reduce(masks)
        if not some.all():
            turn, masks = turn[some], [mask[some] for mask in masks]
        if level == 0 or not len(turn):
            continue
        rows = group.rows(heads[:, turn])
        for k, column in enumerate(columns):
            if level < len(column.bounds) and masks[k].any():
                (bound,) = rows.numbers(column.bounds[level : level + 1])
                masks[k] = masks[k] & (sign * bound <= most)
    some = np.logical_or.reduce(masks)
    return turn[some], [mask[some] for mask in masks]
