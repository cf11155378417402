"""The largest or smallest value of one name that satisfies conditions.

Whole numbers are tried one by one from the sought end, ranges left out that bounds of the formulas rule
out, so the answer is the extreme of all legal values. Real numbers are bracketed likewise. Where the
condition that binds is a short rational function of the name there, it is solved for the name too; the
answer says whether it comes from that or from the bracket alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, nextafter
from typing import Literal

import numpy as np

from symsim.analysis.one_parameter import Parameter, Sought, parameter, setting
from symsim.analysis.solving.bracketing import bracket, halved
from symsim.analysis.solving.condition import Condition, conditions, with_conditions
from symsim.analysis.solving.extreme import Array, extreme
from symsim.analysis.solving.inversion import Inverse, inverse
from symsim.analysis.solving.parameter_ranges import ParameterRanges, parameter_ranges
from symsim.analysis.solving.plan_at_value import Checked, PlanAt, plan_at
from symsim.diagnostics import InputError
from symsim.language import tree
from symsim.loading.question import Question

Method = Literal["closed form", "bracketing"]
Outcome = Literal["found", "nothing", "everything"]

NEIGHBOUR_STEP = 1e-9
"""How far from a real answer the conditions are shown, as a share of it."""
MOST_ROUNDINGS = 8
"""How often an answer may turn out to be one of rounding."""
MOST_LOOKED_AT = 4096
"""Values that are tried to see whether the conditions hold everywhere up to the answer."""


@dataclass(frozen=True, slots=True)
class Solution:
    """What was asked and what was found.

    ``at`` is the plan at the answer; ``neighbour`` the next legal one, which breaks a condition (``None`` where
    there is none). ``outcome`` ``nothing``: no legal value satisfies, and ``neighbour`` is the one that comes
    nearest; ``everything``: there is no end to the values that do, and ``at`` is the last that was looked at.
    ``tried`` counts plans, ``ruled_out`` ranges that bounds left out. ``gap`` is a value on the other side
    of the answer that breaks a condition, where the values that satisfy are no single range; ``depends``
    says whether any condition does on the name.
    """

    asked: Question
    about: Parameter
    sought: Sought
    outcome: Outcome
    at: PlanAt | None
    neighbour: PlanAt | None
    method: Method
    inverse: Inverse | None
    tried: int
    ruled_out: int
    gap: float | None
    depends: bool

    @property
    def value(self) -> float | None:
        """The answer; in base units of a figure."""
        return self.at.value if self.outcome == "found" and self.at is not None else None

    @property
    def setting(self) -> str:
        """``--set …`` that asks for the plan of the answer."""
        return setting(self.about, self.at.value, self.asked) if self.at is not None else ""


def solve(
    asked: Question,
    name: str,
    constraints: Sequence[tree.Expression] = (),
    sought: Sought | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Solution:
    """The extreme value of ``name`` at which a legal plan satisfies every condition.

    ``name`` is a size of the strategy, a dimension of the model or a figure of the machine; without
    ``constraints`` the plan has to fit into the machine's memory. What the strategy requires always holds.

    Raises:
        InputError: an unknown name, a condition that cannot be read, or more to try than is bounded.
    """
    about = parameter(asked, name, low, high)
    wanted = conditions(asked, constraints)
    plans = parameter_ranges(asked, about, partial(with_conditions, wanted=wanted))
    way = sought or about.sought
    find = _whole if about.whole else _real
    return find(plans, wanted, way)


def _whole(plans: ParameterRanges, wanted: tuple[Condition, ...], way: Sought) -> Solution:
    asked, about, labels = plans.asked, plans.about, [c.label for c in wanted]
    depends = any(s.depends(labels) for s in plans.ranges)
    verdicts: dict[float, bool] = {}

    def test(values: Array) -> Array:
        """Arrays are of floating-point numbers; where a plan by itself rounds otherwise, the plan counts."""
        found = plans.holds(labels, values)
        for value, verdict in verdicts.items():
            found[values == value] = verdict
        return found

    for _ in range(MOST_ROUNDINGS):
        found = extreme(about.low, about.high, way, partial(plans.may_hold, labels), test)
        following = None if found.value is None else _next_legal(plans, found.value, way)
        at = None if found.value is None else plan_at(asked, about, wanted, found.value)
        neighbour = None if following is None else plan_at(asked, about, wanted, following)
        if (at is None or at.satisfied) and (neighbour is None or not neighbour.satisfied):
            break
        verdicts |= {p.value: p.satisfied for p in (at, neighbour) if p is not None}
    counts = (found.tested, found.ruled_out)
    if at is None:
        nearest = _nearest(plans, wanted)
        return Solution(asked, about, way, "nothing", None, nearest, "bracketing", None, *counts, None, depends)
    if following is None and way == "largest" and not about.bounded and _goes_on(plans):
        return Solution(asked, about, way, "everything", at, None, "bracketing", None, *counts, None, depends)
    solved = inverse(plans, wanted, at.value, following) if following is not None else None
    gap = _gap(plans, labels, at.value, way)
    method: Method = "closed form" if solved is not None else "bracketing"
    return Solution(asked, about, way, "found", at, neighbour, method, solved, *counts, gap, depends)


def _next_legal(plans: ParameterRanges, value: float, way: Sought) -> float | None:
    """The next legal value on the sought side."""
    about = plans.about
    low, high = (value + 1, about.high) if way == "largest" else (about.low, value - 1)
    near: Sought = "smallest" if way == "largest" else "largest"
    return extreme(low, high, near, partial(plans.may_hold, []), partial(plans.holds, [])).value


def _goes_on(plans: ParameterRanges) -> bool:
    """Whether plans beyond the range would be legal."""
    high = plans.about.high
    beyond = extreme(high + 1, 2 * high, "smallest", partial(plans.may_hold, []), partial(plans.holds, []))
    return beyond.value is not None


def _gap(plans: ParameterRanges, labels: list[str], value: float, way: Sought) -> float | None:
    """A legal value within the answer that breaks a condition, of those that are quickly found."""

    def broken(values: Array) -> Array:
        return plans.holds([], values) & ~plans.holds(labels, values)

    low, high = (plans.about.low, value - 1) if way == "largest" else (value + 1, plans.about.high)
    try:
        return extreme(low, high, way, partial(plans.may_break, labels), broken, MOST_LOOKED_AT).value
    except InputError:
        return None


def _nearest(plans: ParameterRanges, wanted: tuple[Condition, ...]) -> PlanAt | None:
    """Of the first, the last and the present legal value the one at which least is missing."""
    about = plans.about
    ends = (_end(plans, "smallest"), _end(plans, "largest"), about.now)
    values = [v for v in dict.fromkeys(ends) if v is not None and about.low <= v <= about.high]
    values = [v for v in values if plans.holds([], np.array([v]))[0]]
    plans_there = [plan_at(plans.asked, about, wanted, v) for v in values]
    return min(plans_there, key=lambda p: (sum(not c.holds for c in p.checked), _missing(p.checked)), default=None)


def _end(plans: ParameterRanges, way: Sought) -> float | None:
    about = plans.about
    if not about.whole:
        return about.low if way == "smallest" else about.high
    return extreme(about.low, about.high, way, partial(plans.may_hold, []), partial(plans.holds, [])).value


def _missing(checked: Sequence[Checked]) -> float:
    return max((c.missing for c in checked if not c.holds), default=0.0)


def _real(plans: ParameterRanges, wanted: tuple[Condition, ...], way: Sought) -> Solution:
    about, labels = plans.about, [c.label for c in wanted]
    depends = any(s.depends(labels) for s in plans.ranges)
    found = bracket(about.low, about.high, way, partial(plans.may_hold, labels), partial(plans.holds, labels))

    def solution(outcome: Outcome, value: float | None, fails: float | None, solved: Inverse | None = None) -> Solution:
        at = None if value is None else plan_at(plans.asked, about, wanted, value)
        if outcome == "nothing":
            neighbour = _nearest(plans, wanted)
        else:
            neighbour = None if fails is None else plan_at(plans.asked, about, wanted, fails)
        method: Method = "closed form" if solved is not None else "bracketing"
        tried = 0 if found is None else found.ranges
        return Solution(plans.asked, about, way, outcome, at, neighbour, method, solved, tried, 0, None, depends)

    if found is None:
        return solution("nothing", None, None)
    if found.fails is None:
        at_end = about.bounded and way == "largest"
        return solution("found" if at_end else "everything", found.holds, None)

    def holds(value: float) -> bool:
        return plan_at(plans.asked, about, wanted, value).satisfied

    solved = inverse(plans, wanted, found.holds, found.fails)
    outward = -inf if way == "smallest" else inf
    if solved is not None:
        value = _feasible(solved.root, -outward, holds)
        if value is not None and not holds(_neighbour(value, way)):
            return solution("found", value, _neighbour(value, way), solved)
    value = halved(found.holds, found.fails, holds)
    return solution("found", value, _neighbour(value, way))


def _neighbour(value: float, way: Sought) -> float:
    return value * (1 + NEIGHBOUR_STEP) if way == "largest" else value * (1 - NEIGHBOUR_STEP)


ROUNDINGS = 64
"""Steps of the last digit by which a root may miss the side on which the conditions hold."""


def _feasible(root: float, towards: float, holds: Callable[[float], bool]) -> float | None:
    """The root, or a number that differs in the last digits, on the side on which the conditions hold."""
    value = root
    for step in range(ROUNDINGS):
        if holds(value):
            return value
        for _ in range(1 + step):
            value = nextafter(value, towards)
    return None
