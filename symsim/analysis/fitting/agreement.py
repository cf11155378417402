"""How well predictions agree with what was measured: errors in per cent, and rank correlation."""

from __future__ import annotations

import math
import statistics
from collections.abc import Hashable, Iterable, Sequence

FEWEST_RANKED = 3
"""Cases below which an order says nothing."""


def error_pct(predicted: float, measured: float) -> float:
    return 100 * (predicted / measured - 1)


def summary(errors: Sequence[float]) -> dict[str, float]:
    """Size and direction of some errors in per cent."""
    return {
        "n": len(errors),
        "mean_abs_pct": statistics.fmean(map(abs, errors)),
        "median_abs_pct": statistics.median(map(abs, errors)),
        "max_abs_pct": max(map(abs, errors)),
        "bias_pct": statistics.fmean(errors),
        "within_1_pct": 100 * sum(abs(e) <= 1 for e in errors) / len(errors),
        "within_5_pct": 100 * sum(abs(e) <= 5 for e in errors) / len(errors),
    }


def spearman(pairs: Sequence[tuple[float, float]]) -> float | None:
    """Rank correlation of two quantities; ties take their mean rank. ``None`` where one does not vary."""
    first, second = (_ranks([p[k] for p in pairs]) for k in (0, 1))
    middle = (len(pairs) + 1) / 2
    together = sum((a - middle) * (b - middle) for a, b in zip(first, second, strict=True))
    spread = math.prod(sum((r - middle) ** 2 for r in ranks) for ranks in (first, second))
    return together / math.sqrt(spread) if spread > 0 else None


def spearman_within(cases: Iterable[tuple[Hashable, float, float]]) -> float | None:
    """Rank correlation of (group, predicted, measured) inside each group, in the mean over the cases.

    Values of different models or machines are far apart whatever the predictions, so only cases of one
    group are ordered. Groups too small to have an order are left out.
    """
    groups: dict[Hashable, list[tuple[float, float]]] = {}
    for group, predicted, measured in cases:
        groups.setdefault(group, []).append((predicted, measured))
    found = [(len(g), r) for g in groups.values() if len(g) >= FEWEST_RANKED and (r := spearman(g)) is not None]
    ranked = sum(n for n, _ in found)
    return sum(n * r for n, r in found) / ranked if ranked else None


def _ranks(values: Sequence[float]) -> list[float]:
    """Rank of each value from 1, equal ones at the mean of their places."""
    order = sorted(values)
    first = {v: k for k, v in reversed(list(enumerate(order, 1)))}
    last = {v: k for k, v in enumerate(order, 1)}
    return [(first[v] + last[v]) / 2 for v in values]
