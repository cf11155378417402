"""The fit of a handful of unknowns."""

from __future__ import annotations

import numpy as np
import pytest

from symsim.analysis.fitting.least_squares import fitted

X = np.linspace(1, 50, 40)
NO_BOUND = np.array([np.inf, np.inf])
ZERO = np.zeros(2)


def curve(point: np.ndarray) -> np.ndarray:
    return point[0] * X / (X + point[1])


def test_finds_what_the_points_were_made_from() -> None:
    target = curve(np.array([0.8, 6.0]))
    found = fitted(lambda p: np.log(curve(p) / target), np.array([0.3, 1.0]), np.array([0.01, 0]), NO_BOUND)
    assert found == pytest.approx([0.8, 6.0], rel=1e-2)


def test_an_outlier_hardly_matters() -> None:
    target = curve(np.array([0.8, 6.0]))
    target[20] *= 3
    found = fitted(lambda p: np.log(curve(p) / target), np.array([0.3, 1.0]), np.array([0.01, 0]), NO_BOUND)
    assert found == pytest.approx([0.8, 6.0], rel=0.05)


def test_stays_within_the_bounds() -> None:
    target = curve(np.array([0.8, 6.0]))
    found = fitted(lambda p: np.log(curve(p) / target), np.array([0.3, 1.0]), ZERO + 0.01, np.array([0.5, 3.0]))
    assert (found <= [0.5, 3.0]).all() and (found >= 0.01).all()
    assert found[0] == pytest.approx(0.5)


def test_what_the_points_leave_open_stays_near_the_start() -> None:
    """Only the product of both is known: of all pairs with it, one near (2, 3) is taken."""
    found = fitted(lambda p: np.log(p[:1] * p[1:] / 7), np.array([2.0, 3.0]), ZERO + 0.01, NO_BOUND)
    assert found[0] * found[1] == pytest.approx(7, rel=1e-3)
    assert found == pytest.approx([2.0, 3.0], rel=0.15)
