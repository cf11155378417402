"""Evaluations next to a slope: a size at its next legal values, a figure with a tenth less and more
(one less and more where it counts something)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from symsim.analysis.evaluate import Evaluator, answer, evaluator, machine_of
from symsim.analysis.fitting.constants import highest
from symsim.analysis.memory_fit import CAPACITY, PEAK, measure_of, requirement
from symsim.analysis.quantities import asked_for, machine_for
from symsim.analysis.sensitivities.sensitivity_names import Direction
from symsim.diagnostics import InputError
from symsim.emit.code import TableLookup, compile_scalar
from symsim.emit.program import Program
from symsim.language import tree
from symsim.language.figures import is_whole
from symsim.loading.changed_plan import with_values
from symsim.loading.impossible_plans import nearest_legal
from symsim.loading.plan import counts_microbatches, with_size
from symsim.loading.question import Question
from symsim.records.strategy import CHOICES

LESS, MORE = 0.9, 1.1
"""A tenth less and more of a figure."""


@dataclass(frozen=True, slots=True)
class Step:
    """The name at another ``value`` makes ``of`` of what is asked; ``difference`` from what it is now.

    ``change`` is that over what it is now, ``None`` where that is 0. ``fits``: whether the plan fits into the
    machine there; ``None`` without a machine, and where nothing has to fit.
    """

    value: float
    of: float
    difference: float
    change: float | None
    fits: bool | None


class Steps:
    """Evaluates the quantity ``output`` of a program by figures elsewhere than at its point."""

    def __init__(
        self,
        asked: Question,
        of: tree.Expression,
        program: Program,
        values: Mapping[str, Any],
        lookup: TableLookup,
        output: str,
    ) -> None:
        self._asked, self._of, self._output = asked, of, output
        self._program, self._values, self._lookup = program, values, lookup
        has_to_fit = asked.system is not None and requirement(asked.plan.values) is not None
        self._measure = measure_of(asked.plan.values) if has_to_fit else PEAK
        self._function = compile_scalar(program, [program.outputs[n].register for n in (output, self._measure)])
        self._capacity = asked.system.figures[CAPACITY].value if asked.system is not None and has_to_fit else None

    def with_figure(self, name: str, value: float) -> float:
        """The quantity on a machine with another value of one figure."""
        return self._at({name: value})[0]

    def around(self, name: Direction, here: float) -> tuple[Step | None, Step | None]:
        """The steps below and above; ``None`` where there is none that is legal."""
        if name.kind == "size":
            return self._legal_sizes(name, here)
        if name.kind == "dimension":
            return self._legal_dimensions(name, here)
        if is_whole(name.name):
            less = self._figure(name, name.value - 1, here) if name.value > 1 else None
            return less, self._figure(name, name.value + 1, here)
        if name.value == 0:
            return None, None
        more = min(name.value * MORE, highest(name.name, name.value))
        down, up = (self._figure(name, v, here) for v in (name.value * LESS, more))
        return down, up if more > name.value else None

    def _at(self, other: Mapping[str, Any]) -> tuple[float, float]:
        values = {**self._values, **other}
        quantity, held = self._function.run([values[n] for n in self._function.inputs], self._lookup)
        return float(quantity), float(held)

    def _figure(self, name: Direction, value: float, here: float) -> Step:
        quantity, held = self._at({name.name: value})
        capacity = value if name.name == CAPACITY and self._capacity is not None else self._capacity
        return self._step(value, quantity, held, here, capacity)

    def _step(self, value: float, quantity: float, held: float, here: float, capacity: float | None) -> Step:
        fits = None if capacity is None else held <= capacity
        return Step(value, quantity, quantity - here, quantity / here - 1 if here else None, fits)

    def _legal_sizes(self, name: Direction, here: float) -> tuple[Step | None, Step | None]:
        if CHOICES[name.name].kind == "number":
            return None, None
        settled = self._asked.plan
        compiled = evaluator(self._asked.model, settled.structure)
        found = nearest_legal(settled.sizes[name.name], lambda v: not compiled.broken(with_size(settled, name.name, v)))
        steps = {v: self._size(name.name, v, here) for v in found}
        return _around(steps, name.value)

    def _size(self, name: str, value: int, here: float) -> Step | None:
        """A plan of its own: its structure may be another."""
        asked = self._asked
        try:
            follows = "gbs" if counts_microbatches(asked.plan) else "microbatches"
            other = with_values(asked, {**asked.plan.values, follows: None, name: value})
            if other.plan.structure == asked.plan.structure:
                quantity, held = self._at({n: v for n, v in other.plan.sizes.items() if n in CHOICES})
            else:
                quantity, held = _elsewhere(other, self._of, self._output, self._measure)
        except (InputError, ArithmeticError):
            return None
        return self._step(value, quantity, held, here, self._capacity)

    def _legal_dimensions(self, name: Direction, here: float) -> tuple[Step | None, Step | None]:
        """The dimension alone: those that a model derives from it stay."""
        compiled = Evaluator(self._program)
        found = nearest_legal(Fraction(name.value), lambda v: not compiled.broken({**self._values, name.name: v}))
        steps: dict[int, Step | None] = {}
        for value in found:
            try:
                steps[value] = self._step(value, *self._at({name.name: value}), here, self._capacity)
            except ArithmeticError:
                steps[value] = None
        return _around(steps, name.value)


def _around(steps: Mapping[int, Step | None], value: float) -> tuple[Step | None, Step | None]:
    below = next((s for v, s in steps.items() if v < value), None)
    return below, next((s for v, s in steps.items() if v > value), None)


def _elsewhere(asked: Question, of: tree.Expression, output: str, measure: str) -> tuple[float, float]:
    """The quantity of another plan, and what of it has to fit."""
    answer(asked.model, asked.plan, machine_of(asked))
    program = asked_for(asked, evaluator(asked.model, asked.plan.structure).program, {output: of})
    values = Evaluator(program).scalar(asked.plan.sizes, machine_for(asked.system, program))
    return float(values[output]), float(values[measure])
