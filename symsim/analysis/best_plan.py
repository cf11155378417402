"""The plan of a question that names no strategy: the best of a small space that follows from model and machine."""

from __future__ import annotations

from dataclasses import dataclass

from symsim.analysis.explaining.neighbours import Change
from symsim.analysis.memory_fit import CAPACITY
from symsim.analysis.searching.contradictions import value_text
from symsim.analysis.searching.derived_space import load_derived_space
from symsim.analysis.searching.nearest_infeasible import closest
from symsim.analysis.searching.no_legal_point import advice
from symsim.analysis.searching.saved_plan import inline_choices
from symsim.analysis.searching.search import Progress, search
from symsim.diagnostics import error
from symsim.loading.question import Question
from symsim.records.strategy import Value
from symsim.units import bytes_text


@dataclass(frozen=True, slots=True)
class BestPlan:
    """``question`` is the fastest feasible plan; where there is none, the legal one that misses by least; where no
    plan is legal, ``None``. ``notes`` say what was chosen, and how to choose otherwise."""

    question: Question | None
    feasible: bool
    notes: tuple[str, ...]

    @property
    def text(self) -> str | None:
        """The plan as ``-s`` takes it."""
        return None if self.question is None else inline_choices(self.question.plan)


def best_plan(model: str, system: str | None, settings: tuple[str, ...], progress: Progress | None = None) -> BestPlan:
    """Search the simple space of a model on a machine.

    Raises:
        InputError: as :func:`symsim.analysis.searching.derived_space.load_derived_space`; no machine.
    """
    if system is None:
        hint = "add -y, for example -y h100_sxm, or name a strategy with -s"
        raise error("E002", "without a strategy the plan is chosen for a machine, and none is given", None, hint)
    space, found = load_derived_space(model, system, settings, simple=True)
    result = search(space, 1, progress=progress)
    if result.plans:
        asked = result.plans[0].question
        chosen = f"no strategy was given: this is the best of {result.feasible:,} simple plans that fit"
        return BestPlan(asked, True, (*found.notes, f"{chosen}; name a plan with -s '{inline_choices(asked.plan)}'"))
    near = closest(result)
    if near is None:
        return BestPlan(None, False, tuple(advice(result)))
    asked = near.found.question
    chosen = "no strategy was given, and no simple plan fits: this is the one that misses by least"
    named = f"{chosen}; name a plan with -s '{inline_choices(asked.plan)}'"
    fixes = tuple(f"it fits with {_change(fix.change)}" for fix in near.fixes[:MOST_FIXES])
    return BestPlan(asked, False, (*found.notes, named, *fixes))


MOST_FIXES = 3
"""Changes that are listed where no plan fits: the cheapest come first."""


def _change(change: Change) -> str:
    """A change as a user writes it: ``tp = 8``, ``memory.capacity = 96.00 GiB``."""

    def text(name: str, value: Value | None) -> str:
        return bytes_text(float(value)) if name == CAPACITY and isinstance(value, int) else value_text(value)

    return ", ".join(f"{name} = {text(name, value)}" for name, value in change.items())
