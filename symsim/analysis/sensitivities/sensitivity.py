"""How an answer follows each name: exact partial derivatives, elasticities, and what a step further makes.

The derivative is that of the formulas (:mod:`symsim.emit.directional_derivative`), of sizes as if they were real
numbers; next to it are evaluations: the next legal values of a size, a tenth less and more of a
figure. Nothing here computes a cost.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from symsim.analysis.evaluate import answer, evaluator, machine_of
from symsim.analysis.expression_units import unit_of
from symsim.analysis.quantities import asked_for, machine_for, parsed
from symsim.analysis.sensitivities.buying import RATE_UNITS, Gain, factor_of, gains
from symsim.analysis.sensitivities.sensitivity_names import (
    Direction,
    dimensions_among,
    directions,
    figures_by_input,
    unstated,
)
from symsim.analysis.sensitivities.slopes import Slopes
from symsim.analysis.sensitivities.steps import Step, Steps
from symsim.analysis.sensitivities.switches import Switch
from symsim.diagnostics import error
from symsim.emit.code import compile_scalar
from symsim.emit.inputs_by_figure import by_figure
from symsim.emit.program import Program
from symsim.emit.quantity import in_formulas, is_condition
from symsim.language import tree
from symsim.loading.question import Question
from symsim.machine.bind import Machine

QUANTITY = "the answer"
"""What the asked expression is called among the outputs."""

STEP_TIME = "time.iteration"


@dataclass(frozen=True, slots=True)
class Partial:
    """How the answer follows one name.

    ``derivative`` is per unit of ``value``, ``elasticity`` is (value/answer)·derivative: per cent for each per
    cent, ``None`` where the answer is 0. Where ``left`` (below the value) and ``right`` differ the value is a
    kink; ``switches`` says of what, and ``derivative`` is that of the first of equal arguments.
    """

    name: str
    kind: str
    value: float
    unit: str
    derivative: float
    elasticity: float | None
    left: float
    right: float
    switches: tuple[Switch, ...]
    below: Step | None
    above: Step | None

    @property
    def at_a_kink(self) -> bool:
        return self.left != self.right

    @property
    def matters(self) -> bool:
        """Whether a change of some per cent, or a step, changes the answer."""
        steps = any(s is not None and s.difference for s in (self.below, self.above))
        return steps or any(slope * self.value for slope in (self.derivative, self.left, self.right))


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """``partials`` go from the largest elasticity to the smallest; ``buying`` from the largest gain.

    ``sum_of_rate_elasticities`` is over all FLOP/s and B/s of the machine: -1 for a time in which nothing is
    fixed. ``None`` without a machine.
    """

    of: str
    value: float
    unit: str
    partials: tuple[Partial, ...]
    buying: tuple[Gain, ...]
    sum_of_rate_elasticities: float | None


def sensitivity(asked: Question, of: tree.Expression | None = None, names: Sequence[str] | None = None) -> Sensitivity:
    """The derivatives of an expression, the time of a step if none is given, with respect to names.

    Names are figures of the machine or the framework, sizes of the strategy, dimensions of the model, or the
    groups ``machine``, ``framework`` and ``sizes``; without any, all of these groups.

    Raises:
        InputError: a name that does not vary, a condition, an expression of a machine where none is named, an
            impossible plan, or no derivative at this point.
    """
    of = of if of is not None else parsed(STEP_TIME)
    # A plan that breaks a rule is refused with the legal values nearby, as everywhere.
    answer(asked.model, asked.plan, machine_of(asked))
    point = _Point(asked, of, names)
    chosen = directions(asked, point.program, point.values, _default(asked) if names is None else names)
    slopes = Slopes(point.program, QUANTITY)
    steps = Steps(asked, of, point.program, point.values, point.lookup, QUANTITY)
    with _numbers(of):
        partials = [_partial(point, slopes, v, steps.around(v, point.value)) for v in chosen]
        bought, rates = _buying(asked, point, steps), _sum_of_rates(asked, point, slopes)
    kept = [p for p, v in zip(partials, chosen, strict=True) if v.asked or p.matters]
    ranked = sorted(kept, key=lambda p: -abs(p.derivative * p.value))
    return Sensitivity(
        text_of(of),
        point.value,
        point.unit,
        tuple(ranked),
        bought,
        rates,
    )


def _partial(point: _Point, slopes: Slopes, name: Direction, steps: tuple[Step | None, Step | None]) -> Partial:
    found = slopes.at(point.values, point.lookup, name)
    elasticity = found.middle * name.value / point.value if point.value else None
    switches = slopes.switches(point.values, point.lookup, name) if found.left != found.right else []
    return Partial(
        name.name,
        name.kind,
        name.value,
        name.unit,
        found.middle,
        elasticity,
        found.left,
        found.right,
        tuple(switches),
        *steps,
    )


def _default(asked: Question) -> tuple[str, ...]:
    return ("machine", "framework", "sizes") if asked.system is not None else ("sizes",)


def text_of(expression: tree.Expression) -> str:
    """The expression as it was written; of a file, where it stands."""
    source = expression.place.source
    return source.text.strip() if source.name.startswith("<") else str(expression.place)


class _Point:
    """The formulas by figures with the asked quantity, and the values of their inputs."""

    def __init__(self, asked: Question, of: tree.Expression, names: Sequence[str] | None) -> None:
        kept = dimensions_among(asked, names)
        formulas = evaluator(asked.model, asked.plan.structure, kept=kept).program
        wider = asked_for(asked, formulas, {QUANTITY: of})
        if is_condition(wider, QUANTITY):
            hint = "ask for one of the numbers that it compares"
            raise error("E357", "a condition is true or false: it has no derivative", of.place, hint)
        self.machine: Machine | None = machine_for(asked.system, wider)
        self.program: Program = by_figure(wider, figures_by_input(asked.system, names or ()))
        self.unit = unit_of(of, partial(_unit_of_name, asked, wider))
        figures = {n: f.value for n, f in asked.system.figures.items()} if asked.system is not None else {}
        self.values: Mapping[str, Any] = {
            **{n: asked.model.dimensions[n] for n in kept},
            **asked.plan.sizes,
            **(self.machine.values if self.machine is not None else {}),
            **unstated(asked.system, names or ()),
            **figures,
        }
        self.lookup = self.machine.lookup if self.machine is not None else _no_machine
        function = compile_scalar(self.program, [self.program.outputs[QUANTITY].register])
        missing = [n for n in function.inputs if n not in self.values]
        if missing:
            hint = "name one with -y, such as -y h100_sxm"
            raise error("E358", f"{text_of(of)} needs a machine", of.place, hint)
        with _numbers(of):
            self.value = float(function.run([self.values[n] for n in function.inputs], self.lookup)[0])


@contextmanager
def _numbers(of: tree.Expression) -> Iterator[None]:
    """Arithmetic that fails at the point asked about is an error of the question."""
    try:
        yield
    except (ArithmeticError, ValueError) as problem:
        message = f"{text_of(of)} has no derivative here: {problem}"
        raise error("E359", message, of.place, "change the sizes, or the expression") from None


def _unit_of_name(asked: Question, program: Program, name: str) -> str:
    name = name if name in program.outputs else in_formulas(name)
    if name in program.outputs:
        return program.outputs[name].unit
    figures = asked.system.figures if asked.system is not None else {}
    return figures[name].unit if name in figures else ""


def _no_machine(name: str, *dimensions: Any) -> Any:
    raise AssertionError(f"'{name}' needs a machine")


def _buying(asked: Question, point: _Point, steps: Steps) -> tuple[Gain, ...]:
    """Rates always, for a rate that gains nothing is worth knowing; the rest where it changes anything."""
    if asked.system is None:
        return ()
    bought = [n for n in _used_figures(asked, point) if factor_of(asked.system.figures[n].unit) is not None]
    found = gains(asked.system, bought, point.value, steps.with_figure)
    return tuple(g for g in found if g.unit in RATE_UNITS or g.there != point.value)


def _used_figures(asked: Question, point: _Point) -> list[str]:
    return [n for n in point.program.inputs if asked.system is not None and n in asked.system.figures]


def _sum_of_rates(asked: Question, point: _Point, slopes: Slopes) -> float | None:
    if asked.system is None or not point.value:
        return None
    rates = [n for n in _used_figures(asked, point) if asked.system.figures[n].unit in RATE_UNITS]
    found = directions(asked, point.program, point.values, rates)
    return sum((slopes.at(point.values, point.lookup, v).middle * v.value / point.value for v in found), 0.0)
