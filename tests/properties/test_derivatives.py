"""A derivative of any printed formula agrees with a finite difference away from kinks."""

from __future__ import annotations

import random

import pytest
import sympy

from symsim.compiler.pipeline import compile_cost
from symsim.emit.code import compile_scalar
from symsim.emit.program import assemble
from symsim.functions import REDUCTIONS, SCANS, derivative
from symsim.records.cost import CostModel, Definition
from symsim.symbols import symbol
from tests.properties.points import CASES, Case, load

pytestmark = pytest.mark.slow


def function(expression: sympy.Expr, names: tuple[str, ...]) -> object:
    cost = CostModel("one", (Definition("y", expression, "", "", "run", "sizes"),), (), names)
    program = assemble(cost)
    return compile_scalar(program, [program.outputs["y"].register])


def at(compiled: object, point: dict[str, float]) -> float:
    run, inputs = compiled.run, compiled.inputs  # type: ignore[attr-defined]
    return float(run([point[n] for n in inputs], _entry)[0])


def _entry(name: str, *dimensions: float) -> float:
    """Tables of links have an entry for everything, those of kernels for nothing: their form is differentiated."""
    return 0.7 if name.startswith(("link.", "network.")) else 0.0


@pytest.mark.parametrize("case", CASES[::2], ids=lambda c: c.model)
def test_derivative_agrees_with_a_finite_difference(case: Case) -> None:
    asked, _, _ = load(case, None)
    draw = random.Random(case.model)
    checked = 0
    for definition in compile_cost(asked.model, asked.plan.structure, details=True).definitions:
        formula = definition.expression.xreplace({symbol("i"): symbol("position")})
        if formula.has(*REDUCTIONS, *SCANS) or not formula.free_symbols:
            continue
        tables = {t.args[0] for t in formula.atoms(sympy.Function) if type(t).__name__ == "table"}
        names = tuple(sorted(str(s) for s in formula.free_symbols - tables))
        # Irrational-looking values keep clear of the kinks of ⌈⌉, [a = b] and equal arguments of max.
        point = {n: draw.uniform(2.1, 9.9) for n in names}
        name = draw.choice(names)
        step = 1e-6 * point[name]
        plain = function(formula, names)
        low, middle, high = (at(plain, {**point, name: point[name] + d}) for d in (-step, 0.0, step))
        one_sided = (high - middle) / step, (middle - low) / step
        if abs(one_sided[0] - one_sided[1]) > 1e-3 * max(map(abs, one_sided)) + 1e-9 * abs(middle) / step:
            continue
        near = (at(plain, {**point, name: point[name] + step / 64}) - middle) / (step / 64)
        if abs(near - one_sided[0]) > 1e-3 * max(abs(near), abs(one_sided[0])) + 64e-9 * abs(middle) / step:
            continue  # ⌈⌉ of a large quotient: many of its steps lie within one of ours
        exact = at(function(derivative(formula, symbol(name)), names), point)
        assert exact == pytest.approx((high - low) / (2 * step), rel=1e-4, abs=1e-7 * abs(middle) / point[name] + 1e-15)
        checked += 1
    assert checked > 100
