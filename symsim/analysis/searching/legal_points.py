"""The legal points of a sheet, block by block: no rule is asked twice, and nothing illegal is computed.

Points grow one axis at a time. As soon as all sizes of a rule are there, what breaks it goes, with all the
points that would have come of it; so a space of 10¹² combinations whose meshes must divide 2,048 is walked
in the time of its legal ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from symsim.diagnostics import error
from symsim.emit.grid.open_axes import Group, Sheet
from symsim.emit.grid.sampled_stages import Array
from symsim.emit.program import CheckedRule
from symsim.records.rule_message import without_values

BLOCK = 1 << 15
"""Most points whose rules are asked together."""

TOGETHER = 1 << 18
"""Most points of one block: what few combinations of their sizes decide is computed once for all of them."""

NUMBERS = 1 << 22
"""Most numbers that a block has if there is one for each point under each variant: memory stays bounded."""

MAX_POINTS = 2_000_000_000
"""Most legal points that one search evaluates: a quarter of an hour of work."""


@dataclass(slots=True)
class Tally:
    """What became of the points of a space; adds up."""

    legal: int = 0
    feasible: int = 0
    removed: Counter[str] = field(default_factory=Counter)
    bounded: int = 0
    """Legal points pruned: their bound is worse than the best plans found."""

    def add(self, other: Tally) -> None:
        self.legal += other.legal
        self.feasible += other.feasible
        self.bounded += other.bounded
        self.removed.update(other.removed)

    def times(self, count: int) -> Tally:
        """The same of so many variants with the same legal points."""
        removed = Counter({n: c * count for n, c in self.removed.items()})
        return Tally(self.legal * count, self.feasible * count, removed, self.bounded * count)


def legal_blocks(
    sheet: Sheet, group: Group, rules: Sequence[CheckedRule], tally: Tally, variants: int
) -> Iterator[Array]:
    """Places on every axis of the legal points of a group, at most :data:`TOGETHER` at a time, fewer of many variants.

    Raises:
        InputError: more legal points than one search evaluates.
    """
    order = _order(sheet, rules)
    due = _due(sheet, rules, order)
    start = np.zeros((len(sheet.shape), 1), dtype=np.intp)
    start = np.repeat(start, len(group.positions), axis=1)
    start[sheet.pp] = group.positions
    after = [prod(sheet.shape[a] for a in order[k:]) for k in range(len(order) + 1)]
    kept = _without_broken(sheet, group, start, due[0], after[0], tally)
    yield from _filled(_grown(sheet, group, kept, 0, order, due, after, tally), min(TOGETHER, NUMBERS // variants))


def _filled(blocks: Iterator[Array], most: int) -> Iterator[Array]:
    """Small blocks put together."""
    waiting: list[Array] = []
    for block in blocks:
        if waiting and sum(b.shape[1] for b in waiting) + block.shape[1] > most:
            yield np.concatenate(waiting, axis=1)
            waiting = []
        waiting.append(block)
    if waiting:
        yield np.concatenate(waiting, axis=1)


def _grown(
    sheet: Sheet,
    group: Group,
    points: Array,
    done: int,
    order: Sequence[int],
    due: Sequence[list[CheckedRule]],
    after: Sequence[int],
    tally: Tally,
) -> Iterator[Array]:
    if not points.shape[1]:
        return
    if done == len(order):
        tally.legal += points.shape[1]
        if tally.legal > MAX_POINTS:
            hint = "give some sets fewer values, or some choices one"
            raise error("E372", f"the space has more than {MAX_POINTS:,} legal points", None, hint)
        yield points
        return
    axis = order[done]
    length = sheet.shape[axis]
    step = max(1, BLOCK // length)
    for begin in range(0, points.shape[1], step):
        part = points[:, begin : begin + step]
        grown = np.repeat(part, length, axis=1)
        grown[axis] = np.tile(np.arange(length), part.shape[1])
        for chunk in range(0, grown.shape[1], BLOCK):
            kept = grown[:, chunk : chunk + BLOCK]
            kept = _without_broken(sheet, group, kept, due[done + 1], after[done + 1], tally)
            yield from _grown(sheet, group, kept, done + 1, order, due, after, tally)


def _without_broken(
    sheet: Sheet, group: Group, points: Array, rules: Sequence[CheckedRule], each: int, tally: Tally
) -> Array:
    for rule in rules:
        if not points.shape[1]:
            break
        (amount,) = group.rows(points).numbers([rule.register])
        holds = amount == 0 if rule.kind == "zero" else amount >= 0
        held = np.broadcast_to(holds, points.shape[1])
        broken = points.shape[1] - int(np.count_nonzero(held))
        if broken:
            tally.removed[without_values(rule.message)] += broken * each
            points = points[:, held]
    return points


def _order(sheet: Sheet, rules: Sequence[CheckedRule]) -> list[int]:
    """Axes in the order in which rules can be asked soonest; short ones first."""
    left = [k for k, n in enumerate(sheet.shape) if n > 1 and k != sheet.pp]
    masks = [sheet.depends[rule.register] for rule in rules]
    order: list[int] = []
    while left:

        def lacking(axis: int) -> tuple[int, int, int]:
            """How many axes the first rule that has this one still waits for; its length."""
            waits = [sum(mask >> k & 1 for k in left) for mask in masks if mask >> axis & 1]
            return (min(waits, default=len(sheet.shape)), sheet.shape[axis], axis)

        order.append(min(left, key=lacking))
        left.remove(order[-1])
    return order


def _due(sheet: Sheet, rules: Sequence[CheckedRule], order: Sequence[int]) -> list[list[CheckedRule]]:
    """The rules that can be asked once the first 0, 1, 2 … axes are there."""
    due: list[list[CheckedRule]] = [[] for _ in range(len(order) + 1)]
    for rule in rules:
        mask = sheet.depends[rule.register]
        due[max((k + 1 for k, axis in enumerate(order) if mask >> axis & 1), default=0)].append(rule)
    return due
