"""Programs with what is known put in: shorter, and several of them in one with what they share once.

A search knows the machine, the model and most choices; only a few sizes vary. Instructions on known
numbers are computed here, once, with the arithmetic of :mod:`symsim.emit.code`; a branch that cannot be
taken, a term that is 0 and a factor that is 1 go. Structural variants of one model differ in few
instructions: folded into one program, each of the others is there once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symsim.emit.code import rounded_down, rounded_up
from symsim.emit.program import CheckedRule, Instruction, Output, Program

KnownTable = Callable[[str], float | None]
"""``known(name)`` → the one answer of a table, whatever is asked; ``None`` where it depends."""


class Folder:
    """Takes programs over any inputs; makes one over ``inputs``, which must have ``pp``."""

    def __init__(self, title: str, inputs: Sequence[str]) -> None:
        self._title = title
        self._inputs = tuple(inputs)
        self._instructions: list[Instruction] = []
        self._seen: dict[tuple[Any, ...], int] = {}
        self._outputs: dict[str, Output] = {}
        self._rules: list[CheckedRule] = []

    @property
    def _first(self) -> int:
        return len(self._inputs) + 1

    def add(
        self,
        program: Program,
        known: Mapping[str, Any],
        table: KnownTable,
        wanted: Mapping[str, str],
        rules: bool = True,
    ) -> tuple[CheckedRule, ...]:
        """Put one program in: outputs ``wanted[name]`` under ``name``, and its rules, which are returned.

        Inputs of the program are in ``known`` or among those of the whole.
        """
        place: dict[int, _Value] = {}
        for register, name in enumerate(program.inputs):
            if name in self._inputs:
                place[register] = self._inputs.index(name)
            elif name in known:
                place[register] = _Known(known[name])
        place[program.stage_register] = len(self._inputs)
        ends = [program.outputs[n].register for n in wanted.values()]
        ends += [r.register for r in program.rules] if rules else []
        for register in program.leading_to(*ends):
            if register > program.stage_register:
                operation, *arguments = program.instructions[register - program.register_of(0)]
                place[register] = self._folded(operation, arguments, place, table)
        for name, inner in wanted.items():
            output = program.outputs[inner]
            self._outputs[name] = Output(self._register(place[output.register]), output.scope, output.unit, output.part)
        if not rules:
            return ()
        found = tuple(CheckedRule(self._register(place[r.register]), r.kind, r.message, r.names) for r in program.rules)
        self._rules += (r for r in found if r not in self._rules)
        return found

    @property
    def outputs(self) -> Mapping[str, Output]:
        return self._outputs

    def program(self) -> Program:
        return Program(self._title, self._inputs, tuple(self._instructions), dict(self._outputs), tuple(self._rules))

    def _register(self, value: _Value) -> int:
        return self._emit("const", value.number) if isinstance(value, _Known) else value

    def _emit(self, *instruction: Any) -> int:
        # A whole number and its float are told apart: whole ones stay exact.
        key = (*instruction, type(instruction[1])) if instruction[0] == "const" else instruction
        place = self._seen.get(key)
        if place is None:
            self._instructions.append(instruction)
            place = self._seen[key] = self._first + len(self._instructions) - 1
        return place

    def _folded(self, operation: str, arguments: list[Any], place: dict[int, _Value], table: KnownTable) -> _Value:
        if operation == "const":
            return _Known(arguments[0])
        if operation == "table":
            constant = table(arguments[0])
            if constant is not None:
                return _Known(constant)
            return self._emit("table", arguments[0], *(self._register(place[a]) for a in arguments[1:]))
        given = [place[a] for a in arguments]
        if operation in _NUMBERS and all(isinstance(v, _Known) for v in given):
            try:
                return _Known(_NUMBERS[operation](*(v.number for v in given if isinstance(v, _Known))))
            except ArithmeticError:
                # No number: left to the machine of arrays, which answers NaN or infinity there.
                return self._emit(operation, *map(self._register, given))
        simpler = _SIMPLER.get(operation)
        short = simpler(given) if simpler is not None else None
        if short is not None:
            if not isinstance(short, list):
                return short
            given = short
        return self._emit(operation, *map(self._register, given))


class _Known:
    """A number instead of a register."""

    __slots__ = ("number",)

    def __init__(self, number: Any) -> None:
        self.number = number


_Value = _Known | int
_Short = list[_Value] | _Value | None
"""Fewer operands, or what the whole is, or ``None``: nothing to gain."""


def _gathered(given: list[_Value], compute: Callable[..., Any], neutral: Any) -> _Short:
    """Known operands made one, which goes if it changes nothing."""
    known = [v.number for v in given if isinstance(v, _Known)]
    rest = [v for v in given if not isinstance(v, _Known)]
    if not known:
        return None
    together = compute(known)
    kept: list[_Value] = list(rest) if together == neutral else [*rest, _Known(together)]
    return kept if len(kept) > 1 else kept[0]


def _sum(given: list[_Value]) -> _Short:
    return _gathered(given, sum, 0)


def _product(given: list[_Value]) -> _Short:
    if any(isinstance(v, _Known) and v.number == 0 for v in given):
        return _Known(0)
    return _gathered(given, math.prod, 1)


def _quotient(given: list[_Value]) -> _Short:
    above, below = given
    if isinstance(above, _Known) and above.number == 0:
        return above
    return above if isinstance(below, _Known) and below.number == 1 else None


def _choice(given: list[_Value]) -> _Short:
    condition, a, b = given
    if isinstance(condition, _Known):
        return a if condition.number != 0 else b
    return a if a is b or (isinstance(a, int) and a == b) else None


def _power(given: list[_Value]) -> _Short:
    base, exponent = given
    return base if isinstance(exponent, _Known) and exponent.number == 1 else None


_SIMPLER: Mapping[str, Callable[[list[_Value]], _Short]] = {
    "add": _sum,
    "mul": _product,
    "div": _quotient,
    "pow": _power,
    "where": _choice,
    "min": lambda given: _gathered(given, min, math.inf),
    "max": lambda given: _gathered(given, max, -math.inf),
}

_NUMBERS: Mapping[str, Callable[..., Any]] = {
    "add": lambda *v: sum(v),
    "mul": lambda *v: math.prod(v),
    "div": lambda a, b: a / b,
    "pow": lambda a, b: a**b,
    "min": min,
    "max": max,
    "floor": rounded_down,
    "ceil": rounded_up,
    "log": math.log,
    "mod": lambda a, b: a % b,
    "equal": lambda a, b: int(a == b),
    "less": lambda a, b: int(a < b),
    "at_most": lambda a, b: int(a <= b),
    "where": lambda c, a, b: a if c else b,
}
"""Operations on numbers; reductions over stages stay, whatever they are of."""
