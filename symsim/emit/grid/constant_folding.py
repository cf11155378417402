"""Programs with what is known put in: shorter, and several of them in one with what they share once.

A search knows the machine, the model and most choices; only a few sizes vary. Instructions on known
numbers are computed here, once, with the arithmetic of :mod:`symsim.emit.code`; a branch that cannot be
taken, a term that is 0 and a factor that is 1 go. Structural variants of one model differ in few
instructions: folded into one program, each of the others is there once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from symsim.emit.code import logarithm, power, rounded_down, rounded_up
from symsim.emit.grid.monotone_bounds import MonotoneBounds
from symsim.emit.grid.sign_analysis import Signs
from symsim.emit.program import Instruction, Lowering, Program, operands
from symsim.records.cost import Segment

if TYPE_CHECKING:
    import sympy

KnownTable = Callable[[str], float | None]
"""``known(name)`` → the one answer of a table, whatever is asked; ``None`` where it depends."""


@dataclass(frozen=True, slots=True)
class Known:
    """A number instead of a register. A whole number and its float differ: whole ones stay exact."""

    number: Any
    kind: type


def constant(number: Any) -> Known:
    return Known(number, type(number))


Operand = Known | int
"""A value: a number, or a register of the folded program."""


class Folder:
    """Makes one program over ``inputs``, which must have ``pp``, of formulas whose other names are numbers.

    Definitions of the parts ``without`` are left out: their numbers are not known.
    """

    def __init__(
        self,
        title: str,
        inputs: Sequence[str],
        numbers: Mapping[str, Any],
        table: KnownTable,
        without: Set[str] = frozenset(),
    ) -> None:
        self._title = title
        self._inputs = tuple(inputs)
        self._numbers = dict(numbers)
        self._table = table
        self._without = without
        self._named: dict[str, Operand] = {}
        self._instructions: list[Instruction] = []
        self._signs = Signs(self._instructions, len(self._inputs))
        self._seen: dict[tuple[Any, ...], int] = {}
        self._segments: dict[tuple[Any, ...], dict[str, Operand]] = {}
        self._amounts: dict[sympy.Expr, Operand] = {}
        self._no_box: set[str] = set()

    def know(self, numbers: Mapping[str, Any]) -> None:
        """More names that are numbers."""
        self._numbers |= numbers

    def name(self, name: str, operand: Operand) -> None:
        """The value of a name that no formula defines and that is neither an input nor a number."""
        self._named[name] = operand

    def input(self, name: str) -> Operand | None:
        """The value of a name that no formula defines."""
        if name in self._named:
            return self._named[name]
        if name in self._inputs:
            return self._inputs.index(name)
        if name == "i":
            return len(self._inputs)
        return constant(self._numbers[name]) if name in self._numbers else None

    def define(self, segments: Sequence[Segment]) -> dict[str, Operand]:
        """The definitions of a cost model, a segment at a time; one that is there already is not lowered again.

        Segments are known by identity.
        """
        environment: dict[str, Operand] = {}
        for segment in segments:
            given = [environment.get(name) for name in segment.free]
            key = (segment, *given)
            made = self._segments.get(key)
            if made is None:
                made = self._segments[key] = self._defined(segment, given)
            environment |= made
        return environment

    def amount(self, formula: sympy.Expr) -> int:
        """The register of a formula in sizes alone: what a rule is about."""
        if formula not in self._amounts:
            self._amounts[formula] = Lowering(self.emit, _Environment(self, {})).lower(formula)
        return self.register(self._amounts[formula])

    def add(self, program: Program, given: Mapping[str, Operand], wanted: Sequence[str]) -> list[int]:
        """Registers of some outputs of a program whose inputs are known here, or are ``given``."""
        place: dict[int, Operand] = {}
        for register, name in enumerate(program.inputs):
            operand = given[name] if name in given else self.input(name)
            if operand is not None:
                place[register] = operand
        place[program.stage_register] = len(self._inputs)
        bounds_at_ends = [program.outputs[n].register for n in wanted]
        for register in program.leading_to(*bounds_at_ends):
            if register > program.stage_register:
                operation, *arguments = program.instructions[register - program.register_of(0)]
                own = {"const": arguments, "table": arguments[:1]}.get(operation, [])
                place[register] = self.emit(operation, *own, *(place[a] for a in program.operands(register)))
        return [self.register(place[register]) for register in bounds_at_ends]

    def bound(self, target: int, parts: Sequence[int], positive: Sequence[int], sign: int) -> int | None:
        """The register of a bound: never above ``sign`` times the target, and made without ``parts``, which are
        not negative; ``None`` where signs do not prove one."""
        self._signs.declare(positive)
        way = self._signs.way(target, parts)
        if way is None or way * sign <= 0:
            return None
        place: dict[int, Operand] = dict.fromkeys(parts, constant(0))
        for register in self._signs.above(target, parts):
            operation, *arguments = instruction = self._instructions[register - len(self._inputs) - 1]
            own = arguments[:1] if operation == "table" else []
            place[register] = self.emit(operation, *own, *(place.get(r, r) for r in operands(instruction)))
        return self.register(place.get(target, target))

    def boxes(
        self, conditions: Sequence[int], counts: Sequence[int], axes: Mapping[str, Sequence[Any]]
    ) -> list[tuple[int, int]]:
        """Of each condition one that holds nowhere in a box unless it does, and one that holds everywhere if it does.

        A box has all values of those axes along which this is known, of all conditions so far. ``counts`` are
        registers that are not negative since they count something. Empty where there is no such axis.
        """
        self._signs.declare(counts)
        along = {}
        for name in [name for name in axes if name not in self._no_box]:
            place = self._inputs.index(name)
            bounds_at_ends = MonotoneBounds(self._instructions, self._signs, self._emitted, {place: axes[name]})
            # At the ends of an axis there may be no plan: what counts something elsewhere may be negative there.
            if any(bounds_at_ends.of(count) != (count, count) for count in counts) or None in map(
                bounds_at_ends.of, conditions
            ):
                self._no_box.add(name)
            else:
                along[place] = axes[name]
        if not along:
            return []
        bounds_at_ends = MonotoneBounds(self._instructions, self._signs, self._emitted, along)
        return [(high, low) for low, high in filter(None, map(bounds_at_ends.of, conditions))]

    def _emitted(self, operation: str, *arguments: Any) -> int:
        return self.register(self.emit(operation, *arguments))

    def program(self) -> Program:
        return Program(self._title, self._inputs, tuple(self._instructions), {}, ())

    def register(self, operand: Operand) -> int:
        """The register of an operand; a number gets one."""
        return self._append("const", operand.number) if isinstance(operand, Known) else operand

    def _defined(self, segment: Segment, given: Sequence[Operand | None]) -> dict[str, Operand]:
        from symsim.symbols import symbol

        earlier = {symbol(n): v for n, v in zip(segment.free, given, strict=True) if v is not None}
        environment = _Environment(self, earlier)
        lowering = Lowering(self.emit, environment)
        made: dict[str, Operand] = {}
        for definition in segment.definitions:
            if definition.part in self._without:
                continue
            made[definition.name] = environment[symbol(definition.name)] = lowering.lower(definition.expression)
        return made

    def _append(self, *instruction: Any) -> int:
        key = (*instruction, type(instruction[1])) if instruction[0] == "const" else instruction
        place = self._seen.get(key)
        if place is None:
            self._instructions.append(instruction)
            place = self._seen[key] = len(self._inputs) + len(self._instructions)
        return place

    def emit(self, operation: str, *arguments: Any) -> Operand:
        """What an instruction on operands comes to."""
        if operation == "const":
            return constant(arguments[0])
        if operation == "table":
            only = self._table(arguments[0])
            if only is not None:
                return constant(only)
            return self._append("table", arguments[0], *map(self.register, arguments[1:]))
        given = list(arguments)
        if operation in _NUMBERS and all(isinstance(v, Known) for v in given):
            try:
                return constant(_NUMBERS[operation](*(v.number for v in given)))
            except ArithmeticError:
                # No number: left to the machine of arrays, which answers NaN or infinity there.
                return self._append(operation, *map(self.register, given))
        simpler = _SIMPLER.get(operation)
        short = simpler(given) if simpler is not None else None
        if short is not None:
            if not isinstance(short, list):
                return short
            given = short
        return self._append(operation, *map(self.register, given))


class _Environment(dict[Any, Any]):
    """Names of formulas, then inputs and numbers of the folder."""

    def __init__(self, folder: Folder, own: dict[sympy.Expr, Any]) -> None:
        super().__init__(own)
        self._folder = folder

    def get(self, key: Any, default: Any = None) -> Any:
        found = super().get(key)
        if found is None and key.is_Symbol:
            found = self._folder.input(key.name)
        return default if found is None else found


_Short = list[Operand] | Operand | None
"""Fewer operands, or what the whole is, or ``None``: nothing to gain."""


def _gathered(given: list[Operand], compute: Callable[..., Any], neutral: Any) -> _Short:
    """Known operands made one, which goes if it changes nothing."""
    known = [v.number for v in given if isinstance(v, Known)]
    rest = [v for v in given if not isinstance(v, Known)]
    if not known:
        return None
    together = compute(known)
    kept: list[Operand] = list(rest) if together == neutral else [*rest, constant(together)]
    return kept if len(kept) > 1 else kept[0]


def _sum(given: list[Operand]) -> _Short:
    return _gathered(given, sum, 0)


def _product(given: list[Operand]) -> _Short:
    if any(isinstance(v, Known) and v.number == 0 for v in given):
        return constant(0)
    return _gathered(given, math.prod, 1)


def _quotient(given: list[Operand]) -> _Short:
    above, below = given
    if isinstance(above, Known) and above.number == 0:
        return above
    return above if isinstance(below, Known) and below.number == 1 else None


def _choice(given: list[Operand]) -> _Short:
    condition, a, b = given
    if isinstance(condition, Known):
        return a if condition.number != 0 else b
    return a if a is b or (isinstance(a, int) and a == b) else None


def _power(given: list[Operand]) -> _Short:
    base, exponent = given
    return base if isinstance(exponent, Known) and exponent.number == 1 else None


_SIMPLER: Mapping[str, Callable[[list[Operand]], _Short]] = {
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
    "pow": power,
    "min": lambda *v: min(v),
    "max": lambda *v: max(v),
    "floor": rounded_down,
    "ceil": rounded_up,
    "log": logarithm,
    "mod": lambda a, b: a % b,
    "equal": lambda a, b: int(a == b),
    "less": lambda a, b: int(a < b),
    "at_most": lambda a, b: int(a <= b),
    "where": lambda c, a, b: a if c else b,
}
"""Operations on numbers; reductions over stages stay, whatever they are of."""
