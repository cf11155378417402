"""Search a space whole: every legal plan is evaluated or pruned by a lower bound, the best are answered in full.

The space is split into units of structural variants (:mod:`symsim.analysis.searching.sweep`); an engine runs them
(:mod:`symsim.analysis.searching.engines`); what they find is merged. The best plans are evaluated
once more one by one, as ``eval`` does it, so that every figure printed is the one that ``eval`` prints.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from symsim.analysis.evaluate import Answer, Evaluator, answer, evaluator
from symsim.analysis.memory_fit import requirement
from symsim.analysis.quantities import asked_for, machine_for, parsed, values_of
from symsim.analysis.searching.compile_count import counted
from symsim.analysis.searching.machine_needed import check_needs_none, needed_by
from symsim.analysis.searching.ranking import rounded
from symsim.analysis.searching.size_limit import check_size_limit
from symsim.analysis.searching.space import Refused, Space, Variant, figures_among, kinship, objective_of, variants
from symsim.analysis.searching.sweep import sweep_unit
from symsim.analysis.searching.sweep_result import SweepResult
from symsim.analysis.searching.variant_columns import Asked
from symsim.diagnostics import InputError, error
from symsim.language import tree
from symsim.language.expression_text import expression_text
from symsim.loading.plan import plan
from symsim.loading.question import Question
from symsim.records.strategy import Structure, Value

UNIT = 128
"""Structural variants that one process compiles together: formulas that they share are made once."""

SPARE = 16
"""Plans kept in addition to those asked for: arrays compare 12 digits, scalars decide between equals."""

LARGER_IS_BETTER = ("throughput.", "mfu", "hfu")
"""Beginnings of outputs that a Pareto front wants large; all others small, unless ``-`` comes before them."""


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
    rule and requirement removed is in ``removed``. ``bounded`` legal points were pruned by a bound without being
    evaluated in full.
    """

    space: Space
    objective: tree.Objective
    points: int
    legal: int
    feasible: int
    bounded: int
    removed: Mapping[str, int]
    """By what must hold, or by what is wrong: how many points, the largest number first."""
    contradictions: Mapping[str, InputError]
    """Those of ``removed`` that are structural choices which contradict each other."""
    plans: tuple[Found, ...]
    front: tuple[Found, ...] | None
    pareto: tuple[str, ...]
    variants: int
    elapsed_s: float


Progress = Callable[[int, int, int, int], None]
"""``progress(variants done, variants, legal points so far, variants compiled)``."""

Engine = Callable[[Space, Sequence[Sequence[Variant | Refused]], Asked, Callable[[SweepResult], None]], None]
"""Sweeps units and hands what each found to a function, in any order."""


def search(
    space: Space,
    top: int = 10,
    pareto: Sequence[str] = (),
    engine: Engine | None = None,
    progress: Progress | None = None,
    must: Sequence[tuple[str, tree.Expression]] | None = None,
) -> Result:
    """Evaluate every legal point of a space.

    ``must`` is what a plan has to meet instead of :func:`constraints`.

    Raises:
        InputError: an expression that means nothing here, or has no value for any feasible plan; a space with more
            than one search evaluates; no legal combination of structural choices at all.
    """
    start = time.perf_counter()
    if space.points >= 2**62:
        raise error("E372", f"the space has {space.points:.1e} points", None, "give some sets fewer values")
    objective = objective_of(space)
    parts = sorted(variants(space), key=kinship)
    fronts = tuple(front_value(text) for text in pareto)
    for node in (objective.value, *(node for node, _ in fronts)):
        check_needs_none(node, space, parts)
    asked = Asked(
        objective.value,
        1 if objective.goal == "minimize" else -1,
        tuple(constraints(space, parts) if must is None else must),
        fronts,
        top + SPARE,
    )
    check_size_limit(space, parts, asked)
    units = [parts[k : k + UNIT] for k in range(0, len(parts), UNIT)]
    whole = SweepResult.nothing(asked)
    done = written = 0

    def take(found: SweepResult) -> None:
        nonlocal done
        whole.add(found)
        done += found.variants
        hear(0)

    def hear(more: int) -> None:
        nonlocal written
        written = min(written + more, len(parts))
        if progress is not None:
            progress(done, len(parts), whole.tally.legal, written)

    with counted(hear):
        (engine or in_this_process)(space, units, asked, take)
    if not whole.tally.legal and whole.problems and sum(whole.tally.removed.values()) == space.points:
        refused = [p for m, p in whole.problems.items() if whole.tally.removed[m]]
        if len(refused) == len(whole.tally.removed):
            raise refused[0]
    found_at = _one_by_one(space, objective, pareto)
    if must is None and whole.tally.feasible and not len(whole.ranking.points):
        message = f"the objective has no finite value for any of {whole.tally.feasible:,} feasible plans"
        raise error("E331", message, objective.value.place, "change the sizes, or the expression")
    timed = "time.iteration" if space.system is not None else "memory.peak"

    def order(found: Found) -> tuple[float, ...]:
        """As :class:`Ranking` has them, by what the plans are answered with."""
        outcomes = np.array([asked.sign * found.objective, *(found.answer.values[n] for n in (timed, "memory.peak"))])
        return (*map(float, rounded(outcomes)), found.point)

    plans = sorted((found_at(int(point)) for point in whole.ranking.points[: whole.ranking.ties(top)]), key=order)
    front = None
    if whole.front is not None:
        front = tuple(found_at(int(point)) for point in whole.front.points)
    removed = sorted(whole.tally.removed.items(), key=lambda entry: (-entry[1], entry[0]))
    return Result(
        space,
        objective,
        space.points,
        whole.tally.legal,
        whole.tally.feasible,
        whole.tally.bounded,
        dict(removed),
        {text: whole.problems[text] for text, _ in removed if text in whole.problems},
        tuple(plans[:top]),
        front,
        tuple(pareto),
        len(parts),
        time.perf_counter() - start,
    )


