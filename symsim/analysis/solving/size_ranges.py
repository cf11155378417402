"""The ranges of a size of the strategy: a symbol of the formulas, or what selects them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod

from symsim.analysis.evaluate import evaluator
from symsim.analysis.one_parameter import Parameter, at_size
from symsim.analysis.quantities import names_for
from symsim.analysis.solving.formula_range import FormulaRange, formula_range
from symsim.diagnostics import InputError
from symsim.emit.program import Program
from symsim.emit.quantity import Names
from symsim.loading.plan import Plan
from symsim.loading.question import Question
from symsim.records.strategy import CHOICES, SIZE_SYMBOLS

Lower = Callable[[Program, Names], Program]
"""Adds what is asked for to a program, as more outputs."""

MOST_CHUNKS = 64
"""Virtual chunks that are looked at: each number of them has formulas of its own."""


def size_ranges(asked: Question, about: Parameter, lower: Lower) -> list[FormulaRange]:
    """The formulas of plans along a size.

    Raises:
        InputError: a choice that no value of the size goes with.
    """
    if about.name in (*SIZE_SYMBOLS, "microbatches"):
        return [_formula_range(asked, about, asked.plan, lower)]
    found: list[FormulaRange] = []
    problem: InputError | None = None
    for value, only, without in _formulas(asked, about):
        try:
            settled = at_size(asked, about.name, value)
            if only is None or settled.values[about.name] == only:
                formulas = _formula_range(asked, about, settled, lower)
                found.append(replace(formulas, only=only, without=without))
        except InputError as refused:
            problem = problem or refused
    if not found and problem is not None:
        raise problem
    return found


def _formulas(asked: Question, about: Parameter) -> Iterator[tuple[int, int | None, int | None]]:
    """A value of each set of formulas, the only one it is for, and the one it is not for."""
    if about.name == "vp":
        layers, ranks = asked.model.dimensions.get("layers"), asked.plan.values["pp"]
        most = layers // ranks if isinstance(layers, int) and isinstance(ranks, int) else MOST_CHUNKS
        yield from ((v, v, None) for v in range(int(about.low), int(min(about.high, most, MOST_CHUNKS)) + 1))
        return
    default = CHOICES[about.name].default
    usual = default if isinstance(default, int) else None
    given = asked.plan.values[about.name]
    other = given if isinstance(given, int) and given != usual else 2 + (usual == 2)
    yield other, None, usual
    if usual is not None:
        yield usual, usual, None


def _formula_range(asked: Question, about: Parameter, settled: Plan, lower: Lower) -> FormulaRange:
    asked = replace(asked, plan=settled)
    program = evaluator(asked.model, settled.structure).program
    names = names_for(asked.model, settled, asked.system, (about.name,))
    return formula_range(asked, lower(program, names), _following(settled, about.name))


def _following(settled: Plan, name: str) -> dict[str, tuple[float, int]]:
    """The size itself, and gbs where micro-batches are given."""
    powers = {"microbatches": 1, "mbs": 1, "world": 1, "tp": -1, "cp": -1, "pp": -1}
    counted = "microbatches" in settled.places and "gbs" not in settled.places
    if name not in powers or not (counted or name == "microbatches"):
        return {name: (1.0, 1)}
    factor = prod(float(settled.sizes[n]) ** p for n, p in powers.items() if n != name)
    return {name: (1.0, 1), "gbs": (factor, powers[name])}
