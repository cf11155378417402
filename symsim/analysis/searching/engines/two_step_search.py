"""A search among workers: first the formulas of its variants, then their points.

Variants are compiled by whoever is free, those that are alike together. Then they are one program for each set of
axes, and it is the points that are split: what variants share of a point is computed once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby

from symsim.analysis.searching.space import Refused, Variant, kinship
from symsim.analysis.searching.space_program import SpaceProgram, combined, split
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.work_splitting import split_by_halving

Unit = Sequence[Variant | Refused]

EACH = 2
"""Portions for each worker: so many that all end at about the same time."""

BATCH = 4
"""Units for each worker whose formulas are there at a time: memory stays bounded however many variants there are."""

Writing = tuple[list[SpaceProgram], SweepResult]

WriteAll = Callable[[Sequence[Unit], Callable[[Writing], None]], None]
SweepAll = Callable[[Sequence[SpaceProgram], Callable[[SweepResult], None]], None]
"""Have workers do all of some portions, and hand over what came of each, in any order."""


def in_two_steps(
    units: Sequence[Unit], workers: int, write_all: WriteAll, sweep_all: SweepAll, take: Callable[[SweepResult], None]
) -> None:
    """A whole search by workers that write formulas and sweep points."""
    for batch in _batches(units, BATCH * workers):
        programs: list[SpaceProgram] = []

        def keep(found: Writing, programs: list[SpaceProgram] = programs) -> None:
            parts, result = found
            programs += parts
            take(result)

        write_all(work_units(batch, workers), keep)
        sweep_all(split(combined(programs), EACH * workers), take)


def _batches(units: Sequence[Unit], size: int) -> Iterator[Sequence[Unit]]:
    for begin in range(0, len(units), size):
        yield units[begin : begin + size]


def work_units(units: Iterable[Unit], workers: int) -> list[Unit]:
    """Variants to compile, in :data:`EACH` portions or so for each worker, most first."""
    return split_by_halving(units, weight, _halves, EACH * workers)


def weight(unit: Unit) -> int:
    """Variants that have formulas."""
    return sum(isinstance(part, Variant) for part in unit)


def _halves(unit: Unit) -> list[Unit]:
    """Two portions of about the same weight, or none where nothing can be split: families of variants that are alike
    stay together as long as there are others, since what one of them compiled the next takes over."""
    families = [list(family) for _, family in groupby(unit, kinship)]
    if len(families) == 1:
        families = [[part] for part in unit]
    if len(families) < 2:
        return []
    whole = weight(unit)
    middle = min(range(1, len(families)), key=lambda k: abs(2 * sum(map(weight, families[:k])) - whole))
    return [[part for family in some for part in family] for some in (families[:middle], families[middle:])]
