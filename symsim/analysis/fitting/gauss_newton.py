"""Regularised least squares, many problems at a time.

The problems share their residuals and differ in which of them count: the whole data and every
leave-one-group-out refit are solved side by side, each residual evaluated once for all of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any
"""A numpy array of floats."""

Residuals = Callable[[Array], tuple[Array, Array]]
"""``residuals(x[problem, parameter])`` → residual[problem, datum] and its derivative[problem, datum, parameter]."""

MOST_STEPS = 100
LONGEST_STEP = 0.7
"""Most by which a parameter changes in one step: linear models are believed no further than a factor of 2."""
SMALLEST_STEP = 1e-7
SMALLEST_GAIN = 1e-7
"""Share of the cost that a step is worth taking for: along a kink of the residuals steps get ever smaller."""
IDLE_STEPS = 1
"""So many steps in a row that were not are the last."""
FIRST_DAMPING = 1e-3
MOST_DAMPING = 1e5
DAMPING_FACTOR = 6.0


@dataclass(frozen=True, slots=True)
class Fit:
    """The solution of each problem: parameters, residuals and derivatives there, inverse of the curvature."""

    x: Array
    residual: Array
    jacobian: Array
    covariance: Array


def fit(residuals: Residuals, weights: Array, width: Array, upper: Array, start: Array) -> Fit:
    """Minimise Σ (weight·residual)² + Σ (x/width)² for each row of ``weights[problem, datum]``.

    Levenberg's and Marquardt's damped Gauss-Newton; x stays at or below ``upper``, and is 0 where the
    prior has it. ``width`` is its standard deviation, so the covariance is that of the posterior where
    a weight is one over the standard deviation of its residual.
    """
    x = np.broadcast_to(start, (len(weights), len(width))).copy()
    residual, jacobian = residuals(x)
    cost = _cost(x, residual, weights, width)
    damping = np.full(len(weights), FIRST_DAMPING)
    idle = np.zeros(len(weights), int)
    moving = np.arange(len(weights))
    for _ in range(MOST_STEPS):
        if not moving.size:
            break
        curvature, slope = _normal(x[moving], residual[moving], jacobian[moving], weights[moving], width)
        step = _step(curvature, slope, damping[moving], x[moving], upper)
        tried = np.minimum(x[moving] + step, upper)
        there, derivative = residuals(tried)
        now = _cost(tried, there, weights[moving], width)
        better = now <= cost[moving]
        gained = cost[moving] - now
        taken = moving[better]
        x[taken], residual[taken], jacobian[taken], cost[taken] = (
            tried[better],
            there[better],
            derivative[better],
            now[better],
        )
        damping[moving] *= np.where(better, 1 / DAMPING_FACTOR, DAMPING_FACTOR)
        settled = np.abs(step).max(-1) < SMALLEST_STEP
        idle[moving] = np.where(better & (gained < SMALLEST_GAIN * now), idle[moving] + 1, 0)
        settled |= idle[moving] >= IDLE_STEPS
        moving = moving[~(settled | (damping[moving] > MOST_DAMPING))]
    curvature, _ = _normal(x, residual, jacobian, weights, width)
    return Fit(x, residual, jacobian, np.linalg.inv(curvature))


def _cost(x: Array, residual: Array, weights: Array, width: Array) -> Array:
    found = ((weights * residual) ** 2).sum(-1) + ((x / width) ** 2).sum(-1)
    return np.where(np.isfinite(found), found, np.inf)


def _normal(x: Array, residual: Array, jacobian: Array, weights: Array, width: Array) -> tuple[Array, Array]:
    """Half the second and half the first derivative of the cost, by Gauss's approximation."""
    weighted = weights[..., None] * jacobian
    curvature = np.swapaxes(weighted, -1, -2) @ weighted + np.diag(1 / width**2)
    slope = (weighted * (weights * residual)[..., None]).sum(-2) + x / width**2
    return curvature, slope


def _step(curvature: Array, slope: Array, damping: Array, x: Array, upper: Array) -> Array:
    """The damped Gauss-Newton step; a parameter that leans on its limit rests."""
    free = ~((x >= upper) & (slope < 0))
    diagonal = np.einsum("fii->fi", curvature)
    damped = curvature + (damping[:, None] * diagonal)[..., None] * np.eye(curvature.shape[-1])
    both = free[:, :, None] & free[:, None, :]
    solved = np.linalg.solve(np.where(both, damped, np.eye(curvature.shape[-1])), (free * slope)[..., None])[..., 0]
    return np.clip(-solved, -LONGEST_STEP, LONGEST_STEP)
