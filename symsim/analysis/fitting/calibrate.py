"""Fit named constants to measured steps, and say how far the fit may be believed.

Minimised is Σ ρ(log(predicted/measured)/σ) + Σ (log(value/start)/width)²: a prediction that is twice
too long counts like one that is twice too short, and a constant stays where it was unless
measurements move it. σ, the error that is expected of a set, is what the fit itself leaves in the middle
of it. ρ is Huber's: the square, and beyond 1.5 σ a straight line, so that a run that something slowed down
does not bend the constants of all others (Huber 1964, by reweighting).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symsim.analysis.fitting.agreement import error_pct, spearman_within, summary
from symsim.analysis.fitting.constants import Constant
from symsim.analysis.fitting.gauss_newton import Array, Fit, fit
from symsim.analysis.fitting.timed_cases import Predictions, TimedCase

FIRST_ERROR = 0.05
"""Error expected of a set before anything is known of it."""
SMALLEST_ERROR = 0.01
"""No set is expected to be predicted better: repeated runs of one plan differ by about this much."""
ROUNDS = 12
"""How often the expected errors, the weights of outliers and the fit are found from one another."""
SETTLED = 1e-4
"""A round that changes the logarithm of no constant by more is the last."""
HUBER = 1.5
"""Errors of more than so many σ count in proportion, not by their square."""
OF_MEDIAN = 1.4826
"""A normal distribution's standard deviation over its median absolute deviation."""
CONFOUNDED = 0.95
"""Correlation above which the data do not tell two constants apart."""
UNINFORMED = 0.95
"""Share of the prior's width above which the data say nothing of a constant."""
MOVED = 0.1
"""Share of the prior's width by which even such a constant may have moved and is still left as it was."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fit to all cases, and one without each group of them; errors are logarithms of ratios."""

    cases: tuple[TimedCase, ...]
    constants: tuple[Constant, ...]
    factors: tuple[str, ...]
    x: Array
    """log(value/start) of each factor."""
    covariance: Array
    before: Array
    after: Array
    held_out: Array
    """Error of each case where its group was left out of the fit."""
    spread: Array
    """By refit and factor: log(value/start)."""
    expected: dict[str, float]
    """σ of each set."""
    without: tuple[Array, ...] = ()
    """By further grouping: as ``held_out``, without the case's group of it."""


def calibrate(
    cases: Sequence[TimedCase],
    constants: Sequence[Constant],
    expected: float | None = None,
    groupings: Sequence[Sequence[str]] = (),
) -> Calibration:
    """Fit, refit without each group, and predict each group without itself.

    ``expected`` is the error expected of every set; found from the fit where it is not given. ``groupings`` are
    other groups to leave out, each with a name for every case.
    """
    predictions = Predictions(cases, constants)
    of_factor = [[c for c in constants if c.factor == factor] for factor in predictions.factors]
    width = np.array([min(c.width for c in several) for several in of_factor])
    upper = np.array([min(c.upper for c in several) for several in of_factor])
    sets = sorted({case.set for case in cases})
    members = {name: np.array([case.set == name for case in cases]) for name in sets}
    sigma = dict.fromkeys(sets, FIRST_ERROR if expected is None else expected)
    weights = _weights(members, sigma)
    whole = fit(predictions, weights[None, :], width, upper, np.zeros(len(width)))
    for _ in range(ROUNDS):
        if expected is None:
            sigma = _expected(whole, members, weights)
        weights = _without_outliers(_weights(members, sigma), whole.residual[0])
        before_round = whole.x[0]
        whole = fit(predictions, weights[None, :], width, upper, before_round)
        if np.abs(whole.x[0] - before_round).max() < SETTLED:
            break
    held_out = []
    for labels in ([case.group for case in cases], *groupings):
        groups = sorted(set(labels))
        place = np.array([groups.index(label) for label in labels])
        without = np.where(place[None, :] == np.arange(len(groups))[:, None], 0.0, weights[None, :])
        refits = fit(predictions, without, width, upper, whole.x[0])
        held_out.append((refits.residual[place, np.arange(len(cases))], refits.x))
    before, _ = predictions.at(np.array([[c.stated for c in constants]]))
    (errors, spread), *others = held_out
    return Calibration(
        tuple(cases), tuple(constants), predictions.factors, whole.x[0], whole.covariance[0],
        before[0], whole.residual[0], errors, spread, sigma, tuple(found for found, _ in others),
    )  # fmt: skip


