"""No plan of a space meets what is required: the one that misses by least, and the smallest changes that fix it.

How far a plan misses a comparison is the ratio of its sides. The space is searched once more without the comparisons
for the plan whose largest ratio is smallest; single changes of that plan are then evaluated like any other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from symsim.analysis.evaluate import evaluator
from symsim.analysis.explaining.neighbours import Change, changed, lowering
from symsim.analysis.memory_fit import CAPACITY, DEVICE, PEAK, MemoryFit, memory_fit
from symsim.analysis.quantities import names_for, parsed, values_of
from symsim.analysis.searching.search import Engine, Found, Result, constraints, search
from symsim.analysis.searching.space import Space, Variant, objective_of, variants
from symsim.diagnostics import InputError
from symsim.emit.quantity import with_quantities
from symsim.language import tree
from symsim.loading.question import Question

SLACK = 1 + 1e-9
"""A figure is raised by so much more than its ratio: sides that are equal but for rounding meet a comparison."""

DOUBLINGS = 6
"""How often the GPUs are doubled, until they are enough."""


@dataclass(frozen=True, slots=True)
class Broken:
    """A requirement that the closest plan breaks. ``excess`` is a share of its bound; ``None``: it has none."""

    text: str
    value: float | None
    bound: float | None
    excess: float | None


@dataclass(frozen=True, slots=True)
class Fix:
    """A change with which the plan meets all that is required: choices, or figures of the machine."""

    change: Change
    objective: float
    fit: MemoryFit


@dataclass(frozen=True, slots=True)
class Closest:
    """The legal plan that breaks what is required by least; ``fixes`` are single changes after which it meets all.

    First more memory, then more GPUs, then choices of the strategy, the best for the objective first.
    """

    found: Found
    broken: tuple[Broken, ...]
    fixes: tuple[Fix, ...]


def closest(result: Result, engine: Engine | None = None) -> Closest | None:
    """The plan of an infeasible space that misses by least; ``None`` where no requirement says how far plans miss."""
    space = result.space
    parts = list(variants(space))
    first = next((part for part in parts if isinstance(part, Variant)), None)
    if first is None or not result.legal:
        return None
    must = constraints(space, parts)
    measured, rest = [], []
    for text, node in must:
        ratio = _measurable(space, first, node)
        if ratio is None:
            rest.append((text, node))
        else:
            measured.append(ratio)
    if not measured:
        return None
    place = measured[0].place
    goal = measured[0] if len(measured) == 1 else tree.Apply("max", tuple(measured), place)
    aside = replace(space.strategy, objective=tree.Objective("minimize", goal, place), requires=())
    for kept in (rest, ()):
        nearest = search(replace(space, strategy=aside), 1, result.pareto, engine, must=kept)
        if nearest.plans:
            found = nearest.plans[0]
            return Closest(found, _broken(found.question, must), _fix(space, found, must))
    return None


def _measurable(space: Space, first: Variant, node: tree.Expression) -> tree.Expression | None:
    """How far a plan misses a condition: at most 1 where it is met. ``None`` where no number says it."""
    ratio = _ratio(node)
    if ratio is None:
        return None
    names = names_for(space.model, first.plan, space.system, [axis.name for axis in first.axes])
    for tried in (ratio, tree.Apply("max_stages", (ratio,), ratio.place)):
        try:
            with_quantities(evaluator(space.model, first.plan.structure).program, {"ratio": tried}, names)
        except InputError:
            continue
        return tried
    return None


def _ratio(node: tree.Expression) -> tree.Expression | None:
    match node:
        case tree.Binary(operator="<=" | "<", left=left, right=right, place=place):
            return tree.Binary("/", left, right, place)
        case tree.Binary(operator=">=" | ">", left=left, right=right, place=place):
            return tree.Binary("/", right, left, place)
        case tree.Binary(operator="and" | "or" as operator, left=left, right=right, place=place):
            sides = (_ratio(left), _ratio(right))
            if sides[0] is None or sides[1] is None:
                return None
            return tree.Apply("max" if operator == "and" else "min", (sides[0], sides[1]), place)
    return None


def _values(asked: Question, quantities: Mapping[str, tree.Expression]) -> dict[str, float]:
    """Raises InputError: the plan breaks a rule, or has no formula."""
    if evaluator(asked.model, asked.plan.structure).broken(asked.plan.sizes):
        raise InputError(())
    return values_of(asked, quantities)


def _broken(asked: Question, must: Sequence[tuple[str, tree.Expression]]) -> tuple[Broken, ...]:
    out = []
    for text, node in must:
        if _values(asked, {"held": node})["held"]:
            continue
        value = bound = excess = None
        if isinstance(node, tree.Binary) and node.operator in ("<=", "<", ">=", ">"):
            try:
                sides = _values(asked, {"value": node.left, "bound": node.right})
                value, bound = sides["value"], sides["bound"]
                excess = abs(value - bound) / abs(bound) if bound else None
            except InputError:
                pass
        out.append(Broken(text, value, bound, excess))
    return tuple(out)


def _fix(space: Space, found: Found, must: Sequence[tuple[str, tree.Expression]]) -> tuple[Fix, ...]:
    objective = objective_of(space)
    quantities = {f"held.{k}": node for k, (_, node) in enumerate(must)}
    quantities |= {"objective": objective.value, PEAK: parsed(PEAK)}
    if space.system is not None:
        quantities[DEVICE] = parsed(DEVICE)
    wanted = quantities
    out = []
    for change in lowering(found.question):
        fixed = _tried(found.question, change, wanted)
        if fixed is not None:
            out.append(fixed)
    world = found.question.plan.sizes["world"]
    larger = (_tried(found.question, {"world": world * 2**k}, wanted) for k in range(1, DOUBLINGS + 1))
    first = next((fixed for fixed in larger if fixed is not None), None)
    needed = _capacity(found.question, must, wanted)
    sign = 1 if objective.goal == "minimize" else -1
    ranked = sorted(out, key=lambda m: sign * m.objective)
    return (*needed, *((first,) if first is not None else ()), *ranked)


def _tried(asked: Question, change: Change, wanted: Mapping[str, tree.Expression]) -> Fix | None:
    other = changed(asked, change)
    if other is None:
        return None
    try:
        values = _values(other, wanted)
    except (InputError, ArithmeticError):
        return None
    satisfied = all(values[name] for name in values if name.startswith("held."))
    return _fix_of(change, other, values) if satisfied else None


def _fix_of(change: Change, asked: Question, values: Mapping[str, float]) -> Fix:
    return Fix(change, values["objective"], memory_fit(asked, values))


def _capacity(
    asked: Question, must: Sequence[tuple[str, tree.Expression]], wanted: Mapping[str, tree.Expression]
) -> tuple[Fix, ...]:
    """More memory for each GPU, where that alone is what lacks."""
    if asked.system is None:
        return ()
    worst = max((b.excess or 0.0 for b in _broken(asked, must)), default=0.0)
    more = asked.system.figures[CAPACITY].value * (1 + worst) * SLACK
    other = replace(asked, system=asked.system.with_figures({CAPACITY: more}))
    values = _values(other, wanted)
    if not all(values[name] for name in values if name.startswith("held.")):
        return ()
    return (_fix_of({CAPACITY: round(more)}, other, values),)
