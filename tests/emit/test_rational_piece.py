"""The rational function around a point is what the program evaluates to there, and next to it."""

from __future__ import annotations

import numpy as np
import pytest

from symsim.analysis.solving.break_even import QUANTITY
from symsim.analysis.solving.inversion import value_of
from symsim.emit.rational_piece import NotRationalError, Rational, constant, roots, variable
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
