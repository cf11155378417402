"""Evaluate part of a space: the variants of one unit, all their legal points, the best of them.

A unit is the work of one process. What comes of it does not depend on which process that was, nor on the
order of units, so one machine and a cluster give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symsim.analysis.plan import structure_of
from symsim.analysis.searching.behind import offer_unless_behind
from symsim.analysis.searching.columns import Asked, Columns, RefusedError, Writer
from symsim.analysis.searching.feasible import Feasible
from symsim.analysis.searching.legal import Tally, legal_blocks
from symsim.analysis.searching.ranking import Front, Ranking
from symsim.analysis.searching.space import Axis, Refused, Space, Variant
from symsim.compiler.pipeline import compile_cost
from symsim.compiler.reuse import passes_of
from symsim.compiler.stages import NumberNeededError
from symsim.diagnostics import InputError
from symsim.emit.grid.regroup import regrouped
from symsim.emit.grid.rows import Rows, Slice
from symsim.emit.grid.samples import Array
from symsim.emit.grid.sheet import Sheet
from symsim.emit.program import CheckedRule
from symsim.machine.bind import lookup_of
from symsim.records.strategy import Value


@dataclass(slots=True)
class Swept:
    """What came of a unit; :meth:`add` puts units together, in any order."""

    tally: Tally
    ranking: Ranking
    front: Front | None
    problems: dict[str, InputError] = field(default_factory=dict)
    variants: int = 0

    @staticmethod
    def nothing(asked: Asked) -> Swept:
        front = Front.empty(len(asked.pareto)) if asked.pareto else None
        return Swept(Tally(), Ranking.empty(asked.best, OUTCOMES), front)

    def add(self, other: Swept) -> None:
        self.tally.add(other.tally)
        self.ranking.offer(other.ranking.outcomes, other.ranking.points)
        if self.front is not None and other.front is not None:
            self.front.offer(other.front.outcomes, other.front.points)
        for message, problem in other.problems.items():
            self.problems[message] = min(problem, self.problems.get(message, problem), key=InputError.render)
        self.variants += other.variants


OUTCOMES = 3
"""The objective, the peak of memory and the time of a step: plans that agree in them are one plan in other words."""


def sweep(space: Space, unit: Sequence[Variant | Refused], asked: Asked, limit: Any = None) -> Swept:
    """All legal points of some variants. ``limit`` is what processes that sweep beside this one found, if there are.

    Raises:
        InputError: an expression that means nothing here; more points than one search evaluates.
    """
    swept = Swept.nothing(asked)
    swept.variants = len(unit)
    swept.ranking.shared = limit
    whole: list[Variant] = []
    for part in unit:
        if isinstance(part, Refused):
            _refuse(swept, part)
        else:
            whole.append(part)
    # Small ones first: what they find is a limit for the others.
    for variants in sorted(_sharing_axes(whole), key=lambda together: together[0].points):
        _sweep_together(space, variants, asked, swept)
    swept.ranking.shared = None
    return swept


def prepare(space: Space, parts: Sequence[Variant | Refused]) -> None:
    """Compile one variant, so that processes that are forked now have its passes."""
    first = next((part for part in parts if isinstance(part, Variant)), None)
    if first is not None:
        model, passes = passes_of(space.model)
        structure = first.plan.structure
        with suppress(InputError):
            compile_cost(model, structure, passes=passes)


def _refuse(swept: Swept, refused: Refused) -> None:
    message = refused.problem.diagnostics[0].message
    swept.tally.removed[message] += refused.points
    swept.problems.setdefault(message, refused.problem)


def _sharing_axes(variants: Sequence[Variant]) -> list[list[Variant]]:
    """Variants whose sizes vary alike: they can be one program."""
    together: dict[tuple[tuple[Axis, ...], tuple[tuple[str, object], ...], str], list[Variant]] = {}
    for variant in variants:
        sizes = tuple(sorted(variant.plan.sizes.items()))
        fixed = tuple((n, v) for n, v in sizes if n not in {a.name for a in variant.axes})
        together.setdefault((variant.axes, fixed, repr(sorted(variant.figures.items()))), []).append(variant)
    return list(together.values())


def _sweep_together(space: Space, variants: Sequence[Variant], asked: Asked, swept: Swept) -> None:
    """Variants with the same axes, in one program."""
    first = variants[0]
    axes: dict[str, tuple[Value | None, ...]] = {axis.name: axis.values for axis in first.axes}
    axes.setdefault("pp", (first.plan.sizes["pp"],))
    system = space.system.with_figures(first.figures) if space.system is not None else None
    writer = Writer(space, system, asked, axes, first.plan.sizes)
    columns: list[Columns] = []
    split: list[Variant] = []
    for variant in variants:
        try:
            columns.append(writer.columns(variant))
        except NumberNeededError as needed:
            split += _each_value(variant, str(needed))
        except RefusedError as refused:
            _refuse(swept, Refused(variant.points, refused.problem))
    if columns:
        whole = writer.folder.program()
        program, place = regrouped(whole, {register for column in columns for register in column.registers()})
        sheet = Sheet(
            program,
            {name: [v for v in values if v is not None] for name, values in axes.items()},
            lookup_of(system) if system is not None else _no_machine,
        )
        _sweep_sheet(sheet, [column.moved(place) for column in columns], asked, swept)
    for variants_of_value in _sharing_axes(split):
        _sweep_together(space, variants_of_value, asked, swept)


def _no_machine(name: str, *dimensions: object) -> object:
    raise AssertionError(f"'{name}' needs a machine")


def _each_value(variant: Variant, name: str) -> Iterator[Variant]:
    """The variant once for each value of a size, as a number that its structure knows."""
    at = next(k for k, axis in enumerate(variant.axes) if axis.name == name)
    for value, place in zip(variant.axes[at].values, variant.places[at], strict=True):
        values = {**variant.plan.values, name: value}
        sizes: dict[str, Any] = {**variant.plan.sizes, name: value}
        yield replace(
            variant,
            plan=replace(variant.plan, values=values, structure=structure_of(values), sizes=sizes),
            axes=(*variant.axes[:at], *variant.axes[at + 1 :]),
            places=(*variant.places[:at], *variant.places[at + 1 :]),
            strides=(*variant.strides[:at], *variant.strides[at + 1 :]),
            base=variant.base + place * variant.strides[at],
        )


def _sweep_sheet(sheet: Sheet, columns: Sequence[Columns], asked: Asked, swept: Swept) -> None:
    alike: dict[tuple[CheckedRule, ...], list[Columns]] = {}
    for column in columns:
        alike.setdefault(column.rules, []).append(column)
    with np.errstate(all="ignore"):
        for group in sheet.groups:
            for rules, same in alike.items():
                tally, feasible = Tally(), Feasible(same)
                for codes in legal_blocks(sheet, group, rules, tally):
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
