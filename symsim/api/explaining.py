"""``explain``: why a plan does not fit, what it takes, what would fix it and what would make it faster."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symsim.analysis.explaining.explain import Subject
from symsim.analysis.explaining.explain_plan import explain_plan
from symsim.api.arguments import check_plan
from symsim.api.plans import Plan
from symsim.api.printing import captured


@dataclass(frozen=True, eq=False)
class Explanation:
    """What a plan takes, and which changes help.

    Attributes:
        plan: what was explained.
        possible: whether it fits and breaks no requirement.
    """

    plan: Plan
    possible: bool
    document: Mapping[str, Any] = field(repr=False)

    @property
    def memory(self) -> dict[str, Any] | None:
        """``memory`` of the document: the moment of the peak and what is alive then; ``None`` for time alone."""
        return self.document["memory"]  # type: ignore[no-any-return]

    @property
    def time(self) -> dict[str, Any] | None:
        """``time`` of the document: what takes the step; ``None`` without a machine, or for memory alone."""
        return self.document["time"]  # type: ignore[no-any-return]

    @property
    def fixes(self) -> Sequence[dict[str, Any]]:
        """Changes that make the plan fit and meet its requirements, the fastest first; empty where nothing is wrong."""
        found = self.document["repairs"] or {"single": [], "pairs": []}
        return tuple(found["single"] or found["pairs"])

    @property
    def speedups(self) -> Sequence[dict[str, Any]]:
        """Changes, and pairs of them, with a shorter step that fit, the fastest first. ``slower`` is negative."""
        found = self.document["speedups"] or {"single": [], "pairs": []}
        return tuple(sorted((*found["single"], *found["pairs"]), key=lambda change: change["slower"]))

    def to_dict(self) -> dict[str, Any]:
        """The document ``symsim.explain/1`` that ``symsim explain --json`` prints (docs/explain.md)."""
        return dict(self.document)

    def __repr__(self) -> str:
        state = "possible" if self.possible else f"not possible, {len(self.fixes)} fixes"
        return f"<Explanation of {self.plan.model} · {self.plan.strategy}: {state}, {len(self.speedups)} speedups>"

    def __str__(self) -> str:
        from symsim.report.explanation import print_explanation

        return captured(print_explanation, self.to_dict())

    def _repr_html_(self) -> str:
        from symsim.report.html import table
        from symsim.report.repair import change_text
        from symsim.units import bytes_text

        changes = self.fixes or self.speedups
        rows = [
            [
                change_text(c["change"]),
                bytes_text(c["peak_bytes"]),
                "" if c["slower"] is None else f"{100 * c['slower']:+.1f} %",
            ]
            for c in changes
        ]
        return table(["change", "peak", "step time"], rows, repr(self)[1:-1])


def explain(
    plan: Plan, of: Subject = "all", *, stage: int | None = None, lower: bool = False, faster: bool = False
) -> Explanation:
    """Explain the peak of memory and the time of a step; what fixes the plan, and what makes it faster.

    Args:
        of: ``memory``, ``time`` or ``all``; without a machine all is memory.
        stage: the pipeline stage whose memory to explain; the one with the peak if left out.
        lower: also single changes that lower the peak.
        faster: try every change of the strategy and pairs of them, not sizes and overlap alone.

    Raises:
        InputError: an impossible plan, a stage that there is not, time without a machine.

    >>> found = symsim.explain(symsim.load("llama3_70b", "tp8_pp4", "h100_sxm"), "time")
    >>> best = found.speedups[0]
    >>> best["change"], round(best["slower"], 3)
    ({'tp': 4}, -0.115)
    """
    explained = explain_plan(check_plan(plan, "explain").question, of, stage, lower, faster)
    return Explanation(plan, explained.possible, explained.document)
