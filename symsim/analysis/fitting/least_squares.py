"""Least squares within bounds, for a handful of unknowns: Levenberg and Marquardt's method, outliers weighed down.

Source: Marquardt 1963; the weights are those of the loss 2·(√(1 + z²) − 1).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

OUTLIER = 0.1
"""Misfit (in logarithms: 10 %) beyond which an entry counts by its size and no longer by its square."""
PULL = 1e-4
"""Weight of staying where it started, relative to one entry: decides only what the entries leave open."""
STEPS = 60
"""Most steps; fits here settle in about ten."""
SETTLED = 1e-10
"""Relative gain of a step below which it is the last."""
MOST_DAMPING = 1e8
"""Beyond it a step is too short to gain anything."""


def fitted(misfit: Callable[[Array], Array], start: Array, low: Array, high: Array) -> Array:
    """The point between ``low`` and ``high`` with the least misfit, from ``start`` downhill.

    Of points that fit alike it is the nearest to the start.
    """
    scale = np.maximum(np.abs(start), 1.0)

    def loss_at(point: Array, misfits: Array) -> float:
        robust = OUTLIER**2 * np.sum(np.sqrt(1 + (misfits / OUTLIER) ** 2) - 1)
        return float(robust + PULL / 2 * np.sum(((point - start) / scale) ** 2))

    point = np.clip(start, low, high)
    misfits = misfit(point)
    damping, loss = 1e-3, loss_at(point, misfits)
    for _ in range(STEPS):
        weights = 1 / np.sqrt(1 + (misfits / OUTLIER) ** 2)
        slopes = _slopes(misfit, point, misfits, high)
        gradient = slopes.T @ (weights * misfits) + PULL * (point - start) / scale**2
        held = ((point <= low) & (gradient > 0)) | ((point >= high) & (gradient < 0))
        curvature = (slopes.T * weights) @ slopes + np.diag(PULL / scale**2)
        gained = 0.0
        while damping < MOST_DAMPING:
            trial = np.clip(point + _step(curvature, gradient, ~held, damping), low, high)
            trial_misfits = misfit(trial)
            trial_loss = loss_at(trial, trial_misfits)
            if trial_loss < loss:
                gained = (loss - trial_loss) / loss
                point, misfits, loss = trial, trial_misfits, trial_loss
                damping /= 5
                break
            damping *= 5
        if gained < SETTLED:
            break
    return point


def _slopes(misfit: Callable[[Array], Array], point: Array, misfits: Array, high: Array) -> Array:
    columns = []
    for k, value in enumerate(point):
        change = 1e-6 * max(1.0, abs(value))
        moved = point.copy()
        moved[k] += -change if value + change > high[k] else change
        columns.append((misfit(moved) - misfits) / (moved[k] - value))
    return np.stack(columns, axis=1)


def _step(curvature: Array, gradient: Array, moving: NDArray[np.bool_], damping: float) -> Array:
    step = np.zeros_like(gradient)
    if moving.any():
        matrix = curvature[np.ix_(moving, moving)]
        scale = np.diag(np.maximum(np.diag(matrix), 1e-12))
        step[moving] = -np.linalg.solve(matrix + damping * scale, gradient[moving])
    return step
