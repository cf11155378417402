"""The plan at one value of a name, settled and evaluated like any other, with every condition checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from symsim.analysis.evaluate import Evaluator, evaluator
from symsim.analysis.one_parameter import Parameter, changed
from symsim.analysis.quantities import machine_for, names_for
from symsim.analysis.solving.condition import Condition, unit_of_sides, with_conditions
from symsim.emit.code import Compiled, compile_scalar
from symsim.emit.program import Program
from symsim.loading.plan import Plan
from symsim.loading.question import Question


@dataclass(frozen=True, slots=True)
class Checked:
    """A condition at one plan; ``left`` and ``right`` where it compares two numbers, in base ``unit``."""

    text: str
    operator: str
    left: float | None
    right: float | None
    unit: str
    holds: bool

    @property
    def missing(self) -> float:
        """How far the sides are apart, as a share of the right one."""
        if self.left is None or self.right is None:
            return float("inf")
        return abs(self.left - self.right) / (abs(self.right) or 1.0)


@dataclass(frozen=True, slots=True)
class PlanAt:
    """A legal plan; ``asked`` is its question."""

    value: float
    asked: Question
    checked: tuple[Checked, ...]

    @property
    def satisfied(self) -> bool:
        return all(c.holds for c in self.checked)


def plan_at(asked: Question, about: Parameter, wanted: Sequence[Condition], value: float) -> PlanAt:
    """The plan that ``--set NAME=VALUE`` gives, with what the conditions are there.

    Raises:
        InputError: the value is not possible.
    """
    there = changed(asked, about, value)
    program, results = _results(there, about, tuple(wanted))
    return PlanAt(value, there, tuple(_checked(c, program, results) for c in wanted))


def _results(there: Question, about: Parameter, wanted: tuple[Condition, ...]) -> tuple[Program, dict[str, Any]]:
    """What conditions and their sides come to; a condition that divides by 0 does not hold, and has no sides."""
    program, function, labels = _conditions(there, about, wanted)
    machine = machine_for(there.system, program)
    given = {**there.plan.sizes, **(machine.values if machine is not None else {})}
    lookup = machine.lookup if machine is not None else _no_machine
    try:
        found = function.run([given[n] for n in function.inputs], lookup)
    except ArithmeticError:
        if len(wanted) == 1:
            return program, {wanted[0].label: 0}
        return program, {n: v for one in wanted for n, v in _results(there, about, (one,))[1].items()}
    return program, dict(zip(labels, found, strict=True))


def _checked(condition: Condition, program: Program, results: dict[str, Any]) -> Checked:
    left, right = results.get(condition.left), results.get(condition.right)
    unit = unit_of_sides(condition, program)
    holds = bool(results[condition.label] == 1)
    return Checked(
        condition.text,
        condition.operator,
        None if left is None else float(left),
        None if right is None else float(right),
        unit,
        holds,
    )


_KEPT: dict[tuple[Any, ...], tuple[Program, Compiled, tuple[str, ...]]] = {}
MOST_KEPT = 64


def _conditions(
    there: Question, about: Parameter, wanted: tuple[Condition, ...]
) -> tuple[Program, Compiled, tuple[str, ...]]:
    """The compiled conditions; kept, because a search asks about many values of one figure."""
    compiled = evaluator(there.model, there.plan.structure)
    constants = names_for(there.model, there.plan, there.system, _varying(about)).constants
    key = (id(compiled), about.name, wanted, tuple(sorted((n, str(v)) for n, v in constants.items())))
    if key not in _KEPT:
        if len(_KEPT) >= MOST_KEPT:
            _KEPT.clear()
        _KEPT[key] = _compiled(there, about, wanted, compiled, there.plan)
    return _KEPT[key]


def _varying(about: Parameter) -> tuple[str, ...]:
    return (about.name,) if about.of == "size" else ()


def _compiled(
    there: Question, about: Parameter, wanted: tuple[Condition, ...], compiled: Evaluator, settled: Plan
) -> tuple[Program, Compiled, tuple[str, ...]]:
    names = names_for(there.model, settled, there.system, _varying(about))
    program = with_conditions(compiled.program, names, wanted)
    labels = tuple(n for c in wanted for n in (c.label, c.left, c.right) if n in program.outputs)
    return program, compile_scalar(program, [program.outputs[n].register for n in labels]), labels


def _no_machine(name: str, *dimensions: Any) -> Any:
    raise AssertionError(f"'{name}' needs a machine")
