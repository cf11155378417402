"""How sure it is that one of two plans is faster: errors of two plans of one model on one machine are partly shared.

If the predicted steps of A and B are off by a and b per cent, the ratio of their times is off by about a − b. Its
square is bar_A² + bar_B² − 2·r·bar_A·bar_B, where the correlation r = ``shared`` · exp(−d/``parting``) falls with the
distance d of the two plans, and two repeated runs of each plan add what they differ by. The ratio of the predicted
times over the root of that is read from a Student t distribution with four degrees of freedom. ``shared`` and
``parting`` are learned from pairs of measured runs (:mod:`symsim.analysis.fitting.pairs`).
"""

from __future__ import annotations

import math
from functools import lru_cache

from symsim.analysis.fitting.error_bar import Learned, learned, pct_of, shipped, unmeasured_pct
from symsim.analysis.fitting.plan_traits import Traits, differences, traits_of
from symsim.loading.question import Question

TOO_CLOSE = 0.68
"""Below this nobody should call one of two plans faster: one standard deviation."""
REPEATED_PCT = 1.0
"""Two runs of one plan differ by about this much."""


def sure_faster(first: Question, second: Question, first_s: float, second_s: float) -> float | None:
    """Probability that the first plan's step takes less time, from the predicted times of both.

    ``None`` where nothing was measured, or a plan has no machine or no time.
    """
    table, numbers = shipped(), learned()
    if table is None or numbers is None or first.system is None or second.system is None:
        return None
    if not (0 < first_s < math.inf and 0 < second_s < math.inf):
        return None
    one, other = (table.placed(traits_of(asked)) for asked in (first, second))
    bars = _bar_pct(one), _bar_pct(other)
    related = first.model == second.model and first.system == second.system
    if first.system != second.system:
        bars = (
            math.hypot(bars[0], unmeasured_pct(first.system)),
            math.hypot(bars[1], unmeasured_pct(second.system)),
        )
    error = ratio_error_pct(*bars, correlation(one, other, numbers) if related else 0.0)
    return t_below(100 * math.log(second_s / first_s) / error)


@lru_cache(256)
def _bar_pct(traits: Traits) -> float:
    """Kept, because the best plan of a search is compared with all others."""
    table, numbers = shipped(), learned()
    assert table is not None and numbers is not None
    return pct_of(traits, table, numbers)


def correlation(one: Traits, other: Traits, numbers: Learned) -> float:
    """Of the errors of two plans of one model on one machine."""
    far = sum(w * by for w, by in zip(numbers.weights, differences(one, other), strict=True))
    return numbers.shared * math.exp(-far / numbers.parting)


def ratio_error_pct(first_pct: float, second_pct: float, r: float) -> float:
    """One standard deviation of the ratio of two times, in per cent."""
    square = first_pct**2 + second_pct**2 - 2 * r * first_pct * second_pct
    return math.sqrt(square + 2 * REPEATED_PCT**2)


def t_below(x: float) -> float:
    """Student's t distribution with four degrees of freedom: probability of less than x."""
    q = 1 + x * x / 4
    return 0.5 + 3 / 8 * x / math.sqrt(q) * (1 - x * x / q / 12)
