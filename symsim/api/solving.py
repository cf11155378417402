"""``solve``: the largest or smallest value of one name that satisfies conditions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real
from typing import Any, Literal

from symsim.analysis.quantities import parsed
from symsim.analysis.solving import solve as solving
from symsim.analysis.solving.solution_json import document
from symsim.api.arguments import check_plan
from symsim.api.plans import Plan
from symsim.api.printing import captured
from symsim.diagnostics import error, placed

Sought = Literal["largest", "smallest"]


@dataclass(frozen=True, eq=False)
class Solution:
    """What a name may be.

    Attributes:
        plan: what was asked about.
        name: the name that was solved for.
        sought: ``largest`` or ``smallest``.
        outcome: ``found``; ``nothing`` where no legal value satisfies; ``everything`` where there is no end to them.
        value: the answer, of a figure in base units (bytes, FLOP/s, B/s, s); ``None`` unless it is found.
        method: ``closed form`` where the formulas were solved for the name too, else ``bracketing``.
    """

    plan: Plan
    name: str
    found: solving.Solution = field(repr=False)

    @property
    def sought(self) -> str:
        """``largest`` or ``smallest``."""
        return self.found.sought

    @property
    def outcome(self) -> str:
        """``found``, ``nothing`` or ``everything``."""
        return self.found.outcome

    @property
    def value(self) -> float | None:
        """The answer, of a figure in base units; ``None`` unless it is found."""
        value = self.found.value
        return int(value) if value is not None and self.found.about.whole else value

    @property
    def method(self) -> str:
        """``closed form`` or ``bracketing``."""
        return self.found.method

    @cached_property
    def changed(self) -> Plan | None:
        """The plan with the answer put in; ``None`` unless it is found."""
        value, about = self.value, self.found.about
        if value is None:
            return None
        return self.plan.changed(set={about.name: f"{value!r} {about.unit}" if about.unit else value})

    def to_dict(self) -> dict[str, Any]:
        """The document ``symsim.solve/1``."""
        return document(self.found)

    def __repr__(self) -> str:
        value, about = self.value, self.found.about
        shown = self.outcome if value is None else str(value) if about.whole else f"{value:.6g} {about.unit}".rstrip()
        return f"<Solution {self.sought} {self.name}: {shown}>"

    def __str__(self) -> str:
        from symsim.report.solution import print_solution

        return captured(print_solution, self.to_dict())

    def _repr_html_(self) -> str:
        from symsim.report.html import table

        conditions = self.to_dict()["constraints"]
        # A condition that compares no numbers has no sides.
        sides = [["" if c[side] is None else f"{c[side]:.6g}" for side in ("left", "right")] for c in conditions]
        rows = [[c["text"], *values, c["unit"]] for c, values in zip(conditions, sides, strict=True)]
        return table(["condition", "left", "right", "unit"], rows, repr(self)[1:-1])


def solve(
    plan: Plan,
    name: str,
    *,
    subject_to: Sequence[str] = (),
    sought: Sought | None = None,
    low: float | None = None,
    high: float | None = None,
) -> Solution:
    """The largest or smallest value of ``name`` at which a legal plan satisfies every condition.

    Args:
        name: a size of the strategy, a dimension of the model or a figure of the machine.
        subject_to: conditions such as ``"time.iteration <= 10 s"``. With a machine the plan also has to fit into its
            memory, unless it has ``fit="none"``; and what the strategy requires always holds.
        sought: ``largest`` or ``smallest``; without it what one wants of such a name.
        low, high: where to look; of a figure in base units.

    Raises:
        InputError: an unknown name, a condition that cannot be read, more to try than is bounded.

    >>> symsim.solve(symsim.load("llama3_70b", "tp8_pp4", "h100_sxm"), "mbs")
    <Solution largest mbs: 2>
    """
    check_plan(plan, "solve")
    if sought not in (None, "largest", "smallest"):
        raise error("E380", f"sought cannot be '{sought}'", None, "known here: largest, smallest")
    for end, value in (("low", low), ("high", high)):
        if value is not None and (not isinstance(value, Real) or isinstance(value, bool) or value != value):
            raise error("E380", f"{end} cannot be {value!r}", None, f"a number in base units: {end}=1024")
    conditions = [parsed(text, "subject_to") for text in ([subject_to] if isinstance(subject_to, str) else subject_to)]
    with placed(plan.question.plan.places):
        return Solution(plan, name, solving.solve(plan.question, name, conditions, sought, low, high))
