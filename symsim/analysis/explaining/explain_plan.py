"""A plan explained as a whole: its answer with moments, what fixes it, what makes it faster, what lowers its peak."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.explaining.explain import Subject, explanation
from symsim.analysis.explaining.neighbours import lower
from symsim.analysis.explaining.repair import repairs
from symsim.analysis.explaining.speedup import speedups
from symsim.analysis.memory_fit import memory_fit
from symsim.analysis.requirements import broken_requirements
from symsim.diagnostics import placed
from symsim.loading.question import Question


@dataclass(frozen=True, slots=True)
class Explained:
    """The document ``symsim.explain/1``; ``possible``: the plan fits and breaks no requirement."""

    document: dict[str, Any]
    possible: bool


def explain_plan(
    asked: Question,
    of: Subject = "all",
    stage: int | None = None,
    look_lower: bool = False,
    look_faster: bool = False,
    tell: Callable[[str], None] | None = None,
) -> Explained:
    """Explain a plan; ``tell`` hears which other plan is looked at.

    Raises:
        InputError: an impossible plan, a stage that there is not, or time without a machine.
    """
    with placed(asked.plan.places):
        machine = machine_of(asked, moments=True)
        found = answer(asked.model, asked.plan, machine, moments=True)
    fixes = repairs(asked, found, tell)
    faster = speedups(asked, found, look_faster, tell) if of != "memory" and fixes is None else None
    nearby = lower(asked, found) if look_lower else None
    document = explanation(asked, found, stage, nearby, machine, of, fixes, faster)
    lacking = broken_requirements(asked)
    document["warnings"] += [f"a requirement of the strategy is broken: {text}" for text in lacking]
    return Explained(document, memory_fit(asked, found.values).fits is not False and not lacking)
