"""Pruning: points whose lower bound is worse than the plans already found are counted, and not evaluated.

A bound of the objective depends on fewer axes than the objective itself, so many points share one: their *head*.
Bounds are computed head by head, the cheap ones for all, the closer ones for those that are left, the most
promising first; only the points of heads that no bound drops are evaluated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from symsim.analysis.searching.feasible_points import Masks
from symsim.analysis.searching.variant_columns import Columns
from symsim.emit.grid.point_slices import SLICE, Rows, Slice, told_apart
from symsim.emit.grid.sampled_stages import Array

FIRST = 64
"""Promises of the first turn: a few good points lower the limit for all others. Each turn has :data:`GROWTH` times
as many."""

GROWTH = 16

Offer = Callable[[Slice, Columns, Array], None]
"""``offer(points, column, mask)``: evaluate those of the points that ``mask`` names, under a column."""


def offer_unless_pruned(
    points: Rows, feasible: Masks, columns: Sequence[Columns], sign: int, limit: Callable[[], float], offer: Offer
) -> int:
    """Evaluate the points whose bound is not worse than ``limit()``, which falls meanwhile.

    Gives how many were evaluated; a point counts for each column that it is evaluated under.
    """
    heads, head_of = _heads(points, columns)
    lower_bounds = _lower_bounds(heads, head_of, feasible, columns, sign)
    row = {key: k for k, key in enumerate(lower_bounds)}
    table = np.array(list(lower_bounds.values()))
    place = np.full(len(heads), -1, dtype=np.intp)
    evaluated, done = 0, -np.inf
    for worst in _batches(table, limit()):
        most = limit()
        asked = (table > done) & (table <= min(worst, most))
        done = worst
        promising = np.flatnonzero(asked.any(0))
        for begin in range(0, len(promising), SLICE):
            some = promising[begin : begin + SLICE]
            masks = [asked[row[column.bounds[0], column.constraints]][some] for column in columns]
            batch, masks = _by_closer_bounds(heads, some, masks, columns, sign, most)
            if not len(batch):
                continue
            place[batch] = np.arange(len(batch))
            of_batch = np.flatnonzero(place[head_of] >= 0)
            for first in range(0, len(of_batch), SLICE):
                few = of_batch[first : first + SLICE]
                at = place[head_of[few]]
                wanted = [m[at] & feasible[c.constraints][few] for m, c in zip(masks, columns, strict=True)]
                evaluated += _offered(points, few, columns, wanted, offer)
            place[batch] = -1
    return evaluated


def _batches(lower_bounds: Array, limit: float) -> Iterator[float]:
    """The worst promise of each turn; the last has all that are left."""
    open_ones = lower_bounds[lower_bounds <= limit]
    counts = []
    size = FIRST
    while size < len(open_ones):
        counts.append(size)
        size *= GROWTH
    if counts:
        yield from np.partition(open_ones, counts)[counts]
    yield np.inf


def _offered(points: Rows, few: Array, columns: Sequence[Columns], masks: Sequence[Array], offer: Offer) -> int:
    anywhere = np.logical_or.reduce(masks)
    if not anywhere.any():
        return 0
    done, left = 0, [mask[anywhere] for mask in masks]
    for part in points.kept(few[anywhere]).slices():
        for column, mask in zip(columns, left, strict=True):
            of_part = mask[done : done + len(part)]
            if of_part.any():
                offer(part, column, of_part)
        done += len(part)
    return sum(int(np.count_nonzero(mask)) for mask in masks)


def _heads(points: Rows, columns: Sequence[Columns]) -> tuple[Rows, Array]:
    """The points as far as bounds tell them apart, and where each point is among them."""
    group = points.group
    mask = 1 << group.sheet.pp
    for register in {register for column in columns for register in column.bounds}:
        mask |= group.masks[register]
    first, head_of = told_apart(group.sheet.shape, points.codes, mask)
    return points.kept(first), head_of


def _lower_bounds(
    heads: Rows, head_of: Array, feasible: Masks, columns: Sequence[Columns], sign: int
) -> dict[tuple[int, tuple[int, ...]], Array]:
    """The cheapest bound of each head, as it may be asked for: infinite where none of its points is feasible."""
    bounds = tuple(dict.fromkeys(column.bounds[0] for column in columns))
    value = dict(zip(bounds, heads.numbers(bounds), strict=True))
    there = {}
    for constraints, mask in feasible.items():
        there[constraints] = np.zeros(len(heads), dtype=bool)
        there[constraints][head_of[mask]] = True
    keys = dict.fromkeys((column.bounds[0], column.constraints) for column in columns)
    return {(b, c): np.where(there[c], sign * value[b], np.inf) for b, c in keys}


def _by_closer_bounds(
    heads: Rows,
    batch: Array,
    masks: list[Array],
    columns: Sequence[Columns],
    sign: int,
    most: float,
) -> tuple[Array, list[Array]]:
    """The heads that closer bounds leave under some column, and under which."""
    for level in range(max(len(column.bounds) for column in columns)):
        some = np.logical_or.reduce(masks)
        if not some.all():
            batch, masks = batch[some], [mask[some] for mask in masks]
        if level == 0 or not len(batch):
            continue
        rows = heads.kept(batch)
        for k, column in enumerate(columns):
            if level < len(column.bounds) and masks[k].any():
                (bound,) = rows.numbers(column.bounds[level : level + 1])
                masks[k] = masks[k] & (sign * bound <= most)
    some = np.logical_or.reduce(masks)
    return batch[some], [mask[some] for mask in masks]
