"""The ranges of a dimension of the model: compiled as a symbol, anew wherever it decided something.

A text may ask ``layers > 1``; the formulas then hold on one side of it. Every decision is known, and
how it came out: the decisions of all ranges make a tree, and where a branch of it has no formulas
yet, a value on that branch is looked for, and compiled. When no branch has one left, every value of the
range has its formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symsim.analysis.one_parameter import Parameter, changed
from symsim.analysis.quantities import names_for
from symsim.analysis.solving.extreme import extreme
from symsim.analysis.solving.formula_range import Array, Decision, FormulaRange, formula_range
from symsim.diagnostics import InputError, error
from symsim.emit.program import Program, assemble
from symsim.emit.quantity import Names
from symsim.loading.question import Question
from symsim.records.cost import CostModel, Definition, Rule

if TYPE_CHECKING:
    from sympy import Expr

Lower = Callable[[Program, Names], Program]

MOST_FORMULAS = 24
"""Most sets of formulas of one line, those included that turned out to be impossible."""


def dimension_ranges(asked: Question, about: Parameter, lower: Lower) -> list[FormulaRange]:
    """The formulas of models along a dimension, over its whole range.

    Raises:
        InputError: too many sets of formulas, a dimension that the model's text computes from this one,
            or a model that is possible nowhere.
    """
    _check_text(asked, about)
    found: list[FormulaRange] = []
    problem: InputError | None = None
    without: list[float] = []
    value: float | None = about.now if about.now is not None and about.low <= about.now <= about.high else about.low
    while value is not None:
        if len(found) + len(without) == MOST_FORMULAS:
            hint = "give --from and --to around the values of interest"
            raise error("E352", f"{about.name} takes more than {MOST_FORMULAS} sets of formulas", None, hint)
        try:
            there = changed(asked, about, value)
        except InputError as refused:
            problem = problem or refused
            without.append(value)
        else:
            formulas, refused_here = _formula_range(asked, there, about, lower)
            problem = problem or refused_here
            found.append(formulas)
        value = _next(found, about, without)
    possible = [s for s in found if not s.empty]
    if not possible and problem is not None:
        raise problem
    return possible


def _next(found: list[FormulaRange], about: Parameter, without: list[float]) -> float | None:
    """A value whose formulas are not known yet."""
    if not found:
        beyond = without[-1] + 1
        return beyond if beyond <= about.high else None
    values = (_on_branch(branch, about, without) for branch in _open(found))
    return next((v for v in values if v is not None), None)


def _formula_range(
    asked: Question, there: Question, about: Parameter, lower: Lower
) -> tuple[FormulaRange, InputError | None]:
    """The formulas around a value; or where the same error is met, and that error."""
    from symsim.compiler.pipeline import compile_cost

    assumed: dict[Expr, bool] = {}
    try:
        cost = compile_cost(there.model, there.plan.structure, frozenset({about.name}), assumed=assumed)
    except InputError as refused:
        program = assemble(CostModel(there.model.name, _named(assumed), (), (about.name,)))
        empty = FormulaRange(program, {}, {about.name: (1.0, 1)}, None, None, empty=True)
        return replace(empty, decisions=_decisions(program, assumed)), refused
    own = tuple(Definition(n, e, "", "", "run", "sizes") for n, e in cost.following.items())
    rules = tuple(rule for n, e in cost.following.items() for rule in _rules(n, e, there))
    inputs = cost.inputs if about.name in cost.inputs else (*cost.inputs, about.name)
    definitions = (*own, *_named(assumed), *cost.definitions)
    whole = replace(cost, definitions=definitions, rules=(*rules, *cost.rules), inputs=inputs)
    names = names_for(there.model, there.plan, there.system)
    constants = {n: v for n, v in names.constants.items() if n != about.name and n not in cost.following}
    program = lower(assemble(whole), Names(constants, names.inputs))
    formulas = formula_range(there, program, {about.name: (1.0, 1)})
    possible = tuple(r for r in program.rules if set(r.names) <= {about.name})
    return replace(formulas, decisions=_decisions(program, assumed), possible=possible), None


def _named(assumed: Mapping[Expr, bool]) -> tuple[Definition, ...]:
    return tuple(Definition(f"decision {k}", e, "", "", "run", "sizes") for k, e in enumerate(assumed))


def _decisions(program: Program, assumed: Mapping[Expr, bool]) -> tuple[Decision, ...]:
    return tuple(
        Decision(program.outputs[f"decision {k}"].register, held, str(condition))
        for k, (condition, held) in enumerate(assumed.items())
    )


def _rules(name: str, expression: Expr, there: Question) -> list[Rule]:
    """A dimension that follows is a whole number, and at least what it may be."""
    from sympy import Integer

    from symsim.functions import remainder

    names = tuple(sorted(str(s) for s in expression.free_symbols))
    least = 0 if there.model.dimensions[name] == 0 else 1
    out = [Rule(expression - least, "not_negative", f"{name} is less than {least}", names)]
    if not expression.is_integer:
        out.append(Rule(remainder(expression, Integer(1)), "zero", f"{name} is no whole number", names))
    return out


TRIALS = (2, 3, 4)
"""How many times as large a dimension is tried, to see what the model's text computes from it."""


def _check_text(asked: Question, about: Parameter) -> None:
    """Raises InputError for a dimension that the model's own text computes from this one."""
    for times in TRIALS:
        try:
            there = changed(asked, about, times * (about.now or about.low))
        except InputError:
            continue
        others = {n for n, v in there.model.dimensions.items() if v != asked.model.dimensions[n]}
        for other in sorted(others - {about.name} - asked.model.derived):
            hint = f"give {other} a number in the model's text, or set it with --set {other}=…"
            raise error("E351", f"the model's text computes {other} from {about.name}", None, hint)


Branch = tuple[FormulaRange, tuple[Decision, ...]]
"""Decisions that lead to where no formulas are known, with the range whose program has them."""


def _open(found: list[FormulaRange]) -> list[Branch]:
    """The branches next to the known ones."""
    known = {tuple((d.condition, d.held) for d in s.decisions[: k + 1]) for s in found for k in range(len(s.decisions))}
    out: list[Branch] = []
    for formulas in found:
        for k, decision in enumerate(formulas.decisions):
            branch = (*formulas.decisions[:k], replace(decision, held=not decision.held))
            if tuple((d.condition, d.held) for d in branch) not in known:
                out.append((formulas, branch))
    return out


def _on_branch(branch: Branch, about: Parameter, without: list[float]) -> float | None:
    """A value that is decided so; of those at which the dimensions that follow are possible."""
    formulas, decisions = branch

    def may(low: Array, high: Array) -> Array:
        return formulas.may_be_decided(decisions, low, high)

    def test(values: Array) -> Array:
        free = ~np.isin(values, without) & formulas.decided(decisions, values)
        return free & formulas.keeps(formulas.possible, values)

    return extreme(about.low, about.high, "smallest", may, test).value
