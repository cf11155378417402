"""The rational function around a point is what the program evaluates to there, and next to it."""

from __future__ import annotations

import numpy as np
import pytest

from symsim.analysis.solving.break_even import QUANTITY
from symsim.analysis.solving.inversion import value_of
from symsim.emit.rational_piece import (
    MAX_DEGREE,
    NotRationalError,
    Rational,
    _pow,
    _times,
    _trimmed,
    constant,
    roots,
    variable,
)
from tests.emit.test_intervals import line_of


@pytest.mark.parametrize("number", range(3))
@pytest.mark.parametrize(
    ("name", "quantity"),
    [
        ("mbs", "memory.peak"),
        ("seq", "memory.peak"),
        ("network.bandwidth", "time.iteration"),
        ("link.bandwidth", "time.iteration"),
        ("matmul.bf16", "time.iteration"),
        ("matmul.bf16", "throughput.mfu"),
        ("hbm.bandwidth", "time.iteration"),
        ("memory.capacity", "memory.peak / memory.capacity"),
    ],
)
def test_a_piece_is_what_is_evaluated(number: int, name: str, quantity: str) -> None:
    plans = line_of(number, name, quantity)
    stretch = plans.ranges[0]
    now = float(plans.about.now or 1)
    for at in (now, 2 * now):
        found = stretch.piece(QUANTITY, at)
        beside = np.array([at, at * (1 + 1e-9)])
        (values,) = stretch.run([stretch.program.outputs[QUANTITY].register], beside)
        assert [value_of(found, x) for x in beside] == pytest.approx(values, rel=1e-11)
        assert found.value == pytest.approx(values[0], rel=1e-12)


def test_a_memory_is_a_line_in_the_micro_batch_and_a_time_one_over_a_bandwidth() -> None:
    assert line_of(0, "mbs", "memory.peak").ranges[0].piece(QUANTITY, 1.0).degrees == (1, 0)
    assert line_of(0, "network.bandwidth", "time.iteration").ranges[0].piece(QUANTITY, 5e10).degrees == (1, 1)


def rational(above: tuple[float, ...], below: tuple[float, ...] = (1.0,)) -> Rational:
    return Rational(above, below, 1.0)


def test_roots_of_a_line_a_hyperbola_and_a_parabola() -> None:
    assert roots(rational((-6.0, 2.0))) == (3.0,)
    assert roots(rational((10.0, -5.0), (0.0, 1.0))) == (2.0,)
    assert roots(rational((6.0, -5.0, 1.0))) == pytest.approx((2.0, 3.0))
    assert roots(rational((1.0, 0.0, 1.0))) == ()
    assert roots(rational((2.0, 1.0))) == ()


def test_what_has_no_closed_form_is_refused() -> None:
    with pytest.raises(NotRationalError):
        roots(constant(3.0))
    with pytest.raises(NotRationalError):
        roots(rational((1.0, 0.0, 0.0, 1.0)))


def test_equal_functions_leave_nothing() -> None:
    assert variable(3.0).minus(variable(3.0)).above == (0.0,)


def test_a_polynomial_has_a_largest_degree() -> None:
    x = variable(2.0)
    assert _pow(x, constant(float(MAX_DEGREE))).degrees == (MAX_DEGREE, 0)
    assert _pow(x, constant(float(MAX_DEGREE))).value == 2.0**MAX_DEGREE
    with pytest.raises(NotRationalError):
        _times(_pow(x, constant(float(MAX_DEGREE))), x)


@pytest.mark.parametrize("exponent", [-1.0, 0.5, MAX_DEGREE + 1.0])
def test_other_powers_are_no_rational_functions(exponent: float) -> None:
    with pytest.raises(NotRationalError):
        _pow(variable(2.0), constant(exponent))


def test_coefficients_that_are_zero_at_the_end_do_not_count() -> None:
    assert _trimmed([1.0, 2.0, *[0.0] * MAX_DEGREE]) == (1.0, 2.0)
    assert _trimmed([0.0, 0.0]) == (0.0,)
    assert len(_trimmed([1.0] * (MAX_DEGREE + 1))) == MAX_DEGREE + 1
    with pytest.raises(NotRationalError):
        _trimmed([1.0] * (MAX_DEGREE + 2))


def test_a_polynomial_has_finite_coefficients() -> None:
    with pytest.raises(NotRationalError):
        _trimmed([1.0, float("inf")])
