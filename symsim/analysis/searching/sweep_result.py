"""What came of a part of a space: counts, the best plans, and what is wrong with the others."""

from __future__ import annotations

from dataclasses import dataclass, field

from symsim.analysis.searching.legal_points import Tally
from symsim.analysis.searching.ranking import Front, Ranking
from symsim.analysis.searching.space import Refused
from symsim.analysis.searching.variant_columns import Asked
from symsim.diagnostics import InputError


@dataclass(slots=True)
class SweepResult:
    """What came of a unit; :meth:`add` puts units together, in any order."""

    tally: Tally
    ranking: Ranking
    front: Front | None
    problems: dict[str, InputError] = field(default_factory=dict)
    variants: int = 0

    @staticmethod
    def nothing(asked: Asked) -> SweepResult:
        front = Front.empty(len(asked.pareto)) if asked.pareto else None
        return SweepResult(Tally(), Ranking.empty(asked.best, OUTCOMES), front)

    def add(self, other: SweepResult) -> None:
        self.tally.add(other.tally)
        self.ranking.offer(other.ranking.outcomes, other.ranking.points)
        if self.front is not None and other.front is not None:
            self.front.offer(other.front.outcomes, other.front.points)
        for message, problem in other.problems.items():
            self.problems[message] = min(problem, self.problems.get(message, problem), key=InputError.render)
        self.variants += other.variants

    def refuse(self, refused: Refused) -> None:
        """Choices that contradict each other, and all points that have them."""
        message = refused.problem.diagnostics[0].message
        self.tally.removed[message] += refused.points
        self.problems.setdefault(message, refused.problem)


OUTCOMES = 3
"""The objective, the time of a step and the peak of memory: plans that agree in them are one plan in other words."""
