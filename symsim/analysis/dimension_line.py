"""The stretches of a dimension of the model: compiled as a symbol, anew wherever it decided something.

A text may ask ``layers > 1``; the formulas then hold on one side of it. Every decision is known, and
how it came out: the decisions of all stretches make a tree, and where a branch of it has no formulas
yet, a value on that branch is looked for, and compiled. When no branch has one left, every value of the
range has its formulas.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from symsim.analysis.extreme import extreme
from symsim.analysis.load import Question
from symsim.analysis.quantities import names_for
from symsim.analysis.stretch import Array, Decision, Stretch, stretch_of
from symsim.analysis.varying import Varied, changed
from symsim.diagnostics import InputError, error
from symsim.emit.program import Program, assemble
from symsim.emit.quantity import Names
from symsim.records.cost import Definition, Rule

if TYPE_CHECKING:
    from sympy import Expr

Lower = Callable[[Program, Names], Program]

MOST_FORMULAS = 24
"""Most sets of formulas of one line, those included that turned out to be impossible."""


def dimension_stretches(asked: Question, about: Varied, lower: Lower) -> list[Stretch]:
    """The formulas of models along a dimension, over its whole range.

    Raises:
        InputError: too many sets of formulas, a dimension that the model's text computes from this one,
            or a model that is possible nowhere.
    """
    found: list[Stretch] = []
    impossible: list[float] = []
    value: float | None = about.now if about.now is not None and about.low <= about.now <= about.high else about.low
    problem: InputError | None = None
    while value is not None:
        if len(found) + len(impossible) == MOST_FORMULAS:
            hint = "give --from and --to around the values of interest"
            raise error("E352", f"{about.name} takes more than {MOST_FORMULAS} sets of formulas", None, hint)
        try:
            there = changed(asked, about, value)
            found.append(_stretch(asked, there, about, lower))
        except InputError as refused:
            problem = problem or refused
            impossible.append(value)
        if not found:
            value = _next_possible(about, impossible)
        else:
            value = next((v for v in (_on_branch(b, about, impossible) for b in _open(found)) if v), None)
    if not found and problem is not None:
        raise problem
    return found


def _next_possible(about: Varied, impossible: list[float]) -> float | None:
    value = impossible[-1] + 1
    return value if value <= about.high else None


def _stretch(asked: Question, there: Question, about: Varied, lower: Lower) -> Stretch:
    from symsim.compiler.pipeline import compile_cost

    _check_text(asked, there, about.name)
    cost = compile_cost(there.model, there.plan.structure, frozenset({about.name}))
    own = tuple(Definition(n, e, "", "", "run", "sizes") for n, e in cost.following.items())
    own += tuple(Definition(_name(k), e, "", "", "run", "sizes") for k, e in enumerate(cost.assumed))
    rules = tuple(rule for n, e in cost.following.items() for rule in _rules(n, e, there))
    inputs = cost.inputs if about.name in cost.inputs else (*cost.inputs, about.name)
    whole = replace(cost, definitions=(*own, *cost.definitions), rules=(*rules, *cost.rules), inputs=inputs)
    names = names_for(there.model, there.plan, there.system)
    constants = {n: v for n, v in names.constants.items() if n != about.name and n not in cost.following}
    program = lower(assemble(whole), Names(constants, names.inputs))
    decisions = tuple(
        Decision(program.outputs[_name(k)].register, held, str(condition))
        for k, (condition, held) in enumerate(cost.assumed.items())
    )
    stretch = stretch_of(there, program, {about.name: (1.0, 1)})
    return replace(stretch, decisions=decisions, possible=program.rules[: len(rules)])


def _name(position: int) -> str:
    return f"decision {position}"


def _rules(name: str, expression: Expr, there: Question) -> list[Rule]:
    """A dimension that follows is a whole number, and at least what it may be."""
    from sympy import Integer

    from symsim.functions import remainder

    names = tuple(sorted(str(s) for s in expression.free_symbols))
    least = 0 if there.model.dimensions[name] == 0 else 1
    out = [Rule(expression - least, "not_negative", f"{name} is at least {least}", names)]
    if not expression.is_integer:
        out.append(Rule(remainder(expression, Integer(1)), "zero", f"{name} is a whole number", names))
    return out


def _check_text(asked: Question, there: Question, name: str) -> None:
    """Raises InputError for a dimension that the model's own text computes from this one."""
    others = {n for n, v in there.model.dimensions.items() if v != asked.model.dimensions[n]}
    for other in sorted(others - {name} - asked.model.derived):
        hint = f"give {other} a number in the model's text, or set it with --set {other}=…"
        raise error("E351", f"the model's text computes {other} from {name}", None, hint)


Branch = tuple[Stretch, tuple[Decision, ...]]
"""Decisions that lead to where no formulas are known, with the stretch whose program has them."""


def _open(found: list[Stretch]) -> list[Branch]:
    """The branches beside the known ones."""
    known = {tuple((d.condition, d.held) for d in s.decisions[: k + 1]) for s in found for k in range(len(s.decisions))}
    out: list[Branch] = []
    for stretch in found:
        for k, decision in enumerate(stretch.decisions):
            branch = (*stretch.decisions[:k], replace(decision, held=not decision.held))
            if tuple((d.condition, d.held) for d in branch) not in known:
                out.append((stretch, branch))
    return out


def _on_branch(branch: Branch, about: Varied, impossible: list[float]) -> float | None:
    """A value that is decided so; of those at which the dimensions that follow are possible."""
    stretch, decisions = branch

    def may(low: Array, high: Array) -> Array:
        return stretch.may_be_decided(decisions, low, high)

    def test(values: Array) -> Array:
        free = ~np.isin(values, impossible) & stretch.decided(decisions, values)
        return free & stretch.keeps(stretch.possible, values)

    return extreme(about.low, about.high, "smallest", may, test).value
