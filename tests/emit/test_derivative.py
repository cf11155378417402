"""Derivatives of programs: those of the formulas, and the slopes that finite differences find."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import sympy

from symsim.compiler.pipeline import compile_cost
from symsim.emit import derivative as derivatives
from symsim.emit.code import compile_array, compile_scalar
from symsim.emit.derivative import derivative, partial
from symsim.emit.program import OPERATIONS, Program, assemble, from_json, to_json
from symsim.functions import (
    REDUCTIONS,
    SCANS,
    less,
    max_from,
    max_to,
    maximum,
    minimum,
    remainder,
    stage_max,
    stage_pick,
    stage_sum,
    sum_before,
    where,
)
from symsim.functions import derivative as of_formula
from symsim.machine.bind import bind
from symsim.records.cost import CostModel, Definition
from symsim.symbols import symbol
from tests.properties.points import CASES, Case, load

A, B, C, STAGE = (symbol(n) for n in ("hbm.bandwidth", "hbm.latency", "link.bandwidth", "i"))
NAMES = ("hbm.bandwidth", "hbm.latency", "link.bandwidth", "pp")


def program_of(expression: sympy.Expr, names: tuple[str, ...] = NAMES, scope: Any = "run") -> Program:
    return assemble(CostModel("one", (Definition("y", expression, "", "", scope, "sizes"),), (), names))


def slope(program: Program, name: str, point: Mapping[str, Any], output: str = "y") -> Any:
    found = derivative(program, output, [name])
    function = compile_scalar(found, [found.outputs[partial(output, name)].register])
    return function.run([point[n] for n in function.inputs], lambda table, *dims: 0.7)[0]


def test_every_operation_has_a_rule() -> None:
    assert set(derivatives.RULES) == set(OPERATIONS)


@pytest.mark.parametrize(
    "expression",
    [A * B + A / B, A**3 / C, maximum(A * B, C), minimum(A, B * C, C / A), remainder(A * C, B),
     where(less(B, A), A * C, B * C), sympy.ceiling(A) * B, sympy.floor(A / B) + A, 5 * A - 2, A**B / C,
     sympy.log(A * B) * A],
    ids=str,
)  # fmt: skip
@pytest.mark.parametrize("by", [A, B], ids=str)
def test_is_the_derivative_of_the_formula(expression: sympy.Expr, by: sympy.Symbol) -> None:
    point = dict(zip(NAMES, (3.7, 2.3, 9.1, 1), strict=True))
    formula = of_formula(expression, by)
    plain = program_of(formula)
    function = compile_scalar(plain, [plain.outputs["y"].register])
    expected = function.run([point[n] for n in function.inputs], lambda *_: 0.7)[0]
    assert slope(program_of(expression), str(by), point) == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize(("expression", "first"), [(maximum(A, 2 * B), A), (minimum(A, 2 * B), A)], ids=str)
def test_at_a_tie_the_first_argument_counts(expression: sympy.Expr, first: sympy.Symbol) -> None:
    point = dict(zip(NAMES, (4.0, 2.0, 1.0, 1), strict=True))
    one, other = expression.args
    assert slope(program_of(expression), str(A), point) == float(one == A)
    assert slope(program_of(expression), str(B), point) == 2.0 * (one != A)
    formula = program_of(of_formula(expression, A))
    function = compile_scalar(formula, [formula.outputs["y"].register])
    assert (
        slope(program_of(expression), str(A), point)
        == function.run([point[n] for n in function.inputs], lambda *_: 0)[0]
    )
    assert other != one


def test_sum_over_the_stages() -> None:
    assert slope(program_of(stage_sum(A * STAGE**2)), "hbm.bandwidth", {"hbm.bandwidth": 2.0, "pp": 4}) == 0 + 1 + 4 + 9


def test_largest_of_the_stages_is_the_first_of_equals() -> None:
    stages = stage_max(A * minimum(STAGE, 2))
    point = dict(zip(NAMES, (3.0, 1.0, 1.0, 4), strict=True))
    assert slope(program_of(stages), "hbm.bandwidth", point) == 2
    equal_values = stage_max(minimum(STAGE, 1) * 6 + A * (1 - minimum(STAGE, 1)) * 6)
    assert slope(program_of(equal_values), "hbm.bandwidth", {**point, "hbm.bandwidth": 1.0}) == 6


def test_picked_stage_is_differentiated_where_the_key_is_largest() -> None:
    picked = stage_pick(A * STAGE, -((STAGE - 2) ** 2) * B)
    assert slope(program_of(picked), "hbm.bandwidth", dict(zip(NAMES, (3.0, 1.0, 1.0, 4), strict=True))) == 2


@pytest.mark.parametrize(
    ("scan", "slopes"),
    [(sum_before, [0, 0, 1, 3]), (max_to, [0, 1, 2, 2]), (max_from, [2, 2, 2, 1])],
    ids=["sum_before", "max_to", "max_from"],
)
def test_scans_over_the_stages(scan: Any, slopes: list[float]) -> None:
    """Of 0, A, 2·A, A: at A = 1 and for arrays alike."""
    hill = A * (2 - maximum(STAGE - 2, 2 - STAGE))
    program = program_of(scan(hill), scope="stage")
    found = derivative(program, "y", ["hbm.bandwidth"])
    register = found.outputs[partial("y", "hbm.bandwidth")].register
    function = compile_scalar(found, [register])
    point = {"hbm.bandwidth": 1.0, "pp": 4}
    assert function.run([point[n] for n in function.inputs], lambda *_: 0) == (slopes,)
    arrays = compile_array(found, [register])
    (rows,) = arrays.run([np.array([point[n], point[n]]) for n in arrays.inputs], lambda *_: 0)
    assert np.array_equal(np.broadcast_to(rows, (2, 4)), [slopes, slopes])


def test_a_name_that_is_no_input_is_refused() -> None:
    with pytest.raises(ValueError, match="not an input"):
        derivative(program_of(A), "y", ["nvlink.bandwidth"])


def test_what_a_reduction_reads_is_one_number_where_it_is_the_same_on_all_stages() -> None:
    program = program_of(stage_max(A * B))
    largest = program.outputs["y"].register
    wanted = [*program.operands(largest), largest]
    assert compile_scalar(program, wanted).run([3.0, 2.0, 4], lambda *_: 0) == (6.0, 6.0)
    assert compile_array(program, wanted).run([np.array([3.0]), np.array([2.0]), np.array([4])], lambda *_: 0) == (6, 6)


def test_a_value_that_does_not_depend_on_a_name_has_slope_zero() -> None:
    assert slope(program_of(A), "hbm.latency", {"hbm.bandwidth": 2.0}) == 0


def test_is_a_program_like_any_other() -> None:
    found = derivative(program_of(stage_sum(A * STAGE) + maximum(A, B)), "y", ["hbm.bandwidth", "hbm.latency"])
    assert from_json(to_json(found)) == found


TIMED = [CASES[k] for k in (0, 2, 3, 5, 7, 10, 11, 15)]
FIGURES = (
    "hbm.bandwidth", "hbm.efficiency", "hbm.latency", "matmul.bf16", "link.bandwidth", "network.bandwidth",
)  # fmt: skip
SIZES = ("seq", "mbs", "gbs", "tp", "world")


@pytest.mark.parametrize("case", TIMED, ids=lambda c: c.model + c.choices[:20])
def test_time_of_a_step_agrees_with_finite_differences(case: Case) -> None:
    """Figures of the machine and relaxed sizes; a point where the two sides differ is a kink."""
    asked, compiled, _ = load(case, "h100_sxm")
    program = compiled.program
    assert asked.system is not None
    machine = bind(asked.system, program.inputs, program.tables, program.figures)
    names = [n for n in (*FIGURES, *SIZES) if n in program.inputs]
    found = derivative(program, "time.iteration", names)
    registers = [found.outputs[n].register for n in ("time.iteration", *(partial("time.iteration", n) for n in names))]
    function, on_arrays = compile_scalar(found, registers), compile_array(found, registers)
    draw = random.Random(case.model)
    values = {**asked.plan.sizes, **machine.values}
    point = {n: float(v) * (1 if n in ("pp", "vp") else draw.uniform(0.97, 1.03)) for n, v in values.items()}

    def at(place: Mapping[str, float]) -> tuple[Any, ...]:
        return function.run([place[n] for n in function.inputs], machine.lookup)

    value, *slopes = at(point)
    arrays = on_arrays.run([np.array([point[n], point[n]]) for n in on_arrays.inputs], machine.lookup)
    assert np.allclose([np.broadcast_to(a, 2)[1] for a in arrays], [value, *slopes], rtol=1e-12, atol=0)
    smooth = 0
    for name, exact in zip(names, slopes, strict=True):
        step = 1e-6 * point[name]
        low, high = (at({**point, name: point[name] + d})[0] for d in (-step, step))
        right, left = (high - value) / step, (value - low) / step
        if abs(right - left) <= 1e-4 * max(abs(right), abs(left), 1e-3 * value / point[name]):
            assert exact == pytest.approx((high - low) / (2 * step), rel=1e-4, abs=1e-7 * value / point[name])
            smooth += 1
    assert smooth >= len(names) - 3


def test_the_formulas_of_a_model_differentiate_alike() -> None:
    """Every formula of a cost model without reductions, by sympy and by the program."""
    asked, _, _ = load(CASES[3], None)
    draw = random.Random(0)
    checked = 0
    for definition in compile_cost(asked.model, asked.plan.structure, details=True).definitions:
        formula = definition.expression.xreplace({symbol("i"): symbol("position")})
        if formula.has(*REDUCTIONS, *SCANS) or not formula.free_symbols:
            continue
        tables = {t.args[0] for t in formula.atoms(sympy.Function) if type(t).__name__ == "table"}
        names = tuple(sorted(str(s) for s in formula.free_symbols - tables))
        if not names:
            continue
        point = {n: draw.uniform(2.1, 9.9) for n in names}
        name = draw.choice(names)
        plain = program_of(of_formula(formula, symbol(name)), names)
        function = compile_scalar(plain, [plain.outputs["y"].register])
        expected = function.run([point[n] for n in function.inputs], lambda *_: 0.7)[0]
        assert slope(program_of(formula, names), name, point) == pytest.approx(expected, rel=1e-9, abs=1e-12)
        checked += 1
    assert checked > 100
