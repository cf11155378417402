"""How near a plan is to what bounds it: the machine's memory, links that must hide what is offloaded, requirements.

Each bound is one comparison of two numbers of the answer; the slack is what is left of the bound, as a share of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from symsim.analysis.evaluate import Answer, evaluator
from symsim.analysis.memory_fit import CAPACITY, DEVICE, PEAK, requirement
from symsim.analysis.quantities import values_of
from symsim.analysis.requirements import asked_of, unmet
from symsim.diagnostics import InputError
from symsim.language import tree
from symsim.language.expression_text import expression_text
from symsim.loading.question import Question

OF_MACHINES = (
    (PEAK, CAPACITY, "bytes"),
    (DEVICE, CAPACITY, "bytes"),
    ("memory.host", "host.capacity", "bytes"),
    ("offload.bandwidth", "host.bandwidth", "B/s"),
)
"""What may not be larger than which figure of the machine, where both are there."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """``text`` as one would write it; ``slack`` is the share of ``bound`` that is left, below 0 where it is broken.

    ``None`` where a condition has no distance: it holds, or it does not.
    """

    text: str
    of: str
    value: float | None
    bound: float | None
    unit: str
    slack: float | None
    holds: bool


def constraints(asked: Question, found: Answer) -> list[Constraint]:
    """All that bounds the plan, the nearest to breaking first; what is broken comes before.

    Raises:
        InputError: a requirement names what nothing has.
    """
    unmet(asked)
    every = [*_of_machine(asked, found), *_required(asked)]
    return sorted(every, key=lambda c: (c.holds, c.slack is None, c.slack or 0.0))


def broken(asked: Question, found: Answer) -> list[str]:
    """What keeps the plan from being taken: memory that it does not fit into, requirements that are not met."""
    fits = requirement(asked.plan.values)
    too_much = [c.text for c in _of_machine(asked, found) if c.text == fits and not c.holds]
    return [*too_much, *unmet(asked)]


def _of_machine(asked: Question, found: Answer) -> Iterator[Constraint]:
    figures = asked.system.figures if asked.system is not None else {}
    for name, bound, unit in OF_MACHINES:
        if name not in found.values or bound not in figures:
            continue
        value, most = max(_stages(found, name)), float(figures[bound].value)
        if value:
            yield Constraint(f"{name} <= {bound}", "machine", value, most, unit, (most - value) / most, value <= most)


def _stages(found: Answer, name: str) -> list[float]:
    return [float(v) for v in found.of_stage(name)]


def _required(asked: Question) -> Iterator[Constraint]:
    for require in asked_of(asked):
        for condition in _conjuncts(require.condition):
            yield _measured(condition, asked)


def _conjuncts(condition: tree.Expression) -> Iterator[tree.Expression]:
    if isinstance(condition, tree.Binary) and condition.operator == "and":
        yield from _conjuncts(condition.left)
        yield from _conjuncts(condition.right)
    else:
        yield condition


def _measured(condition: tree.Expression, asked: Question) -> Constraint:
    text, holds = expression_text(condition), bool(values_of(asked, {"holds": condition})["holds"])
    if isinstance(condition, tree.Binary) and condition.operator in ("<=", "<", ">=", ">"):
        upper = condition.operator in ("<=", "<")
        sides = _sides(condition, asked)
        if sides is not None:
            value, bound = sides
            slack = (bound - value if upper else value - bound) / abs(bound) if bound else None
            return Constraint(text, "strategy", value, bound, _unit(condition.left, asked), slack, holds)
    return Constraint(text, "strategy", None, None, "", None, holds)


def _sides(comparison: tree.Binary, asked: Question) -> tuple[float, float] | None:
    """Both numbers of a comparison; ``None`` where stages have one each."""
    try:
        found = values_of(asked, {"value": comparison.left, "bound": comparison.right})
    except InputError:
        return None
    return float(found["value"]), float(found["bound"])


def _unit(expression: tree.Expression, asked: Question) -> str:
    outputs = evaluator(asked.model, asked.plan.structure).program.outputs
    named = outputs.get(expression.name) if isinstance(expression, tree.Name) else None
    return named.unit if named is not None and named.unit in ("bytes", "s") else ""
