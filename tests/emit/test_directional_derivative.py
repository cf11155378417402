"""Derivatives along a direction: those of the formulas away from kinks, and both sides at one."""

from __future__ import annotations

import random
from typing import Any

import pytest
import sympy

from symsim.analysis.evaluate import evaluator
from symsim.emit.code import compile_scalar
from symsim.emit.derivative import derivative, partial
from symsim.emit.directional_derivative import NUDGE, along, directional
from symsim.emit.program import OPERATIONS, Program
from symsim.functions import (
    at_most,
    less,
    max_from,
    max_to,
    maximum,
    minimum,
    stage_max,
    stage_pick,
    stage_sum,
    where,
)
from symsim.symbols import symbol
from tests.emit.test_derivative import NAMES, program_of
from tests.properties.points import CASES, Case, legal_sizes, load

A, B, STAGE = (symbol(n) for n in ("hbm.bandwidth", "hbm.latency", "i"))
POINT = dict(zip(NAMES, (4.0, 2.0, 1.0, 4), strict=True))


def slope(program: Program, direction: dict[str, float], nudge: float, point: dict[str, Any], output: str = "y") -> Any:
    found = directional(program, output, NAMES)
    function = compile_scalar(found.program, [found.slope])
    given = {**point, **{along(n): v for n, v in direction.items()}, NUDGE: nudge}
    return function.run([given.get(n, 0.0) for n in function.inputs], lambda *_: 0.7)[0]


def sides(expression: sympy.Expr, name: str, **point: Any) -> tuple[float, float]:
    here = {**POINT, **point}
    below, above = (slope(program_of(expression), {name: 1.0}, n * here[name], here) for n in (-1e-9, 1e-9))
    return below, above


@pytest.mark.parametrize(
    ("expression", "below", "above"),
    [
        (maximum(A, 2 * B), 0, 1),
        (minimum(A, 2 * B), 1, 0),
        (maximum(A, 2 * B, 3 * A - 8), 0, 3),
        (maximum(A, B), 1, 1),
        (maximum(A, A**2 / 4), 1, 2),
        (minimum(2 * A, maximum(A, 2 * B) + 4), 2, 1),
        (where(less(A, 2 * B), A, 4 * B - A), 1, -1),
        (where(less(A, 2 * B), A, 3 * A), 3, 3),
        (where(minimum(at_most(A, 4), at_most(B, 4)), A, 8 - A), 1, -1),
        (where(maximum(less(A, 4), less(B, 1)), A, 8 - A), 1, -1),
        (less(4, A) * (A - 4), 0, 1),
        (less(A, 4) * (A - 4) * B, 2, 0),
        (less(4, A) * A, 0, 0),
        (stage_max(maximum(A - 4, 0) * STAGE + A), 1, 4),
        (stage_sum(maximum(A - 4, 0) * STAGE), 0, 6),
        (stage_pick(A * STAGE, minimum(STAGE, 1) * (A - 4) - maximum(STAGE - 1, 0)), 0, 1),
        (stage_sum(max_to(maximum(A, 4 * minimum(STAGE, 1)))), 1, 4),
        (stage_sum(max_from(maximum(A, 4 * minimum(STAGE, 1)))), 0, 4),
    ],
    ids=str,
)
def test_each_side_of_a_kink_follows_its_own_argument(expression: sympy.Expr, below: float, above: float) -> None:
    """A = 4, B = 2, four stages. A step, where the branches differ, stays as flat as it is."""
    assert sides(expression, "hbm.bandwidth") == (below, above)


def test_a_kink_behind_rounding_is_still_one() -> None:
    """0.1 + 0.2 is not 0.3 to the last digit."""
    sum_of = sympy.Float(0.1) + A
    assert sides(maximum(sum_of, sympy.Float(0.3)), "hbm.bandwidth", **{"hbm.bandwidth": 0.2}) == (0, 1)


def test_a_direction_may_move_several_inputs() -> None:
    program = program_of(A * B**2)
    assert slope(program, {"hbm.bandwidth": 2.0, "hbm.latency": 3.0}, 0.0, POINT) == 2 * 4 + 3 * (4 * 2 * 2)


def test_what_nothing_moves_is_flat() -> None:
    assert slope(program_of(A * B), {"link.bandwidth": 1.0}, 0.0, POINT) == 0
    assert slope(program_of(sympy.Integer(3)), {"hbm.bandwidth": 1.0}, 0.0, POINT) == 0


def test_every_operation_is_followed() -> None:
    """A kink's rule replaces one of the derivative's; none is added."""
    from symsim.emit import directional_derivative as module

    assert set(module._rules(0)) == set(OPERATIONS)


@pytest.mark.parametrize("case", CASES[::5], ids=lambda c: c.model)
def test_without_a_nudge_it_is_the_derivative(case: Case) -> None:
    """At every point, kinks included: the first of equal arguments has the word."""
    asked, compiled, machine = load(case, "h100_sxm")
    assert machine is not None
    program = evaluator(asked.model, asked.plan.structure).program
    names = ["tp", "seq", "hbm.bandwidth", "matmul.bf16", "link.bandwidth"]
    plain = derivative(program, "time.iteration", names)
    expected = compile_scalar(plain, [plain.outputs[partial("time.iteration", n)].register for n in names])
    found = directional(program, "time.iteration", program.inputs)
    function = compile_scalar(found.program, [found.slope])
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 4, seed=random.Random(case.model).randrange(99)):
        values = {**sizes, **machine.values}
        wanted = expected.run([values[n] for n in expected.inputs], machine.lookup)
        for name, value in zip(names, wanted, strict=True):
            given = {**values, along(name): 1.0, NUDGE: 0.0}
            got = function.run([given.get(n, 0.0) for n in function.inputs], machine.lookup)[0]
            assert got == pytest.approx(value, rel=1e-12)
