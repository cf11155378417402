"""The solver against closed forms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symsim.analysis.fitting.gauss_newton import fit

DRAW = np.random.default_rng(4)
SLOPES, GIVEN = DRAW.normal(size=(12, 3)), DRAW.normal(size=12)
WIDTH, FREE = np.array([0.3, 1.0, 2.0]), np.full(3, np.inf)


def linear(x: Any) -> tuple[Any, Any]:
    return x @ SLOPES.T - GIVEN, np.broadcast_to(SLOPES, (len(x), *SLOPES.shape)).copy()


def ridge(weights: Any) -> Any:
    weighted = SLOPES * weights[:, None]
    return np.linalg.solve(weighted.T @ weighted + np.diag(WIDTH**-2), weighted.T @ (GIVEN * weights))


def test_linear_problem_is_ridge_regression_with_its_covariance() -> None:
    weights = DRAW.uniform(0.5, 2, size=(1, 12))
    found = fit(linear, weights, WIDTH, FREE, np.zeros(3))
    assert found.x[0] == pytest.approx(ridge(weights[0]), rel=1e-7)
    weighted = SLOPES * weights[0][:, None]
    assert found.covariance[0] == pytest.approx(np.linalg.inv(weighted.T @ weighted + np.diag(WIDTH**-2)))


def test_problems_side_by_side_do_not_touch_each_other() -> None:
    weights = np.ones((12, 12)) - np.eye(12)
    found = fit(linear, weights, WIDTH, FREE, np.zeros(3))
    for k in range(12):
        assert found.x[k] == pytest.approx(ridge(weights[k]), rel=1e-6, abs=1e-9)


def test_without_data_everything_stays() -> None:
    found = fit(linear, np.zeros((1, 12)), WIDTH, FREE, np.zeros(3))
    assert np.all(found.x == 0)
    assert found.covariance[0] == pytest.approx(np.diag(WIDTH**2))


def test_a_limit_holds_and_the_rest_is_best_below_it() -> None:
    free = ridge(np.ones(12))
    highest = int(np.argmax(free))
    upper = np.where(np.arange(3) == highest, free[highest] - 0.1, np.inf)
    found = fit(linear, np.ones((1, 12)), WIDTH, upper, np.zeros(3)).x[0]
    assert found[highest] == upper[highest]
    others = [k for k in range(3) if k != highest]
    slope = SLOPES.T @ (SLOPES @ found - GIVEN) + found / WIDTH**2
    assert slope[others] == pytest.approx(0, abs=1e-6)
    assert slope[highest] < 0


def test_a_curved_problem_reaches_its_minimum() -> None:
    def curved(x: Any) -> tuple[Any, Any]:
        inner = x @ SLOPES.T
        return np.exp(inner) - np.exp(SLOPES @ [0.2, -0.5, 0.4]), np.exp(inner)[..., None] * SLOPES

    found = fit(curved, np.full((1, 12), 1e4), WIDTH, FREE, np.zeros(3))
    assert found.x[0] == pytest.approx([0.2, -0.5, 0.4], abs=1e-6)
