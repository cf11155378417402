"""Evaluate part of a space: all legal points of some variants, the best of them.

What comes of a part does not depend on which process it was, nor on the order of parts, so one machine and a
cluster give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symsim.analysis.searching.behind import offer_unless_behind
from symsim.analysis.searching.columns import Asked, Columns
from symsim.analysis.searching.feasible import Feasible
from symsim.analysis.searching.legal import Tally, legal_blocks
from symsim.analysis.searching.space import Refused, Space, Variant
from symsim.analysis.searching.swept import Swept
from symsim.analysis.searching.written import Written, together, write
from symsim.emit.grid.rows import Rows, Slice
from symsim.emit.grid.samples import Array
from symsim.emit.grid.sheet import Sheet
from symsim.emit.program import CheckedRule
from symsim.machine.bind import lookup_of


def sweep_unit(space: Space, unit: Sequence[Variant | Refused], asked: Asked) -> Swept:
    """Compile some variants and sweep them, by one hand.

    Raises:
        InputError: an expression that means nothing here; more points than one search evaluates.
    """
    written, swept = write(space, unit, asked)
    for part in together(written):
        sweep(space, part, asked, swept)
    return swept


def sweep(space: Space, part: Written, asked: Asked, swept: Swept | None = None, limit: Any = None) -> Swept:
    """All legal points of some variants, added to what was found. ``limit`` is what processes beside this one found.

    Raises:
        InputError: more points than one search evaluates.
    """
    swept = Swept.nothing(asked) if swept is None else swept
    system = space.system.with_figures(part.figures) if space.system is not None else None
    lookup = lookup_of(system) if system is not None else _no_machine
    swept.ranking.shared = limit
    _sweep_sheet(Sheet(part.program, dict(part.axes), lookup), part.columns, asked, swept)
    swept.ranking.shared = None
    swept.variants += part.variants
    return swept


def _no_machine(name: str, *dimensions: object) -> object:
    raise AssertionError(f"'{name}' needs a machine")


def _sweep_sheet(sheet: Sheet, columns: Sequence[Columns], asked: Asked, swept: Swept) -> None:
    alike: dict[tuple[CheckedRule, ...], list[Columns]] = {}
    for column in columns:
        alike.setdefault(column.rules, []).append(column)
    with np.errstate(all="ignore"):
        for group in sheet.groups:
            for rules, same in alike.items():
                tally, feasible = Tally(), Feasible(same)
                for codes in legal_blocks(sheet, group, rules, tally, len(same)):
                    _sweep_block(group.rows(codes), feasible, same, asked, swept)
                swept.tally.add(tally.times(len(same)))


def _sweep_block(rows: Rows, which: Feasible, columns: Sequence[Columns], asked: Asked, swept: Swept) -> None:
    """One block of legal points under each variant: what variants share is computed once, for all of them."""
    masks, removed = which.points(rows)
    for column in columns:
        for (text, _), count in zip(asked.constraints, removed[column.constraints], strict=True):
            if count:
                swept.tally.removed[text] += count
    somewhere = np.logical_or.reduce(list(masks.values()))
    if not somewhere.any():
        return
    few = rows.kept(somewhere)
    feasible = {constraints: mask[somewhere] for constraints, mask in masks.items()}
    count = sum(int(np.count_nonzero(feasible[column.constraints])) for column in columns)
    swept.tally.feasible += count
    if swept.front is None and all(column.bounds for column in columns):

        def limit() -> float:
            return swept.ranking.limit

        def offer(part: Slice, column: Columns, mask: Array) -> None:
            _offer(part, column, mask, asked, swept)

        swept.tally.bounded += count - offer_unless_behind(few, feasible, columns, asked.sign, limit, offer)
        return
    done = 0
    for part in few.slices():
        for column in columns:
            _offer(part, column, feasible[column.constraints][done : done + len(part)], asked, swept)
        done += len(part)


def _offer(part: Slice, column: Columns, mask: Array, asked: Asked, swept: Swept) -> None:
    """Points of one variant, those of ``mask``, for the ranking and the front."""
    count = len(part)
    (objective,) = part.numbers(column.outcomes[:1])
    good = np.where(mask, np.broadcast_to(asked.sign * objective, count), np.inf)
    close = np.flatnonzero(good <= swept.ranking.limit)
    if len(close):
        outcomes = _table(part.numbers(column.outcomes), count)[:, close]
        outcomes[0] = good[close]
        swept.ranking.offer(outcomes, _points(column.variant, part, close))
    if swept.front is not None:
        values = _table(part.numbers(column.pareto), count)[:, mask]
        values *= np.array([sign for _, sign in asked.pareto])[:, None]
        swept.front.offer(values, _points(column.variant, part, mask))


def _table(values: Sequence[object], count: int) -> Array:
    return np.array([np.broadcast_to(np.asarray(v, dtype=float), count) for v in values])


def _points(variant: Variant, part: Slice, which: Array) -> Array:
    """The numbers of some points in the space."""
    codes = part.codes[:, which]
    numbers = np.full(codes.shape[1], variant.base, dtype=np.int64)
    for axis, places, stride in zip(variant.axes, variant.places, variant.strides, strict=True):
        numbers += np.array(places, dtype=np.int64)[codes[part.group.sheet.program.inputs.index(axis.name)]] * stride
    return numbers
