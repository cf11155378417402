"""The one range of a figure of the machine: the inputs of the formulas that change with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import isclose, sqrt

from symsim.analysis.evaluate import evaluator
from symsim.analysis.one_parameter import Parameter, at_figure
from symsim.analysis.quantities import machine_for, names_for
from symsim.analysis.solving.formula_range import FormulaRange, formula_range
from symsim.diagnostics import error
from symsim.emit.program import Program
from symsim.emit.quantity import Names
from symsim.loading.question import Question
from symsim.machine.bind import figure_of_table


def figure_range(asked: Question, about: Parameter, lower: Callable[[Program, Names], Program]) -> FormulaRange:
    """The formulas of a plan on machines that differ in one figure.

    One figure may answer for several names (``hbm.efficiency`` for every class of traffic without its
    own); which they are is seen by binding two machines.

    Raises:
        InputError: a name that changes with the figure, and not in proportion.
    """
    assert asked.system is not None
    first, second = _two(about)
    system = at_figure(asked.system, about.name, first)
    names = names_for(asked.model, asked.plan, system)
    program = lower(evaluator(asked.model, asked.plan.structure).program, names)
    formulas = formula_range(replace(asked, system=system), program, {})
    one, other = formulas.machine, machine_for(at_figure(asked.system, about.name, second), program)
    assert one is not None and other is not None
    following = {n: (v / first, 1) for n, v in one.values.items() if other.values[n] != v}
    for name, (factor, _) in following.items():
        if not isclose(other.values[name], factor * second, rel_tol=1e-12):
            raise error("E351", f"{name} follows {about.name}, and not in proportion", None, f"ask for {name}")
    tables = frozenset(t for t in program.tables if figure_of_table(system, t) == about.name)
    fixed = {n: v for n, v in formulas.fixed.items() if n not in following}
    return replace(formulas, fixed=fixed, following=following, figures=tables)


def _two(about: Parameter) -> tuple[float, float]:
    """Two values of the range."""
    if about.whole:
        return about.low, about.low + 1
    middle = sqrt(about.low * about.high)
    return middle, sqrt(middle * about.high) if about.high > about.low else middle / 2
