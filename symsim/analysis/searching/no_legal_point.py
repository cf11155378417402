"""Not one point of a space keeps the rules: of some points the one that breaks fewest, and what would fix it."""

from __future__ import annotations

import random
from dataclasses import dataclass

from symsim.analysis.evaluate import answer, evaluator
from symsim.analysis.searching.contradictions import value_text
from symsim.analysis.searching.search import Result, question_at
from symsim.analysis.searching.space import Space
from symsim.diagnostics import InputError
from symsim.loading.question import Question

TRIED = 64
"""Points that are looked at."""


@dataclass(frozen=True, slots=True)
class NearlyLegal:
    """A point, and what is said of it: the rules that it breaks, with values nearby at which they hold."""

    point: int
    problem: InputError


def advice(result: Result) -> list[str]:
    """Of a search without a legal point: how the plan that breaks fewest rules could be fixed."""
    near = nearly_legal(result.space) if not result.legal else None
    if near is None:
        return []
    choices = ", ".join(f"{n} = {value_text(v)}" for n, v in result.space.choices(near.point).items())
    out = []
    for said in near.problem.diagnostics:
        hint = f"; {said.hint}" if said.hint else ""
        out.append(f"with {choices}: {said.message.removeprefix('this plan is not possible: ')}{hint}")
    return out


def nearly_legal(space: Space) -> NearlyLegal | None:
    """``None`` where no point that was looked at has formulas."""
    draw = random.Random(0)
    points = dict.fromkeys([0, *(draw.randrange(space.points) for _ in range(TRIED - 1))])
    counted = [(count, point) for point in points if (count := _broken(space, point)) is not None]
    if not counted:
        return None
    _, point = min(counted)
    asked = question_at(space, point)
    try:
        answer(asked.model, asked.plan, None)
    except InputError as problem:
        return NearlyLegal(point, problem)
    return None


def _broken(space: Space, point: int) -> int | None:
    try:
        asked: Question = question_at(space, point)
        return len(evaluator(asked.model, asked.plan.structure).broken(asked.plan.sizes))
    except InputError:
        return None