def _weights(members: dict[str, Array], sigma: dict[str, float]) -> Array:
    return sum(mask / sigma[name] for name, mask in members.items())


def _without_outliers(weights: Array, residual: Array) -> Array:
    """Huber's weights: smaller where an error is beyond so many σ."""
    beyond = np.maximum(np.abs(weights * residual) / HUBER, 1.0)
    return weights / np.sqrt(beyond)


def _expected(whole: Fit, members: dict[str, Array], weights: Array) -> dict[str, float]:
    """The error that a fit leaves in the middle of each set; cases that it was bent to do not count in full."""
    jacobian = whole.jacobian[0] * weights[:, None]
    leverage = np.einsum("ij,jk,ik->i", jacobian, whole.covariance[0], jacobian)
    out = {}
    for name, mask in members.items():
        free = max(mask.sum() - leverage[mask].sum(), 1.0)
        typical = OF_MEDIAN * float(np.median(np.abs(whole.residual[0][mask])))
        out[name] = max(typical * float(np.sqrt(mask.sum() / free)), SMALLEST_ERROR)
    return out


def document(found: Calibration, system: str, left_out: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """The document ``symsim.calibrate/1``."""
    return {
        "schema": "symsim.calibrate/1",
        "system": system,
        "fitted": len(found.factors),
        "constants": [_constant(found, k) for k in range(len(found.constants))],
        "confounded": _confounded(found),
        "sets": {name: _set(found, name) for name in found.expected},
        "cases": [
            {
                "id": case.id,
                "set": case.set,
                "quantity": case.quantity,
                "error_pct": {
                    stage: error_pct(float(np.exp(getattr(found, stage)[k])), 1)
                    for stage in ("before", "after", "held_out")
                },
            }
            for k, case in enumerate(found.cases)
        ],
        "left_out": [{"id": name, "reason": reason} for name, reason in left_out],
    }


def _constant(found: Calibration, k: int) -> dict[str, Any]:
    constant = found.constants[k]
    factor = found.factors.index(constant.factor)
    deviation = float(np.sqrt(found.covariance[factor, factor]))
    after = constant.start * float(np.exp(found.x[factor]))
    values = constant.start * np.exp(found.spread[:, factor])
    return {
        "name": constant.name,
        "unit": constant.unit,
        "before": constant.stated,
        "start": constant.start,
        "after": after,
        "relative_deviation": deviation,
        "prior_width": constant.width,
        "lowest_refit": float(values.min()),
        "highest_refit": float(values.max()),
        "factor": constant.factor,
        "informed": deviation < UNINFORMED * constant.width,
        "written": deviation < UNINFORMED * constant.width or abs(float(found.x[factor])) > MOVED * constant.width,
        "at_limit": bool(found.x[factor] >= constant.upper),
    }


def _confounded(found: Calibration) -> list[dict[str, Any]]:
    """Pairs of constants that the data move together."""
    deviation = np.sqrt(np.diag(found.covariance))
    r = found.covariance / np.outer(deviation, deviation)
    names = found.factors
    return [
        {"constants": [names[a], names[b]], "r": float(r[a, b])}
        for a in range(len(names))
        for b in range(a + 1, len(names))
        if abs(r[a, b]) > CONFOUNDED
    ]


def _set(found: Calibration, name: str) -> dict[str, Any]:
    chosen = [k for k, case in enumerate(found.cases) if case.set == name]
    out: dict[str, Any] = {
        "quantity": found.cases[chosen[0]].quantity,
        "groups": len({found.cases[k].group for k in chosen}),
        "expected_error_pct": 100 * found.expected[name],
    }
    for stage in ("before", "after", "held_out"):
        ratios = np.exp(getattr(found, stage)[chosen])
        order = spearman_within(
            (found.cases[k].ranked, float(r) * found.cases[k].measured, found.cases[k].measured)
            for k, r in zip(chosen, ratios, strict=True)
        )
        out[stage] = {**summary([error_pct(float(r), 1) for r in ratios]), "spearman": order}
    return out
