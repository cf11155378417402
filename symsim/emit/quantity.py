"""A user's expression added to a program: ``memory.peak <= 0.95 * memory.capacity`` becomes instructions.

So what a search minimises, a constraint checks, a derivative is taken of and a solver brackets is one
more output of the same program, over numbers or over arrays. Conditions are 1 or 0; comparisons of
words (``schedule == gpipe``) are decided while lowering, because a program has one structure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from symsim.diagnostics import Place, error, nearest
from symsim.emit.program import REDUCING, Instruction, Output, Program, with_inputs
from symsim.language import tree
from symsim.language.expressions import Plain, Value, Word, evaluate, names_in, out_of_bounds, parts_of
from symsim.language.figures import canonical
from symsim.language.function_table import FUNCTIONS, STAGE_FUNCTIONS, check_count
from symsim.records.cost import RUN_PARTS

ALIASES = {"microbatches": "m", "mfu": "throughput.mfu", "iteration": "time.iteration", "peak_memory": "memory.peak"}
"""Names of answers that formulas call otherwise."""


def in_formulas(name: str) -> str:
    """What formulas call a name: ``mfu`` is ``throughput.mfu``, ``nvlink.bandwidth`` is ``link.bandwidth``."""
    return ALIASES.get(name, canonical(name))


@dataclass(frozen=True, slots=True)
class Names:
    """What names may mean besides outputs of the program.

    ``constants`` are values of the structure and of the model: numbers, words, flags and sets.
    ``inputs`` are names that may become inputs of the program though no formula has them yet: sizes of
    a space and figures of a machine.
    """

    constants: Mapping[str, Value]
    inputs: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class _Lowered:
    register: int
    flag: bool
    staged: bool


def with_quantities(program: Program, quantities: Mapping[str, tree.Expression], names: Names) -> Program:
    """The program with one more output, of a run, for each of ``quantities``.

    A condition on what differs between stages must hold on every stage. Inputs that only the
    quantities need come after those of the program.

    Raises:
        InputError: an unknown name, a wrong type, a division by 0, a number that differs between stages.
    """
    fresh = _fresh_inputs(program, quantities.values(), names)
    lowering = _Lowering(with_inputs(program, fresh), names)
    outputs = dict(lowering.program.outputs)
    for name, node in quantities.items():
        found = lowering.of_run(lowering.lower(node), node.place)
        outputs[name] = Output(found.register, "run", "" if found.flag else "quantity", "quantity")
    return replace(lowering.program, instructions=tuple(lowering.instructions), outputs=outputs)


def is_condition(program: Program, name: str) -> bool:
    """Whether a quantity of :func:`with_quantities` is 1 or 0."""
    return program.outputs[name].unit == ""


def _fresh_inputs(program: Program, nodes: Iterable[tree.Expression], names: Names) -> tuple[str, ...]:
    asked = dict.fromkeys(n for node in nodes for n in sorted(names_in(node)))
    known = {*program.inputs, *program.outputs, *ALIASES}
    called = dict.fromkeys(n if n in names.inputs else canonical(n) for n in asked)
    return tuple(n for n in called if n in names.inputs and n not in known and n not in names.constants)


class _Lowering:
    def __init__(self, program: Program, names: Names) -> None:
        self.program = program
        self.instructions: list[Instruction] = list(program.instructions)
        self._constants = Plain(names.constants)
        first = program.register_of(0)
        self._seen = {instruction: first + k for k, instruction in enumerate(program.instructions)}
        self._given = {*names.inputs, *names.constants}
        self._known = (*program.outputs, *program.inputs, *names.constants, *names.inputs, *ALIASES)
        self._bits: dict[int, int] = {}
        """Bits that registers made here can need, where a name of the program has :data:`NAME_BITS`."""

    def lower(self, node: tree.Expression) -> _Lowered:
        found = self._lower(node)
        if self._bits.get(found.register, 0) > MAX_BITS:
            raise out_of_bounds("number", node.place)
        return found

    def _lower(self, node: tree.Expression) -> _Lowered:
        if not any(self._is_of_program(n) for n in names_in(node)) and not _has_stages(node):
            return self._constant(evaluate(node, self._constants), node.place)
        match node:
            case tree.Name(name=name, place=place):
                return self._name(name, place)
            case tree.Unary(operator="not", operand=operand):
                inner = self._flag(operand)
                return self._emit("equal", (inner, self._number_constant(0)), flag=True)
            case tree.Unary(operand=operand):
                return self._emit("mul", (self._number_constant(-1), self._number(operand)))
            case tree.Binary():
                return self._binary(node)
            case tree.Choose(then=then, condition=condition, other=other):
                chosen, a, b = self._flag(condition), self.lower(then), self.lower(other)
                if a.flag != b.flag:
                    raise error(
                        "E207", "both sides of 'if' must be of one kind", node.place, "two numbers, or two flags"
                    )
                return self._emit("where", (chosen, a, b), flag=a.flag)
            case tree.Apply(function=function, arguments=arguments, place=place):
                return self._apply(function, arguments, place)
        raise error("E207", "expected a number or a condition", node.place, "for example memory.peak <= 60 GiB")

    def of_run(self, found: _Lowered, place: Place) -> _Lowered:
        """A condition of every stage; a number of a run.

        Raises:
            InputError: a number that each stage has its own of.
        """
        if not found.staged:
            return found
        if not found.flag:
            hint = "memory.peak is the largest of peak; max_stages(x) and sum_stages(x) make one number"
            raise error("E345", "this differs between pipeline stages", place, hint)
        broken = self._emit("equal", (found, self._number_constant(0)), flag=True)
        anywhere = self._emit("stage_max", (broken,), flag=True)
        return self._emit("equal", (anywhere, self._number_constant(0)), flag=True)

    def _is_of_program(self, name: str) -> bool:
        if name in self.program.outputs or name in self.program.inputs:
            return True
        if name in self._constants.values:
            return False
        return name in ALIASES or "." in name

    def _name(self, name: str, place: Place) -> _Lowered:
        if name not in self.program.outputs and name not in self.program.inputs:
            name = in_formulas(name)
        if name in self.program.outputs:
            output = self.program.outputs[name]
            self._check_given(name, output.part, place)
            return _Lowered(output.register, False, output.scope == "stage")
        if name in RUN_HINTS and name not in self._given:
            raise error("E322", f"no value is given for {name}", place, RUN_HINTS[name])
        if name in self.program.inputs:
            if name in RUN_HINTS and name not in self._given:
                raise error("E322", f"no value is given for '{name}'", place, RUN_HINTS[name])
            return _Lowered(self.program.inputs.index(name), False, False)
        raise error("E203", f"unknown name '{name}'", place, nearest(name, self._known))

    def _check_given(self, name: str, part: str, place: Place) -> None:
        """Raises InputError where an answer needs what the question may leave out, and does."""
        missing = [n for n in RUN_PARTS.get(part, ()) if n not in self._given]
        if missing:
            hint = "; ".join(RUN_HINTS[n] for n in missing)
            raise error("E322", f"'{name}' needs {' and '.join(missing)}", place, hint)

    def _constant(self, value: Value, place: Place) -> _Lowered:
        if isinstance(value, Word):
            raise error("E203", f"unknown name '{value}'", value.place, nearest(value, self._known))
        if isinstance(value, bool):
            return replace(self._number_constant(int(value)), flag=True)
        if isinstance(value, int | float):
            return self._number_constant(value)
        if isinstance(value, Fraction):
            return self._emit("div", (self._number_constant(value.numerator), self._number_constant(value.denominator)))
        raise error("E207", "expected a number or a condition", place, "for example memory.peak <= 60 GiB")

    def _number_constant(self, value: float) -> _Lowered:
        return self._emit("const", (), value)

    def _number(self, node: tree.Expression) -> _Lowered:
        found = self.lower(node)
        if found.flag:
            raise error("E207", "expected a number, not a condition", node.place, "a number is written 8, 0.5 or 2 * 4")
        return found

    def _flag(self, node: tree.Expression) -> _Lowered:
        found = self.lower(node)
        if not found.flag:
            hint = "a condition is true, false or a comparison such as tp <= 8"
            raise error("E207", "expected a condition, not a number", node.place, hint)
        return found

    def _binary(self, node: tree.Binary) -> _Lowered:
        operator = node.operator
        if operator in ("and", "or"):
            sides = (self._flag(node.left), self._flag(node.right))
            return self._emit("min" if operator == "and" else "max", sides, flag=True)
        if operator == "in":
            left = self._number(node.left)
            if isinstance(node.right, tree.SetOf) and any(map(self._is_of_program, names_in(node.right))):
                items = [self._emit("equal", (left, self._number(i)), flag=True) for i in node.right.items]
                return self._emit("max", tuple(items), flag=True)
            among = evaluate(node.right, self._constants)
            if not isinstance(among, frozenset) or not all(isinstance(v, int | Fraction) for v in among):
                raise error(
                    "E207", "expected a set of numbers after 'in'", node.right.place, "for example tp in {1, 2, 4}"
                )
            return self._member(left, sorted(among), node.right.place)
        if operator == "**":
            return self._power(node)
        left, right = self._number(node.left), self._number(node.right)
        if operator in ("/", "%") and right.register == self._number_constant(0).register:
            raise error("E208", "division by zero", node.right.place, "the divisor is 0 with the values given")
        match operator:
            case "+":
                return self._emit("add", (left, right))
            case "-":
                return self._emit("add", (left, self._emit("mul", (self._number_constant(-1), right))))
            case "*":
                return self._emit("mul", (left, right))
            case "/":
                return self._emit("div", (left, right))
            case "%":
                return self._emit("mod", (left, right))
            case "==":
                return self._emit("equal", (left, right), flag=True)
            case "!=":
                same = self._emit("equal", (left, right), flag=True)
                return self._emit("equal", (same, self._number_constant(0)), flag=True)
            case "<":
                return self._emit("less", (left, right), flag=True)
            case ">":
                return self._emit("less", (right, left), flag=True)
            case "<=":
                return self._emit("at_most", (left, right), flag=True)
            case ">=":
                return self._emit("at_most", (right, left), flag=True)
        raise AssertionError(operator)

    def _member(self, left: _Lowered, among: list[Any], place: Place) -> _Lowered:
        """1 where a number is one of some: between the ends of a range, or equal to one of the rest."""
        if len(among) > 2 and all(isinstance(v, int) for v in among) and among[-1] - among[0] == len(among) - 1:
            first, last = self._constant(among[0], place), self._constant(among[-1], place)
            inside = (
                self._emit("at_most", (first, left), flag=True),
                self._emit("at_most", (left, last), flag=True),
                self._emit("equal", (left, self._emit("floor", (left,))), flag=True),
            )
            return self._emit("min", inside, flag=True)
        if len(among) > MAX_MEMBERS:
            message = f"a set of {len(among):,} numbers after 'in'"
            raise error("E206", message, place, f"at most {MAX_MEMBERS:,}, or a range: tp in 1..8")
        each = [self._emit("equal", (left, self._constant(v, place)), flag=True) for v in among]
        return self._emit("max", tuple(each), flag=True) if each else replace(self._number_constant(0), flag=True)

    def _power(self, node: tree.Binary) -> _Lowered:
        if any(self._is_of_program(n) for n in names_in(node.right)):
            raise error("E209", "an exponent must be a whole number up to 16", node.right.place, "for example x ** 2")
        base = self._number(node.left)
        exponent = evaluate(node.right, self._constants)
        if not isinstance(exponent, int) or abs(exponent) > 16:
            raise error("E209", "an exponent must be a whole number up to 16", node.right.place, "for example x ** 2")
        power = self._emit("pow", (base, self._number_constant(abs(exponent))))
        self._bits[power.register] = self._bits.get(base.register, NAME_BITS) * abs(exponent)
        return power if exponent >= 0 else self._emit("div", (self._number_constant(1), power))

    def _apply(self, function: str, arguments: tuple[tree.Expression, ...], place: Place) -> _Lowered:
        if function not in FUNCTIONS and function not in STAGE_FUNCTIONS:
            raise error(
                "E204", f"unknown function '{function}'", place, nearest(function, [*FUNCTIONS, *STAGE_FUNCTIONS])
            )
        check_count(function, len(arguments), place)
        numbers = tuple(self._number(a) for a in arguments)
        if function in STAGE_FUNCTIONS:
            return replace(self._emit(_REDUCTION_OF[function], numbers), staged=False)
        if function in ("min", "max"):
            return numbers[0] if len(numbers) == 1 else self._emit(function, numbers)
        if function in ("ceil", "floor"):
            return self._emit(function, numbers)
        if function == "several":
            return self._emit("less", (self._number_constant(1), *numbers))
        raise error("E205", f"{function}() cannot be taken of what a plan decides", place, "use it on given numbers")

    def _emit(
        self, operation: str, arguments: tuple[_Lowered, ...], constant: Any = None, flag: bool = False
    ) -> _Lowered:
        own = () if constant is None else (constant,)
        instruction = (operation, *own, *(a.register for a in arguments))
        known = self._seen.get(instruction)
        # 1 and 1.0 are one key, and one number.
        if known is None:
            self.instructions.append(instruction)
            known = self._seen[instruction] = self.program.register_of(len(self.instructions) - 1)
        self._bits[known] = self._needed(
            operation, constant, [self._bits.get(a.register, NAME_BITS) for a in arguments]
        )
        staged = operation not in REDUCING and any(a.staged for a in arguments)
        return _Lowered(known, flag, staged)

    def _needed(self, operation: str, constant: Any, read: list[int]) -> int:
        match operation:
            case "const":
                return math.frexp(constant)[1] if isinstance(constant, float) else int(constant).bit_length()
            case "mul" | "div" | "mod":
                return sum(read)
            case "equal" | "less" | "at_most":
                return 1
        return max(read) + 1


MAX_MEMBERS = 1000
"""Most numbers after 'in' that are no range: each is compared."""

NAME_BITS = 40
"""Bits of what a name stands for: 10^12 of something."""

MAX_BITS = 1000
"""Most bits that an expression can need: beyond, its value is no float any more."""

_REDUCTION_OF = {"max_stages": "stage_max", "sum_stages": "stage_sum"}
"""Function of pipeline stages → the operation of a program."""


def _has_stages(node: tree.Expression) -> bool:
    """Whether an expression takes a function of pipeline stages somewhere."""
    own = isinstance(node, tree.Apply) and node.function in STAGE_FUNCTIONS
    return own or any(map(_has_stages, parts_of(node)))


RUN_HINTS = {
    "tokens": "add --tokens 10T, or tokens = 10T",
    "price": "add --price 2.5, the price of a GPU-hour, or price = 2.5",
    "gpu.power": "state gpu.power in the machine's file, or --set gpu.power='700 W'",
}
"""How what a whole run needs is given."""
