"""Search a space whole: every legal plan is evaluated or shown to be behind, the best are answered in full.

The space is parted into units of structural variants (:mod:`symsim.analysis.sweep`); an engine runs them
(:mod:`symsim.analysis.engines`); what they find is merged. The plans that come out on top are evaluated once more
one by one, as ``eval`` does it, so that every figure printed is the one that ``eval`` prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symsim.analysis.evaluate import Answer, Evaluator, evaluator
from symsim.analysis.load import Question
from symsim.analysis.plan import plan
from symsim.analysis.quantities import asked_for, machine_for, parsed
from symsim.analysis.ranking import rounded
from symsim.analysis.space import Refused, Space, Variant, objective_of, variants
from symsim.analysis.sweep import Asked, Swept, sweep
from symsim.diagnostics import error
from symsim.language import tree
from symsim.records.strategy import Value

FITS = "memory.peak <= memory.capacity"
"""What every plan on a machine must meet, whether the strategy says so or not."""

UNIT = 24
"""Structural variants that one process sweeps together: formulas that they share are computed once."""

SPARE = 16
"""Plans kept beside those asked for: what arrays found equal to 12 digits is told apart by scalars."""

LARGER_IS_BETTER = ("throughput.", "mfu", "hfu")
"""Beginnings of outputs that a Pareto front wants large; all others small, unless ``-`` stands before them."""


@dataclass(frozen=True, slots=True)
class Found:
    """One plan of the answer: its number in the space, its choices, and all outputs of its formulas."""

    point: int
    choices: Mapping[str, Value | None]
    question: Question
    answer: Answer
    objective: float
    front: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """``plans`` best first. ``front`` is ``None`` where none was asked for.

    ``points`` = ``legal`` + illegal ones; ``legal`` = ``feasible`` + those that break a requirement; what each
    rule and requirement removed is in ``removed``. ``bounded`` legal points were shown to be behind without being
    evaluated in full.
    """

    space: Space
    objective: tree.Objective
    points: int
    legal: int
    feasible: int
    bounded: int
    removed: Mapping[str, int]
    plans: tuple[Found, ...]
    front: tuple[Found, ...] | None
    pareto: tuple[str, ...]
    variants: int
    elapsed_s: float


Progress = Callable[[int, int, int], None]
"""``progress(variants done, variants, legal points so far)``."""

Engine = Callable[[Space, Sequence[Sequence[Variant | Refused]], Asked, Callable[[Swept], None]], None]
"""Sweeps units and hands what each found to a function, in any order."""


def search(
    space: Space,
    top: int = 10,
    pareto: Sequence[str] = (),
    engine: Engine | None = None,
    progress: Progress | None = None,
) -> Result:
    """Evaluate every legal point of a space.

    Raises:
        InputError: an expression that means nothing here; a space with more than one search evaluates; no
            legal combination of structural choices at all.
    """
    start = time.perf_counter()
    if space.points >= 2**62:
        raise error("E372", f"the space has {space.points:.1e} points", None, "give some sets fewer values")
    objective = objective_of(space)
    asked = Asked(
        objective.value,
        1 if objective.goal == "minimize" else -1,
        tuple(constraints(space)),
        tuple(front_value(text) for text in pareto),
        top + SPARE,
    )
    parts = list(variants(space))
    units = [parts[k : k + UNIT] for k in range(0, len(parts), UNIT)]
    whole = Swept.nothing(asked)
    done = 0

    def take(found: Swept) -> None:
        nonlocal done
        whole.add(found)
        done += found.variants
        if progress is not None:
            progress(done, len(parts), whole.tally.legal)

    (engine or in_this_process)(space, units, asked, take)
    if not whole.tally.legal and whole.problems and sum(whole.tally.removed.values()) == space.points:
        refused = [p for m, p in whole.problems.items() if whole.tally.removed[m]]
        if len(refused) == len(whole.tally.removed):
            raise refused[0]
    lowered: dict[int, Evaluator] = {}
    plans = sorted(
        (
            _found(space, int(point), objective, pareto, lowered)
            for point in whole.ranking.points[: whole.ranking.ties(top)]
        ),
        key=lambda f: (float(rounded(_array(asked.sign * f.objective))), f.point),
    )
    front = None
    if whole.front is not None:
        front = tuple(_found(space, int(point), objective, pareto, lowered) for point in whole.front.points)
    return Result(
        space,
        objective,
        space.points,
        whole.tally.legal,
        whole.tally.feasible,
        whole.tally.bounded,
        dict(whole.tally.removed),
        tuple(plans[:top]),
        front,
        tuple(pareto),
        len(parts),
        time.perf_counter() - start,
    )


def _array(value: float) -> Any:
    import numpy as np

    return np.array([value])[0]


def in_this_process(
    space: Space, units: Sequence[Sequence[Variant | Refused]], asked: Asked, take: Callable[[Swept], None]
) -> None:
    """The simplest engine."""
    for unit in units:
        take(sweep(space, unit, asked))


def constraints(space: Space) -> list[tuple[str, tree.Expression]]:
    """What a plan must meet, by its text: the strategy's requirements, and that it fits into the machine."""
    out = [(require.message or written(require.condition), require.condition) for require in space.strategy.requires]
    if space.system is not None:
        out.append((FITS, parsed(FITS)))
    return out


def written(node: tree.Expression) -> str:
    """An expression as it stands in its file."""
    place = node.place
    return place.source.line(place.line)[place.column - 1 : place.column - 1 + place.width]


def front_value(text: str) -> tuple[tree.Expression, int]:
    """An expression of a Pareto front, and the sign by which it is made small."""
    larger = text.startswith(LARGER_IS_BETTER)
    return parsed(text, "--pareto"), -1 if larger else 1


def question_at(space: Space, point: int) -> Question:
    """One point of the space as any other plan."""
    choices = space.choices(point)
    chosen = space.at(choices)
    from symsim.records.strategy import CHOICES

    figures = {n: v for n, v in choices.items() if n not in CHOICES and v is not None}
    system = space.system.with_figures(figures) if space.system is not None else None
    return Question(space.model, chosen.name, plan(chosen), system, chosen.requires)


def _found(
    space: Space, point: int, objective: tree.Objective, pareto: Sequence[str], whole: dict[int, Evaluator]
) -> Found:
    """A point evaluated as ``eval`` does it; ``whole`` keeps the formulas of each structure."""
    question = question_at(space, point)
    quantities = {"asked.objective": objective.value}
    quantities |= {f"asked.pareto.{k}": front_value(text)[0] for k, text in enumerate(pareto)}
    key = id(evaluator(question.model, question.plan.structure))
    if key not in whole:
        program = evaluator(question.model, question.plan.structure).program
        whole[key] = Evaluator(asked_for(question, program, quantities))
    found = whole[key]
    values = found.scalar(question.plan.sizes, machine_for(question.system, found.program))
    return Found(
        point,
        space.choices(point),
        question,
        Answer({n: v for n, v in values.items() if n not in quantities}, int(question.plan.sizes["pp"])),
        float(values["asked.objective"]),
        tuple(float(values[f"asked.pareto.{k}"]) for k in range(len(pareto))),
    )
