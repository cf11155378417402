"""Plans that differ in one name and have one formula: evaluated over whole arrays, or bounded over ranges."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from symsim.analysis.quantities import machine_for
from symsim.emit.code import Compiled, compile_array
from symsim.emit.intervals import Bounds, bounds
from symsim.emit.program import CheckedRule, Program
from symsim.emit.rational_piece import Rational, constant, piece, variable
from symsim.language.figures import TIERS
from symsim.loading.question import Question
from symsim.machine.bind import Machine, measured
from symsim.records.system import System

Array = np.ndarray[Any, Any]

CHUNK = 2**15
"""Plans times stages that are evaluated at once."""
WHOLE_AT_LEAST = 1e-9
"""By how much the amount of a rule misses 0, before no plan of a range can keep it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A condition, 1 or 0, that selected formulas: its register, how it was decided, and what it is."""

    register: int
    held: bool
    condition: str


@dataclass(frozen=True)
class FormulaRange:
    """The formulas of the plans in one range of a parameter.

    ``fixed`` are inputs that stay; ``following`` are inputs that are ``factor · value ** power`` of the
    name. ``decisions`` say where these formulas hold; ``only`` and ``without`` are values that it has
    alone, or leaves to another range. ``figures`` are the tables that the name itself answers;
    ``possible`` are the rules on the name alone. An ``empty`` range has no formulas: compiling it is an error.
    """

    program: Program
    fixed: Mapping[str, float]
    following: Mapping[str, tuple[float, int]]
    machine: Machine | None
    system: System | None
    decisions: tuple[Decision, ...] = ()
    possible: tuple[CheckedRule, ...] = ()
    empty: bool = False
    only: float | None = None
    without: float | None = None
    figures: frozenset[str] = frozenset()
    _known: dict[int, Bounds] = field(default_factory=dict, compare=False, repr=False)
    _compiled: dict[tuple[int, ...], Compiled] = field(default_factory=dict, compare=False, repr=False)

    def columns(self, values: Array) -> dict[str, Array]:
        return {name: factor * values**power for name, (factor, power) in self.following.items()}

    def covers(self, values: Array) -> Array:
        """Whether the formulas are those of the plans at these values."""
        own = np.ones(values.shape, dtype=bool)
        if self.only is not None:
            own &= values == self.only
        if self.without is not None:
            own &= values != self.without
        return own & self.decided(self.decisions, values)

    def decided(self, decisions: Sequence[Decision], values: Array) -> Array:
        """Whether conditions are decided so at values."""
        found = np.ones(values.shape, dtype=bool)
        for decision, holds in zip(decisions, self.run([d.register for d in decisions], values), strict=True):
            found &= (holds != 0) == decision.held
        return found

    def may_be_decided(self, decisions: Sequence[Decision], low: Array, high: Array) -> Array:
        """False where conditions are decided otherwise at every value of a range."""
        may = np.ones(low.shape, dtype=bool)
        for decision, holds in zip(decisions, self.bounds_of([d.register for d in decisions], low, high), strict=True):
            if holds is not None:
                may &= (holds.high > 0.5) if decision.held else (holds.low < 0.5)
        return may

    def legal(self, values: Array) -> Array:
        """Whether the plans at these values break no rule."""
        return self.keeps(self.program.rules, values)

    def keeps(self, rules: Sequence[CheckedRule], values: Array) -> Array:
        kept = np.ones(values.shape, dtype=bool)
        for rule, amount in zip(rules, self.run([r.register for r in rules], values), strict=True):
            kept &= (amount == 0) if rule.kind == "zero" else (amount >= 0)
        return kept

    def evaluate(self, outputs: Sequence[str], values: Array) -> list[Array]:
        """Outputs of a run at values that this range covers and that are legal."""
        registers = [self.program.outputs[n].register for n in outputs]
        size = max(1, CHUNK // self._stages(values))
        parts = [self.run(registers, values[k : k + size]) for k in range(0, len(values), size)]
        return [np.concatenate([p[k] for p in parts]) if parts else np.zeros(0) for k in range(len(outputs))]

    def _stages(self, values: Array) -> int:
        pp = self.columns(values).get("pp", np.asarray(self.fixed.get("pp", 1.0)))
        return int(np.max(pp, initial=1))

    def run(self, registers: Sequence[int], values: Array) -> list[Array]:
        if not registers:
            return []
        key = tuple(registers)
        if key not in self._compiled:
            self._compiled[key] = compile_array(self.program, registers)
        function = self._compiled[key]
        given = {**self.fixed, **self.columns(values)}
        with np.errstate(all="ignore"):
            found = function.run([given[n] for n in function.inputs], self._lookup(values))
        return [np.broadcast_to(np.asarray(x, dtype=float), values.shape) for x in found]

    def _lookup(self, values: Array) -> Callable[..., Any]:
        def lookup(name: str, *dimensions: Any) -> Any:
            if name in self.figures:
                return values[:, None]
            assert self.machine is not None
            return self.machine.lookup(name, *dimensions)

        return lookup

    def may_hold(self, outputs: Sequence[str], low: Array, high: Array) -> Array:
        """False where no value of a range is covered and legal with every output (a condition) true."""
        rules = self.program.rules
        may = self.may_be_decided(self.decisions, low, high)
        if self.only is not None:
            may &= (low <= self.only) & (self.only <= high)
        registers = [*(r.register for r in rules), *(self.program.outputs[n].register for n in outputs)]
        found = self.bounds_of(registers, low, high)
        for rule, amount in zip(rules, found, strict=False):
            if amount is not None:
                may &= amount.high > -WHOLE_AT_LEAST
                may &= (amount.low < WHOLE_AT_LEAST) | (rule.kind != "zero")
        for condition in found[len(rules) :]:
            if condition is not None:
                may &= condition.high > 0.5
        return may

    def may_break(self, outputs: Sequence[str], low: Array, high: Array) -> Array:
        """False where every output (a condition) is true at every value of a range that is covered and legal."""
        may = np.zeros(low.shape, dtype=bool)
        for condition in self.bounds_of([self.program.outputs[n].register for n in outputs], low, high):
            may |= condition.low < 0.5 if condition is not None else True
        return may & self.may_hold((), low, high)

    def depends(self, outputs: Sequence[str]) -> bool:
        """Whether any output is computed from the name."""
        needed = self.program.leading_to(*(self.program.outputs[n].register for n in outputs))
        inputs = {self.program.inputs[k] for k in needed if k < self.program.stage_register}
        first = self.program.register_of(0)
        asked = {i[1] for k in needed if k >= first and (i := self.program.instructions[k - first])[0] == "table"}
        return bool(inputs & set(self.following)) or bool(asked & self.figures)

    def bounds_of(self, registers: Sequence[int], low: Array, high: Array) -> list[Bounds | None]:
        """Bounds of registers over ranges; none of what changes the number of stages."""
        try:
            return list(self._bounds(registers, low, high))
        except ValueError:
            return [self._bound_alone(r, low, high) for r in registers]

    def _bound_alone(self, register: int, low: Array, high: Array) -> Bounds | None:
        try:
            return self._bounds([register], low, high)[0]
        except ValueError:
            return None

    def _bounds(self, registers: Sequence[int], low: Array, high: Array) -> list[Bounds]:
        given: dict[str, Bounds] = {n: _number(v) for n, v in self._plain_fixed.items()}
        first, last = self.columns(low), self.columns(high)
        for name in self.following:
            given[name] = Bounds(np.minimum(first[name], last[name]), np.maximum(first[name], last[name]))

        def lookup(name: str, dimensions: Sequence[Bounds]) -> Bounds:
            if name in self.figures:
                return Bounds(low[:, None], high[:, None])
            return self._table_bounds(name, dimensions)

        return bounds(self.program, registers, given, lookup, self._known)

    @cached_property
    def _plain_fixed(self) -> Mapping[str, float]:
        return {n: float(v) for n, v in self.fixed.items()}

    def _table_bounds(self, name: str, dimensions: Sequence[Bounds]) -> Bounds:
        assert self.machine is not None and self.system is not None
        if all(d.known for d in dimensions):
            exact = np.asarray(self.machine.lookup(name, *(d.low for d in dimensions)), dtype=float)
            return Bounds(exact, exact)
        entries, otherwise = measured(self.system, name)
        keys, numbers = np.array(list(entries), dtype=float), np.array(list(entries.values()), dtype=float)
        if name.partition(".")[0] in TIERS:
            every = np.append(numbers, otherwise)[None, :]
            return Bounds(every.min(-1, keepdims=True), every.max(-1, keepdims=True))
        shape = np.broadcast_shapes(*(d.low.shape for d in dimensions))
        low, high = np.full(shape, otherwise), np.full(shape, otherwise)
        near = np.ones(len(numbers), dtype=bool)
        for k, d in enumerate(dimensions if len(numbers) else ()):
            near &= (keys[:, k] >= d.low.min() - 1) & (keys[:, k] <= d.high.max() + 1)
        for key, value in zip(keys[near], numbers[near], strict=True):
            inside = np.ones(shape, dtype=bool)
            for size, d in zip(key, dimensions, strict=True):
                inside &= (d.low <= size + 0.5) & (d.high >= size - 0.5)
            low, high = np.where(inside, np.minimum(low, value), low), np.where(inside, np.maximum(high, value), high)
        return Bounds(low, high)

    def piece(self, output: str, at: float) -> Rational:
        """The rational function of the name that an output is around a value.

        Raises:
            NotRationalError: it is none.
            ArithmeticError: there is no value.
        """
        given = {n: constant(v) for n, v in self._plain_fixed.items()}
        for name, (factor, power) in self.following.items():
            x = variable(at)
            scaled = Rational(tuple(factor * c for c in x.above), x.below, factor * at)
            given[name] = scaled if power == 1 else Rational((factor,), x.above, factor / at)

        def lookup(name: str, *dimensions: float) -> Any:
            if name in self.figures:
                return variable(at)
            assert self.machine is not None
            return self.machine.lookup(name, *dimensions)

        return piece(self.program, output, given, lookup)


def formula_range(asked: Question, program: Program, following: Mapping[str, tuple[float, int]]) -> FormulaRange:
    """The range of a question's plan, with its own sizes and machine for all that does not follow the name."""
    machine = machine_for(asked.system, program)
    sizes = {n: float(v) for n, v in asked.plan.sizes.items()}
    values = {**sizes, **(machine.values if machine is not None else {})}
    return FormulaRange(
        program, {n: v for n, v in values.items() if n not in following}, following, machine, asked.system
    )


def _number(value: float) -> Bounds:
    only = np.array([value])
    return Bounds(only, only)
