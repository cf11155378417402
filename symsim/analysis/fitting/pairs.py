"""Pairs of measured runs of one model on one machine: what their errors share, and whether the order is right."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from symsim.analysis.fitting.error_bar import Learned
from symsim.analysis.fitting.faster_of_two import REPEATED_PCT, correlation, ratio_error_pct, t_below
from symsim.analysis.fitting.plan_traits import differences
from symsim.analysis.fitting.widening import Held

SHARED = (0.0, 0.3, 0.5, 0.7, 0.8, 0.85, 0.9, 0.93, 0.95, 0.96, 0.97, 0.98, 0.99)
PARTING = (0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 3.0, 5.0)
"""Values that are tried."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two runs of different plans. ``off_pct`` is log(predicted/measured) of the one over that of the other."""

    first: Held
    second: Held
    distance: float
    off_pct: float
    predicted_pct: float
    """log of the ratio of predicted GPU time for a token, in per cent."""
    weight: float
    """Pairs of one model on one machine count as the root of their number."""


def pairs_of(held: Iterable[Held], weights: Sequence[float]) -> list[Pair]:
    """All pairs within each model, machine and set whose plans differ."""
    groups: dict[tuple[str, str], list[Held]] = {}
    for one in held:
        groups.setdefault((one.run.set, one.run.model), []).append(one)
    found: list[Pair] = []
    for members in groups.values():
        both = []
        for a, b in combinations(members, 2):
            far = sum(w * by for w, by in zip(weights, differences(a.run.traits, b.run.traits), strict=True))
            if far > 0:
                off = 100 * math.log((1 + a.error_pct / 100) / (1 + b.error_pct / 100))
                both.append((a, b, far, off, 100 * math.log(a.run.gpu_us_per_token / b.run.gpu_us_per_token)))
        found += [Pair(*pair, weight=1 / math.sqrt(len(both))) for pair in both]
    return found


def learn_shared(pairs: Sequence[Pair]) -> tuple[float, float]:
    """``shared`` and ``parting`` under which the pairs' errors are likeliest."""
    columns = [[p.first.bar_pct, p.second.bar_pct, p.distance, p.off_pct, p.weight] for p in pairs]
    a, b, far, off, weight = np.array(columns).T

    def score(shared: float, parting: float) -> float:
        squares = a**2 + b**2 - 2 * shared * np.exp(-far / parting) * a * b + 2 * REPEATED_PCT**2
        return float((weight * (-0.5 * np.log(squares) - 2.5 * np.log1p(off**2 / squares / 4))).sum())

    return max(((s, p) for s in SHARED for p in PARTING), key=lambda both: score(*both))


def surety(pair: Pair, numbers: Learned) -> tuple[float, bool]:
    """How sure it is which of two plans is faster, from one half up, and whether that was right."""
    r = correlation(pair.first.run.traits, pair.second.run.traits, numbers)
    error = ratio_error_pct(pair.first.bar_pct, pair.second.bar_pct, r)
    measured = pair.predicted_pct - pair.off_pct
    return t_below(abs(pair.predicted_pct) / error), measured * pair.predicted_pct > 0