def in_this_process(
    space: Space, units: Sequence[Sequence[Variant | Refused]], asked: Asked, take: Callable[[SweepResult], None]
) -> None:
    """The simplest engine."""
    for unit in units:
        take(sweep_unit(space, unit, asked))


def constraints(space: Space, parts: Sequence[Variant | Refused]) -> list[tuple[str, tree.Expression]]:
    """What a plan must meet, by its text: the strategy's requirements, and that it fits into the machine.

    Requirements that ask about a machine are left out where none is given, as ``eval`` does.
    """
    out = [
        (require.message or expression_text(require.condition), require.condition)
        for require in space.strategy.requires
        if needed_by(require.condition, space, parts) is None
    ]
    fits = requirement(space.strategy.values)
    if space.system is not None and fits is not None:
        out.append((fits, parsed(fits)))
    return out


def front_value(text: str) -> tuple[tree.Expression, int]:
    """An expression of a Pareto front, and the sign by which it is made small."""
    larger = text.startswith(LARGER_IS_BETTER)
    return parsed(text, "--pareto"), -1 if larger else 1


def question_at(space: Space, point: int) -> Question:
    """One point of the space as any other plan."""
    choices = space.choices(point)
    chosen = space.at(choices)
    figures = figures_among(choices)
    system = space.system.with_figures(figures) if space.system is not None else None
    return Question(space.model, chosen.name, plan(chosen, model=space.model), system, chosen.requires)


def _one_by_one(space: Space, objective: tree.Objective, pareto: Sequence[str]) -> Callable[[int], Found]:
    """Evaluates a point as ``eval`` does; formulas of one structure are put together once."""
    quantities = {"asked.objective": objective.value}
    quantities |= {f"asked.pareto.{k}": front_value(text)[0] for k, text in enumerate(pareto)}
    known: dict[Structure, Evaluator] = {}

    def found_at(point: int) -> Found:
        question = question_at(space, point)
        structure = question.plan.structure
        if structure not in known:
            base = evaluator(question.model, structure)
            known[structure] = Evaluator(asked_for(question, base.program, quantities))
        machine = machine_for(question.system, known[structure].program)
        try:
            values = known[structure].scalar(question.plan.sizes, machine)
        except ArithmeticError:
            # Says which has no value: an expression of the user, else a formula of the model.
            for name, node in quantities.items():
                values_of(question, {name: node})
            answer(question.model, question.plan, machine)
            raise
        return Found(
            point,
            space.choices(point),
            question,
            Answer({n: v for n, v in values.items() if n not in quantities}, int(question.plan.sizes["pp"])),
            float(values["asked.objective"]),
            tuple(float(values[f"asked.pareto.{k}"]) for k in range(len(pareto))),
        )

    return found_at
