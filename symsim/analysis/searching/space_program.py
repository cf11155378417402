"""The formulas of a space before the first point: variants compiled, and folded into as few programs as can be.

Variants are compiled where there is a core for it; what they have come to is then put together, so that what all of
them share of a point is computed once, and split again by points among the cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from math import prod
from operator import or_
from typing import Any

from symsim.analysis.searching.compile_count import compiled
from symsim.analysis.searching.space import Axis, Refused, Space, Variant
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked, Columns, RefusedError, VariantCompiler
from symsim.analysis.searching.work_splitting import split_by_halving
from symsim.compiler.stages import NumberNeededError
from symsim.emit.grid.sum_regrouping import dependence, regrouped
from symsim.emit.program import Program, joined
from symsim.loading.plan import structure_of
from symsim.records.strategy import Value

Axes = tuple[tuple[str, tuple[Value, ...]], ...]
"""The sizes that vary, each with its values; ``pp`` is one of them."""


MOST_COLUMNS = 128
"""Variants of one program: what they share is computed once, and what each has of its own takes memory."""

CHEAPER = 8
"""Points that share a bound, for the work of one that does not."""


@dataclass(frozen=True, slots=True)
class SpaceProgram:
    """Variants with the same axes and the same machine, as columns of one program.

    ``variants`` is how many of the search are finished with it; ``telling`` are the axes that bounds depend on, as
    bits.
    """

    axes: Axes
    figures: Mapping[str, Value]
    program: Program
    columns: tuple[Columns, ...]
    variants: int
    bound_axes: int = 0

    @property
    def weight(self) -> float:
        """What its sweep takes, in combinations of the sizes that bounds depend on: the others cost little each."""
        lengths = [len(values) for _, values in self.axes]
        heads = prod(n for k, n in enumerate(lengths) if self.bound_axes >> k & 1)
        return len(self.columns) * (heads + prod(lengths) / CHEAPER)


def compile_variants(
    space: Space, unit: Sequence[Variant | Refused], asked: Asked
) -> tuple[list[SpaceProgram], SweepResult]:
    """Compile variants. What has no formulas is among what was removed.

    Raises:
        InputError: an expression that means nothing here.
    """
    result = SweepResult.nothing(asked)
    whole = [part for part in unit if isinstance(part, Variant)]
    for part in unit:
        if isinstance(part, Refused):
            result.refuse(part)
    programs = [w for variants in _sharing_axes(whole) for w in _programs(space, variants, asked, result)]
    result.variants = len(unit) - sum(w.variants for w in programs)
    return programs, result


def combined(parts: Sequence[SpaceProgram]) -> list[SpaceProgram]:
    """Those with the same axes and machine as one each, the smallest first: what they find is a limit for others."""
    alike: dict[tuple[Axes, str], list[SpaceProgram]] = {}
    for part in parts:
        alike.setdefault((part.axes, repr(sorted(part.figures.items()))), []).append(part)
    whole = []
    for same in (some for parts in alike.values() for some in _of_bounded_size(parts)):
        program, positions = joined([part.program for part in same])
        columns = [c.moved(place) for part, place in zip(same, positions, strict=True) for c in part.columns]
        program, place = regrouped(program, {register for column in columns for register in column.registers()})
        moved = tuple(column.moved(place) for column in columns)
        depends, _ = dependence(program)
        bound_axes = reduce(or_, (depends[r] for c in moved for r in c.bounds or c.outcomes[:1]), 0)
        finished = sum(part.variants for part in same)
        whole.append(replace(same[0], program=program, columns=moved, variants=finished, bound_axes=bound_axes))
    return sorted(whole, key=lambda w: w.weight)


def _of_bounded_size(parts: Sequence[SpaceProgram]) -> Iterator[list[SpaceProgram]]:
    """In the order of the space, so that it does not matter who wrote them when."""
    some: list[SpaceProgram] = []
    for part in sorted(parts, key=lambda part: part.columns[0].variant.base):
        if some and sum(len(p.columns) for p in some) + len(part.columns) > MOST_COLUMNS:
            yield some
            some = []
        some.append(part)
    yield some


def split(whole: Sequence[SpaceProgram], count: int) -> list[SpaceProgram]:
    """Pieces for so many hands, the heaviest first: none has much more than its share.

    Numbers of stages are split as long as there are several, then variants. Rules are asked of a point in the same
    order then, so what removed it stays the same.
    """
    return split_by_halving(whole, lambda part: part.weight, _halves, count)


def _halves(part: SpaceProgram) -> list[SpaceProgram]:
    stages = dict(part.axes)["pp"]
    if len(stages) > 1:
        # Every second number: short pipelines have more legal plans than long ones.
        first, second = _with_stages(part, slice(None, None, 2)), _with_stages(part, slice(1, None, 2))
        return [first, replace(second, variants=0)]
    if len(part.columns) > 1:
        middle = len(part.columns) // 2
        first = replace(part, columns=part.columns[:middle], variants=min(middle, part.variants))
        return [first, replace(part, columns=part.columns[middle:], variants=part.variants - first.variants)]
    return []


def _with_stages(part: SpaceProgram, kept: slice) -> SpaceProgram:
    axes = tuple((name, values[kept] if name == "pp" else values) for name, values in part.axes)
    columns = tuple(replace(c, variant=_with_positions(c.variant, kept)) for c in part.columns)
    return replace(part, axes=axes, columns=columns)


def _with_positions(variant: Variant, kept: slice) -> Variant:
    at = next(k for k, axis in enumerate(variant.axes) if axis.name == "pp")
    axes = (*variant.axes[:at], Axis("pp", variant.axes[at].values[kept]), *variant.axes[at + 1 :])
    positions = (*variant.places[:at], variant.places[at][kept], *variant.places[at + 1 :])
    return replace(variant, axes=axes, places=positions)


def _sharing_axes(variants: Sequence[Variant]) -> list[list[Variant]]:
    """Variants whose sizes vary alike: they can be one program."""
    alike: dict[tuple[tuple[Axis, ...], tuple[tuple[str, object], ...], str], list[Variant]] = {}
    for variant in variants:
        sizes = tuple(sorted(variant.plan.sizes.items()))
        fixed = tuple((n, v) for n, v in sizes if n not in {a.name for a in variant.axes})
        alike.setdefault((variant.axes, fixed, repr(sorted(variant.figures.items()))), []).append(variant)
    return list(alike.values())


def _programs(space: Space, variants: Sequence[Variant], asked: Asked, result: SweepResult) -> Iterator[SpaceProgram]:
    """Variants with the same axes, in one program; those whose formulas need a size as a number, once for each."""
    first = variants[0]
    axes: dict[str, tuple[Any, ...]] = {axis.name: axis.values for axis in first.axes}
    axes.setdefault("pp", (first.plan.sizes["pp"],))
    system = space.system.with_figures(first.figures) if space.system is not None else None
    writer = VariantCompiler(space, system, asked, axes, first.plan.sizes)
    columns: list[Columns] = []
    split: list[Variant] = []
    for variant in variants:
        try:
            columns.append(writer.columns(variant))
        except NumberNeededError as needed:
            split += _each_value(variant, str(needed))
        except RefusedError as refused:
            result.refuse(Refused(variant.points, refused.problem))
        compiled()
    if columns:
        known = tuple((name, tuple(v for v in values if v is not None)) for name, values in axes.items())
        yield SpaceProgram(known, first.figures, writer.folder.program(), tuple(columns), len(columns))
    for variants_of_value in _sharing_axes(split):
        for part in _programs(space, variants_of_value, asked, result):
            yield replace(part, variants=0)


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
