"""Which points meet the constraints: box by box where signs allow, point by point where a box leaves it open.

Where a constraint changes one way along an axis (memory falls as optimizer states are sharded further), it is asked
at both ends of that axis: what breaks it at the best end breaks it all along, what meets it at the worst end meets
it all along. Only points of boxes that are neither are asked themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from symsim.analysis.searching.variant_columns import Columns
from symsim.emit.grid.point_slices import Rows, Slice, told_apart
from symsim.emit.grid.sampled_stages import Array

Masks = Mapping[tuple[int, ...], Array]
"""By the registers of constraints, which of the points meet them all."""

Removed = dict[tuple[int, ...], list[int]]
"""By the same: how many points each constraint was the first to remove."""


class Feasible:
    """Of legal points: which meet the constraints of each column, and how many did not."""

    def __init__(self, columns: Sequence[Columns]) -> None:
        self._boxes = {column.constraints: column.boxes for column in columns}
        self._worth = all(self._boxes.values())
        self._box_bounds = tuple({register for several in self._boxes.values() for box in several for register in box})

    def points(self, rows: Rows) -> tuple[Masks, Removed]:
        removed = {constraints: [0] * len(constraints) for constraints in self._boxes}
        if not self._worth:
            return _one_by_one(rows, removed), removed
        heads, head_of = _heads(rows, self._box_bounds)
        if 2 * len(heads) > len(rows):
            return _one_by_one(rows, removed), removed
        satisfied, undecided = self._decided(heads, np.bincount(head_of, minlength=len(heads)), removed)
        masks = {constraints: of_heads[head_of] for constraints, of_heads in satisfied.items()}
        asked = np.flatnonzero(undecided[head_of])
        # Boxes that leave most points open are not asked again.
        self._worth = 2 * len(asked) < len(rows)
        if len(asked):
            for constraints, found in _one_by_one(rows.kept(asked), removed).items():
                masks[constraints][asked] = found
        return masks, removed

    def _decided(self, heads: Rows, points: Array, removed: Removed) -> tuple[dict[tuple[int, ...], Array], Array]:
        """By constraints which heads meet them, and which of all heads leave some constraints open."""
        numbers = heads.numbers(self._box_bounds)
        truths = {r: np.broadcast_to(v == 1, len(heads)) for r, v in zip(self._box_bounds, numbers, strict=True)}
        undecided = np.zeros(len(heads), dtype=bool)
        satisfied: dict[tuple[int, ...], Array] = {}
        broken: dict[tuple[int, ...], list[Array]] = {}
        for constraints, boxes in self._boxes.items():
            left, broken[constraints] = np.ones(len(heads), dtype=bool), []
            for possible, certain in boxes:
                undecided |= left & truths[possible] & ~truths[certain]
                broken[constraints].append(left & ~truths[possible])
                left = left & truths[possible]
            satisfied[constraints] = left
        for constraints, of_each in broken.items():
            removed[constraints] = [int(points[mask & ~undecided].sum()) for mask in of_each]
        return satisfied, undecided


def _heads(rows: Rows, box_bounds: Iterable[int]) -> tuple[Rows, Array]:
    """A point of each box, and the box of each point."""
    group = rows.group
    mask = 1 << group.sheet.pp
    for register in box_bounds:
        mask |= group.masks[register]
    first, head_of = told_apart(group.sheet.shape, rows.codes, mask)
    return rows.kept(first), head_of


def _one_by_one(rows: Rows, removed: Removed) -> dict[tuple[int, ...], Array]:
    parts = [{constraints: _asked(part, constraints, removed) for constraints in removed} for part in rows.slices()]
    return {constraints: np.concatenate([part[constraints] for part in parts]) for constraints in removed}


def _asked(part: Slice, constraints: tuple[int, ...], removed: Removed) -> Array:
    left = np.ones(len(part), dtype=bool)
    for k, register in enumerate(constraints):
        (held,) = part.numbers((register,))
        broken = left & np.broadcast_to(held != 1, len(part))
        removed[constraints][k] += int(np.count_nonzero(broken))
        left &= ~broken
    return left
