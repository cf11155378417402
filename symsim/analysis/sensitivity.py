"""How an answer follows each name: exact partial derivatives, elasticities, and what a step further makes.

The derivative is that of the formulas (:mod:`symsim.emit.directional`), of sizes as if they were real
numbers; beside it stand real evaluations: the next legal values of a size, a tenth less and more of a
figure. Nothing here computes a cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symsim.analysis.buying import RATE_UNITS, Gain, factor_of, gains
from symsim.analysis.evaluate import answer, evaluator, machine_of
from symsim.analysis.load import Question
from symsim.analysis.quantities import asked_for, machine_for, parsed
from symsim.analysis.steps import Step, Steps
from symsim.analysis.switches import Side, Switch, Switches, same
from symsim.analysis.varied import Varied, behind, dimensions_among, unstated, varied
from symsim.diagnostics import error
from symsim.emit.by_figure import by_figure
from symsim.emit.code import Compiled, compile_scalar
from symsim.emit.derivative import partial
from symsim.emit.directional import NUDGE, along, directional
from symsim.emit.program import Program
from symsim.emit.quantity import is_condition
from symsim.language import tree
from symsim.machine.bind import Machine

QUANTITY = "the answer"
"""What the asked expression is called among the outputs."""

STEP_TIME = "time.iteration"

SIDEWAYS = 1e-9
"""How far off the point, as a part of a value, the formulas decide which side of a kink they follow."""


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


def sensitivity(
    asked: Question, of: tree.Expression | None = None, names: Sequence[str] | None = None
) -> Sensitivity:
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
    chosen = varied(asked, point.program, point.values, _default(asked) if names is None else names)
    slopes = _Slopes(point)
    steps = Steps(asked, of, point.program, point.values, point.lookup, QUANTITY)
    partials = [slopes.partial(v, steps.around(v, point.value)) for v in chosen]
    kept = [p for p, v in zip(partials, chosen, strict=True) if v.asked or p.matters]
    ranked = sorted(kept, key=lambda p: -abs(p.derivative * p.value))
    return Sensitivity(
        text_of(of),
        point.value,
        point.unit,
        tuple(ranked),
        _buying(asked, point, steps),
        _sum_of_rates(asked, point, slopes),
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
        self.program: Program = by_figure(wider, behind(asked.system, names or ()))
        self.unit = next((o.unit for n, o in wider.outputs.items() if isinstance(of, tree.Name) and n == of.name), "")
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
            raise error("E358", f"{text_of(of)} needs a machine: {missing[0]}", of.place, hint)
        with _no_number(of):
            self.value = float(function.run([self.values[n] for n in function.inputs], self.lookup)[0])


class _no_number:
    """Arithmetic that fails at the point asked about is an error of the question."""

    def __init__(self, of: tree.Expression) -> None:
        self._of = of

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, problem: Any, trace: Any) -> None:
        if isinstance(problem, ArithmeticError | ValueError):
            message = f"{text_of(self._of)} has no derivative here: {problem}"
            raise error("E359", message, self._of.place, "change the sizes or the expression") from None


def _no_machine(name: str, *dimensions: Any) -> Any:
    raise AssertionError(f"'{name}' needs a machine")


class _Slopes:
    """Derivatives of the quantity along any name, on either side."""

    def __init__(self, point: _Point) -> None:
        self._point = point
        self._slope = directional(point.program, QUANTITY, [n for n in point.program.inputs if n in point.values])
        self._program = self._slope.program
        self._function = compile_scalar(self._program, [self._slope.slope])
        self._all: tuple[Compiled, list[int]] | None = None
        self._switches: Switches | None = None

    def along(self, name: Varied, nudge: float) -> float:
        return float(self._run(self._function, name, nudge)[0])

    def _run(self, function: Compiled, name: Varied, nudge: float) -> tuple[Any, ...]:
        moving = {along(n): rate for n, rate in name.moves.items()}
        values = {**self._point.values, **moving, NUDGE: nudge}
        return function.run([values[n] if n in values else 0.0 for n in function.inputs], self._point.lookup)

    def partial(self, name: Varied, steps: tuple[Step | None, Step | None]) -> Partial:
        aside = SIDEWAYS * abs(name.value)
        middle, left, right = (self.along(name, nudge) for nudge in (0.0, -aside, aside))
        smooth = same(left, right)
        return Partial(
            name.name,
            name.kind,
            name.value,
            name.unit,
            middle,
            middle * name.value / self._point.value if self._point.value else None,
            middle if smooth else left,
            middle if smooth else right,
            () if smooth else tuple(self._between(name, aside)),
            *steps,
        )

    def _between(self, name: Varied, aside: float) -> list[Switch]:
        """What switches at a kink."""
        tangents = self._slope.tangents
        if self._all is None or self._switches is None:
            registers = [k for k in self._program.leading_to(self._slope.value) if k != self._program.stage_register]
            wanted = [*registers, *(tangents[k] for k in registers if k in tangents)]
            self._all = compile_scalar(self._program, wanted), registers
            self._switches = Switches(self._slope, frozenset({QUANTITY, partial(QUANTITY, NUDGE)}))
        function, registers = self._all
        moving = [k for k in registers if k in tangents]
        sides = []
        for nudge in (-aside, aside):
            numbers = self._run(function, name, nudge)
            values = dict(zip(registers, numbers, strict=False))
            sides.append(Side(dict(zip(moving, numbers[len(registers) :], strict=True)), nudge))
        return self._switches.between(values, *sides)


def _buying(asked: Question, point: _Point, steps: Steps) -> tuple[Gain, ...]:
    """Rates always, for a rate that gains nothing is worth knowing; the rest where it changes anything."""
    if asked.system is None:
        return ()
    bought = [n for n in _used_figures(asked, point) if factor_of(asked.system.figures[n].unit) is not None]
    found = gains(asked.system, bought, point.value, steps.with_figure)
    return tuple(g for g in found if g.unit in RATE_UNITS or g.there != point.value)


def _used_figures(asked: Question, point: _Point) -> list[str]:
    return [n for n in point.program.inputs if asked.system is not None and n in asked.system.figures]


def _sum_of_rates(asked: Question, point: _Point, slopes: _Slopes) -> float | None:
    if asked.system is None or not point.value:
        return None
    rates = [n for n in _used_figures(asked, point) if asked.system.figures[n].unit in RATE_UNITS]
    found = varied(asked, point.program, point.values, rates)
    return sum((slopes.along(v, 0.0) * v.value / point.value for v in found), 0.0)


def document(found: Sensitivity) -> dict[str, Any]:
    """The answer as JSON has it, without the question: ``of``, ``value``, ``partials`` …"""
    return {
        "of": found.of,
        "value": found.value,
        "unit": found.unit,
        "partials": [_partial(p) for p in found.partials],
        "buying": [
            {
                "name": g.figure,
                "value": g.value,
                "unit": g.unit,
                "factor": g.factor,
                "of": g.there,
                "difference": g.there - found.value,
                "change": g.change,
            }
            for g in found.buying
        ],
        "sum_of_rate_elasticities": found.sum_of_rate_elasticities,
    }


def _partial(p: Partial) -> dict[str, Any]:
    return {
        "name": p.name,
        "kind": p.kind,
        "value": int(p.value) if p.kind in ("size", "dimension") and p.value == int(p.value) else p.value,
        "unit": p.unit,
        "derivative": p.derivative,
        "elasticity": p.elasticity,
        "left": p.left,
        "right": p.right,
        "switches": [{"definition": s.definition, "below": s.below, "above": s.above} for s in p.switches],
        "next": {"below": _step(p.below), "above": _step(p.above)},
    }


def _step(step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    return {"value": step.value, "of": step.of, "difference": step.difference, "change": step.change, "fits": step.fits}
