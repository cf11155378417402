"""Evaluate part of a space: all legal points of some variants, the best of them.

What comes of a part does not depend on which process it was, nor on the order of parts, so one machine and a
cluster give the same answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from symsim.analysis.searching.feasible_points import Feasible
from symsim.analysis.searching.legal_points import Tally, legal_blocks
from symsim.analysis.searching.pruning import offer_unless_pruned
from symsim.analysis.searching.space import Refused, Space, Variant
from symsim.analysis.searching.space_program import SpaceProgram, combined, compile_variants
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked, Columns
from symsim.emit.grid.open_axes import Sheet
from symsim.emit.grid.point_slices import Rows, Slice
from symsim.emit.grid.sampled_stages import Array
from symsim.emit.program import CheckedRule
from symsim.machine.bind import lookup_of


def sweep_unit(space: Space, unit: Sequence[Variant | Refused], asked: Asked) -> SweepResult:
    """Compile some variants and sweep them, by one hand.

    Raises:
        InputError: an expression that means nothing here; more points than one search evaluates.
    """
    programs, result = compile_variants(space, unit, asked)
    for part in combined(programs):
        sweep(space, part, asked, result)
    return result


def sweep(
    space: Space, part: SpaceProgram, asked: Asked, result: SweepResult | None = None, limit: Any = None
) -> SweepResult:
    """All legal points of some variants, added to what was found. ``limit`` is what other processes found.

    Raises:
        InputError: more points than one search evaluates.
    """
    result = SweepResult.nothing(asked) if result is None else result
    system = space.system.with_figures(part.figures) if space.system is not None else None
    lookup = lookup_of(system) if system is not None else _no_machine
    result.ranking.shared = limit
    _sweep_sheet(Sheet(part.program, dict(part.axes), lookup), part.columns, asked, result)
    result.ranking.shared = None
    result.variants += part.variants
    return result


def _no_machine(name: str, *dimensions: object) -> object:
    raise AssertionError(f"'{name}' needs a machine")


def _sweep_sheet(sheet: Sheet, columns: Sequence[Columns], asked: Asked, result: SweepResult) -> None:
    alike: dict[tuple[CheckedRule, ...], list[Columns]] = {}
    for column in columns:
        alike.setdefault(column.rules, []).append(column)
    with np.errstate(all="ignore"):
        for group in sheet.groups:
            for rules, same in alike.items():
                tally, feasible = Tally(), Feasible(same)
                for codes in legal_blocks(sheet, group, rules, tally, len(same)):
                    _sweep_block(group.rows(codes), feasible, same, asked, result)
                result.tally.add(tally.times(len(same)))


def _sweep_block(rows: Rows, which: Feasible, columns: Sequence[Columns], asked: Asked, result: SweepResult) -> None:
    """One block of legal points under each variant: what variants share is computed once, for all of them."""
    masks, removed = which.points(rows)
    for column in columns:
        for (text, _), count in zip(asked.constraints, removed[column.constraints], strict=True):
            if count:
                result.tally.removed[text] += count
    somewhere = np.logical_or.reduce(list(masks.values()))
    if not somewhere.any():
        return
    few = rows.kept(somewhere)
    feasible = {constraints: mask[somewhere] for constraints, mask in masks.items()}
    count = sum(int(np.count_nonzero(feasible[column.constraints])) for column in columns)
    result.tally.feasible += count
    if result.front is None and all(column.bounds for column in columns):

        def limit() -> float:
            return result.ranking.limit

        def offer(part: Slice, column: Columns, mask: Array) -> None:
            _offer(part, column, mask, asked, result)

        result.tally.bounded += count - offer_unless_pruned(few, feasible, columns, asked.sign, limit, offer)
        return
    done = 0
    for part in few.slices():
        for column in columns:
            _offer(part, column, feasible[column.constraints][done : done + len(part)], asked, result)
        done += len(part)


def _offer(part: Slice, column: Columns, mask: Array, asked: Asked, result: SweepResult) -> None:
    """Points of one variant, those of ``mask``, for the ranking and the front."""
    count = len(part)
    (objective,) = part.numbers(column.outcomes[:1])
    good = np.where(mask, np.broadcast_to(asked.sign * objective, count), np.inf)
    close = np.flatnonzero(good <= result.ranking.limit)
    if len(close):
        outcomes = _table(part.numbers(column.outcomes), count)[:, close]
        outcomes[0] = good[close]
        result.ranking.offer(outcomes, _points(column.variant, part, close))
    if result.front is not None:
        values = _table(part.numbers(column.pareto), count)[:, mask]
        values *= np.array([sign for _, sign in asked.pareto])[:, None]
        result.front.offer(values, _points(column.variant, part, mask))


def _table(values: Sequence[object], count: int) -> Array:
    return np.array([np.broadcast_to(np.asarray(v, dtype=float), count) for v in values])


def _points(variant: Variant, part: Slice, which: Array) -> Array:
    """The numbers of some points in the space."""
    codes = part.codes[:, which]
    numbers = np.full(codes.shape[1], variant.base, dtype=np.int64)
    for axis, places, stride in zip(variant.axes, variant.places, variant.strides, strict=True):
        numbers += np.array(places, dtype=np.int64)[codes[part.group.sheet.program.inputs.index(axis.name)]] * stride
    return numbers
