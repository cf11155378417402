"""The extreme real number that satisfies conditions: bracketed, then solved for, or halved to the last digits.

Ranges that bounds rule out are left out whole, so nothing beyond the bracket satisfies, down to ranges
of :data:`NARROW`. Within it the condition that binds is solved in closed form where the formulas allow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from symsim.analysis.one_parameter import Sought
from symsim.analysis.solving.extreme import PARTS, MayHold, Test
from symsim.diagnostics import error

NARROW = 1e-7
"""Relative width of a range that is split no further."""
MAX_RANGES = 20_000
"""Most ranges that are looked at."""
EXACT = 1e-13
"""Relative width at which halving ends."""


@dataclass(frozen=True, slots=True)
class Bracket:
    """``holds`` satisfies; ``fails``, next to it on the sought side, does not: ``None`` at the end of the range."""

    holds: float
    fails: float | None
    ranges: int


def bracket(low: float, high: float, sought: Sought, may_hold: MayHold, test: Test) -> Bracket | None:
    """The narrow range in which the conditions begin to hold; ``None`` where they hold nowhere.

    Raises:
        InputError: too many ranges that no bound rules out.
    """
    flip = sought == "largest"
    ranges = 0
    pending = [(low, high)]
    while pending:
        begin, end = pending.pop()
        near, far = (end, begin) if flip else (begin, end)
        near_holds, far_holds = test(np.array([near, far]))
        ranges += 1
        if near_holds:
            return Bracket(near, None, ranges)
        if end - begin <= NARROW * end:
            if far_holds:
                return Bracket(far, near, ranges)
            continue
        if ranges > MAX_RANGES:
            hint = "give --from and --to around the values of interest"
            raise error("E352", f"more than {MAX_RANGES:,} ranges would have to be looked at", None, hint)
        edges = np.geomspace(begin, end, PARTS + 1)
        edges[0], edges[-1] = begin, end
        may = may_hold(edges[:-1], edges[1:])
        left = [(float(a), float(b)) for a, b, keep in zip(edges[:-1], edges[1:], may, strict=True) if keep]
        pending += left if flip else left[::-1]
    return None


def halved(holds: float, fails: float, test: Callable[[float], bool]) -> float:
    """The last number that satisfies, to :data:`EXACT`, between one that does and one that does not."""
    while abs(holds - fails) > EXACT * abs(holds):
        middle = (holds + fails) / 2
        if middle in (holds, fails):
            break
        if test(middle):
            holds = middle
        else:
            fails = middle
    return holds
