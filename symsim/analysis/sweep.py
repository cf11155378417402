"""Evaluate part of a space: the variants of one unit, all their legal points, the best of them.

A unit is the work of one process. What comes of it does not depend on which process that was, nor on the
order of units, so one machine and a cluster give the same answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from symsim.analysis.evaluate import evaluator
from symsim.analysis.legal import Tally, legal_blocks
from symsim.analysis.plan import structure_of
from symsim.analysis.quantities import names_for
from symsim.analysis.ranking import Front, Ranking
from symsim.analysis.space import Axis, Refused, Space, Variant, without_number
from symsim.compiler.stages import NumberNeededError
from symsim.diagnostics import InputError, error
from symsim.emit.fold import Folder
from symsim.emit.partition import Array
from symsim.emit.program import CheckedRule, Program
from symsim.emit.quantity import is_condition, with_quantities
from symsim.emit.sheet import Group, Sheet
from symsim.emit.step_size import from_microbatches
from symsim.language import tree
from symsim.machine.bind import Machine, bind, constant_of_table
from symsim.records.strategy import Value
from symsim.records.system import System


@dataclass(frozen=True, slots=True)
class Asked:
    """What a search wants of every point.

    ``objective`` is made small, times ``sign``; ``constraints`` are conditions by their text, in the order in
    which they are checked; ``pareto`` are values whose front is kept, each with its sign.
    """

    objective: tree.Expression
    sign: int
    constraints: tuple[tuple[str, tree.Expression], ...]
    pareto: tuple[tuple[tree.Expression, int], ...]
    best: int


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


@dataclass(frozen=True, slots=True)
class _Columns:
    """One variant in a folded program: registers of its constraints, of its outcomes, of its front; its rules."""

    variant: Variant
    constraints: tuple[int, ...]
    outcomes: tuple[int, ...]
    pareto: tuple[int, ...]
    rules: tuple[CheckedRule, ...]


def sweep(space: Space, unit: Sequence[Variant | Refused], asked: Asked) -> Swept:
    """All legal points of some variants.

    Raises:
        InputError: an expression that means nothing here; more points than one search evaluates.
    """
    swept = Swept.nothing(asked)
    swept.variants = len(unit)
    whole: list[Variant] = []
    for part in unit:
        if isinstance(part, Refused):
            _refuse(swept, part)
        else:
            whole.append(part)
    for variants in _sharing_axes(whole):
        _sweep_together(space, variants, asked, swept)
    return swept


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
    sizes = dict(first.plan.sizes)
    axes: dict[str, tuple[Value | None, ...]] = {axis.name: axis.values for axis in first.axes}
    axes.setdefault("pp", (sizes["pp"],))
    folder = Folder(space.model.name, list(axes))
    system = space.system.with_figures(first.figures) if space.system is not None else None
    columns: list[_Columns] = []
    split: list[Variant] = []
    machine: Machine | None = None
    for variant in variants:
        try:
            program = _program(space, variant)
        except NumberNeededError as needed:
            split += _each_value(variant, str(needed))
            continue
        except InputError as problem:
            _refuse(swept, Refused(variant.points, problem))
            continue
        program = _with_asked(space, variant, system, program, asked)
        machine = bind(system, program.inputs, program.tables, program.figures) if system is not None else None
        columns.append(_columns(folder, variant, program, machine, system, asked, len(columns)))
    if columns:
        lookup = machine.lookup if machine is not None else _no_machine
        sheet = Sheet(folder.program(), {n: [v for v in values if v is not None] for n, values in axes.items()}, lookup)
        _sweep_sheet(sheet, columns, asked, swept)
    for variants_of_value in _sharing_axes(split):
        _sweep_together(space, variants_of_value, asked, swept)


def _no_machine(name: str, *dimensions: object) -> object:
    raise AssertionError(f"'{name}' needs a machine")


def _program(space: Space, variant: Variant) -> Program:
    """The formulas of a variant; a number of chunks that varies is left open where that can be."""
    structure = variant.plan.structure
    if any(axis.name == "vp" for axis in variant.axes):
        structure = without_number(structure, "vp")
    program = evaluator(space.model, structure).program
    given = {*variant.plan.sizes, *(axis.name for axis in variant.axes)}
    return program if "gbs" in given else from_microbatches(program)


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


def _with_asked(space: Space, variant: Variant, system: System | None, program: Program, asked: Asked) -> Program:
    names = names_for(space.model, variant.plan, system, [axis.name for axis in variant.axes])
    quantities = {"asked.objective": asked.objective}
    quantities |= {f"asked.constraint.{k}": node for k, (_, node) in enumerate(asked.constraints)}
    quantities |= {f"asked.pareto.{k}": node for k, (node, _) in enumerate(asked.pareto)}
    lowered = with_quantities(program, quantities, names)
    for name, node in quantities.items():
        condition = is_condition(lowered, name)
        if condition is not name.startswith("asked.constraint."):
            wanted, other = ("number", "condition") if condition else ("condition", "number")
            hint = "memory.peak" if condition else "memory.peak <= 60 GiB"
            raise error("E207", f"expected a {wanted}, not a {other}", node.place, f"for example {hint}")
    return lowered


def _columns(
    folder: Folder,
    variant: Variant,
    program: Program,
    machine: Machine | None,
    system: System | None,
    asked: Asked,
    number: int,
) -> _Columns:
    outcomes = ["asked.objective", "memory.peak", "time.iteration" if machine is not None else "memory.peak"]
    wanted = {f"{number}.{n}": n for n in outcomes}
    wanted |= {f"{number}.{n}": n for n in program.outputs if n.startswith("asked.")}
    known: dict[str, Any] = dict(variant.plan.sizes)
    if machine is not None:
        known |= machine.values
    rules = folder.add(program, known, lambda name: constant_of_table(system, name) if system else None, wanted)
    outputs = folder.outputs
    return _Columns(
        variant,
        tuple(outputs[f"{number}.asked.constraint.{k}"].register for k in range(len(asked.constraints))),
        tuple(outputs[f"{number}.{n}"].register for n in outcomes),
        tuple(outputs[f"{number}.asked.pareto.{k}"].register for k in range(len(asked.pareto))),
        rules,
    )


def _sweep_sheet(sheet: Sheet, columns: Sequence[_Columns], asked: Asked, swept: Swept) -> None:
    alike: dict[tuple[CheckedRule, ...], list[_Columns]] = {}
    for column in columns:
        alike.setdefault(column.rules, []).append(column)
    with np.errstate(all="ignore"):
        for place in range(sheet.shape[sheet.pp]):
            group = sheet.group(place)
            for rules, same in alike.items():
                tally = Tally()
                for codes in legal_blocks(sheet, group, rules, tally):
                    _sweep_block(sheet, group, codes, same, asked, swept)
                swept.tally.add(tally.times(len(same)))
            sheet.forget(place)


def _sweep_block(
    sheet: Sheet, group: Group, codes: Array, columns: Sequence[_Columns], asked: Asked, swept: Swept
) -> None:
    rows = group.rows(codes)
    for column in columns:
        left, which = rows, np.arange(codes.shape[1])
        for (text, _), register in zip(asked.constraints, column.constraints, strict=True):
            (held,) = left.values([register])
            holds = np.broadcast_to(held == 1, len(which))
            kept = int(np.count_nonzero(holds))
            if kept < len(which):
                swept.tally.removed[text] += len(which) - kept
                which = which[holds]
                left = left.kept(holds)
            if not kept:
                break
        swept.tally.feasible += len(which)
        if not len(which):
            continue
        points = _points(column.variant, sheet, codes[:, which])
        outcomes = _table(left.values(column.outcomes), len(which))
        outcomes[0] *= asked.sign
        swept.ranking.offer(outcomes, points)
        if swept.front is not None:
            values = _table(left.values(column.pareto), len(which))
            values *= np.array([sign for _, sign in asked.pareto])[:, None]
            swept.front.offer(values, points)


def _table(values: Sequence[object], count: int) -> Array:
    return np.array([np.broadcast_to(np.asarray(v, dtype=float), count) for v in values])


def _points(variant: Variant, sheet: Sheet, codes: Array) -> Array:
    """The numbers of points in the space."""
    numbers = np.full(codes.shape[1], variant.base, dtype=np.int64)
    for axis, places, stride in zip(variant.axes, variant.places, variant.strides, strict=True):
        numbers += np.array(places, dtype=np.int64)[codes[sheet.program.inputs.index(axis.name)]] * stride
    return numbers
