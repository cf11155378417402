"""A cost model as a straight-line program: plain data that is checked before it is believed.

Registers are numbered: the inputs, then the stage index, then one for each instruction. Common
sub-expressions share a register. The program is what the disk cache holds: lists of operation names
and numbers, never source text, so that reading one can run nothing but arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import sympy

    from symsim.records.cost import CostModel

OPERATIONS: Mapping[str, int] = {
    "add": -1,
    "mul": -1,
    "div": 2,
    "pow": 2,
    "min": -1,
    "max": -1,
    "floor": 1,
    "ceil": 1,
    "log": 1,
    "mod": 2,
    "equal": 2,
    "less": 2,
    "at_most": 2,
    "where": 3,
    "stage_sum": 1,
    "stage_max": 1,
    "stage_pick": 2,
    "sum_before": 1,
    "max_to": 1,
    "max_from": 1,
    "pick_to": 2,
    "pick_from": 2,
}
"""Operation → number of registers it takes (−1: one or more). ``const`` and ``table`` are handled apart."""

REDUCING = frozenset({"stage_sum", "stage_max", "stage_pick"})
"""Over all stages: one number."""

SCANNING = frozenset({"sum_before", "max_to", "max_from", "pick_to", "pick_from"})
"""Over some of the stages: one number for each stage. A pick is the value where the key is largest, as
derivatives of the two maxima need it."""

Instruction = tuple[Any, ...]
"""``("const", number)``, ``("table", name, register, …)`` or ``(operation, register, …)``."""


@dataclass(frozen=True, slots=True)
class Output:
    """One definition of the cost model, with the register that holds it."""

    register: int
    scope: str
    unit: str
    part: str


@dataclass(frozen=True, slots=True)
class CheckedRule:
    register: int
    kind: str
    message: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Program:
    title: str
    inputs: tuple[str, ...]
    instructions: tuple[Instruction, ...]
    outputs: Mapping[str, Output]
    rules: tuple[CheckedRule, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    """Values of the inputs that belong to a framework."""

    @property
    def stage_register(self) -> int:
        return len(self.inputs)

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that the program asks."""
        return tuple(dict.fromkeys(i[1] for i in self.instructions if i[0] == "table"))

    def register_of(self, position: int) -> int:
        """The register that the instruction at a position fills."""
        return len(self.inputs) + 1 + position

    def operands(self, register: int) -> tuple[int, ...]:
        """The registers that a register is computed from; none for an input."""
        first = self.register_of(0)
        return operands(self.instructions[register - first]) if register >= first else ()

    def leading_to(self, *wanted: int) -> list[int]:
        """The wanted registers and all that they are computed from, in order."""
        needed: set[int] = set()
        pending = list(wanted)
        while pending:
            register = pending.pop()
            if register not in needed:
                needed.add(register)
                pending += self.operands(register)
        return sorted(needed)


def operands(instruction: Instruction) -> tuple[int, ...]:
    """The registers that an instruction reads."""
    if instruction[0] == "const":
        return ()
    return instruction[2:] if instruction[0] == "table" else instruction[1:]


def joined(programs: Sequence[Program]) -> tuple[Program, list[dict[int, int]]]:
    """Programs over the same inputs as one, what they share there once; and where it has the registers of each.

    Outputs and rules are left out.
    """
    first = programs[0]
    instructions: list[Instruction] = []
    seen: dict[Instruction, int] = {}
    places = []
    for program in programs:
        place = {k: k for k in range(first.stage_register + 1)}
        for position, instruction in enumerate(program.instructions):
            moved = renumbered(instruction, place.__getitem__)
            known = seen.get(moved)
            if known is None:
                instructions.append(moved)
                known = seen[moved] = first.stage_register + len(instructions)
            place[program.register_of(position)] = known
        places.append(place)
    return Program(first.title, first.inputs, tuple(instructions), {}, ()), places


def with_inputs(program: Program, fresh: tuple[str, ...]) -> Program:
    """The same program with more inputs, after its own: every later register moves up."""
    if not fresh:
        return program
    old, by = len(program.inputs), len(fresh)
    return replace(
        program,
        inputs=(*program.inputs, *fresh),
        instructions=tuple(renumbered(i, lambda k: k if k < old else k + by) for i in program.instructions),
        outputs={n: replace(o, register=o.register + by * (o.register >= old)) for n, o in program.outputs.items()},
        rules=tuple(replace(r, register=r.register + by * (r.register >= old)) for r in program.rules),
    )


def renumbered(instruction: Instruction, place: Callable[[int], int]) -> Instruction:
    """An instruction that reads its registers where ``place`` says that they are now."""
    operation, *arguments = instruction
    if operation == "const":
        return instruction
    own = arguments[:1] if operation == "table" else []
    return (operation, *own, *map(place, operands(instruction)))


def assemble(cost: CostModel) -> Program:
    """Lower the formulas of a cost model; definitions are shared, not copied."""
    from symsim.symbols import symbol

    instructions: list[Instruction] = []
    seen: dict[Instruction, int] = {}
    first = len(cost.inputs) + 1

    def emit(*instruction: Any) -> int:
        known = seen.get(instruction)
        if known is None:
            instructions.append(instruction)
            known = seen[instruction] = first + len(instructions) - 1
        return known

    known = {symbol(name): register for register, name in enumerate((*cost.inputs, "i"))}
    lowering = Lowering(emit, known)
    outputs: dict[str, Output] = {}
    for definition in cost.definitions:
        register = known[symbol(definition.name)] = lowering.lower(definition.expression)
        outputs[definition.name] = Output(register, definition.scope, definition.unit, definition.part)
    rules = tuple(CheckedRule(lowering.lower(r.amount), r.kind, r.message, r.names) for r in cost.rules)
    return Program(cost.title, cost.inputs, tuple(instructions), outputs, rules, dict(cost.figures))


class Lowering:
    """Formulas to instructions.

    ``emit(operation, …)`` gives the result: a register, or what the caller takes for one.
    ``known`` has the formulas that are there already, names above all; it grows.
    """

    def __init__(self, emit: Callable[..., Any], known: dict[sympy.Expr, Any]) -> None:
        self._emit = emit
        self._known = known

    def lower(self, expression: sympy.Expr) -> Any:
        known = self._known.get(expression)
        if known is None:
            known = self._known[expression] = self._lower(expression)
        return known

    def _lower(self, e: sympy.Expr) -> Any:
        if e.is_Integer:
            return self._emit("const", int(e))
        if e.is_Rational:
            return self._emit("div", self._emit("const", int(e.p)), self._emit("const", int(e.q)))
        if e.is_Float:
            return self._emit("const", float(e))
        if e.is_Add:
            return self._emit("add", *map(self.lower, e.args))
        if e.is_Mul:
            return self._product(e)
        if e.is_Pow:
            return self._power(e.base, e.exp)
        kind = type(e).__name__
        if kind == "table":
            return self._emit("table", str(e.args[0]), *map(self.lower, e.args[1:]))
        if kind == "measured":
            entry, otherwise = map(self.lower, e.args)
            return self._emit("where", entry, entry, otherwise)
        operation = {"maximum": "max", "minimum": "min", "ceiling": "ceil", "remainder": "mod"}.get(kind, kind)
        if operation not in OPERATIONS:
            raise AssertionError(f"no operation for {e}")
        return self._emit(operation, *map(self.lower, e.args))

    def _product(self, e: sympy.Expr) -> Any:
        """Numerator over denominator: one division, and whole numbers stay whole as long as they can."""
        above: list[Any] = []
        below: list[Any] = []
        for factor in e.args:
            if factor.is_Rational and not factor.is_Integer:
                if factor.p != 1:
                    above.append(self._emit("const", int(factor.p)))
                below.append(self._emit("const", int(factor.q)))
            elif factor.is_Pow and factor.exp.is_negative:
                below.append(self._power(factor.base, -factor.exp))
            else:
                above.append(self.lower(factor))
        top = self._join("mul", above)
        return self._emit("div", top, self._join("mul", below)) if below else top

    def _join(self, operation: str, operands: list[Any]) -> Any:
        if not operands:
            return self._emit("const", 1)
        return operands[0] if len(operands) == 1 else self._emit(operation, *operands)

    def _power(self, base: sympy.Expr, exponent: sympy.Expr) -> Any:
        if exponent == 1:
            return self.lower(base)
        if exponent.is_negative:
            return self._emit("div", self._emit("const", 1), self._power(base, -exponent))
        return self._emit("pow", self.lower(base), self.lower(exponent))


def to_json(program: Program) -> dict[str, Any]:
    return {
        "title": program.title,
        "inputs": list(program.inputs),
        "instructions": [list(i) for i in program.instructions],
        "outputs": {n: [o.register, o.scope, o.unit, o.part] for n, o in program.outputs.items()},
        "rules": [[r.register, r.kind, r.message, list(r.names)] for r in program.rules],
        "figures": dict(program.figures),
    }


def from_json(data: Any) -> Program:
    """A program read from outside, checked in full: its form, and that its arithmetic has an end.

    Raises:
        ValueError: anything but the lists, names and numbers that :func:`to_json` writes, or numbers that grow
            without bound.
    """
    from symsim.emit.magnitude import bits_of

    _expect(isinstance(data, dict) and set(data) == {"title", "inputs", "instructions", "outputs", "rules", "figures"})
    _expect(isinstance(data["title"], str) and _texts(data["inputs"]))
    inputs = tuple(data["inputs"])
    first = len(inputs) + 1
    _expect("pp" in inputs)
    _expect(isinstance(data["instructions"], list) and len(data["instructions"]) <= MAX_INSTRUCTIONS)
    instructions: list[Instruction] = []
    for position, raw in enumerate(data["instructions"]):
        _expect(isinstance(raw, list) and len(raw) >= 2 and isinstance(raw[0], str))
        operation, *arguments = raw
        if operation == "const":
            _expect(len(arguments) == 1 and _number(arguments[0]))
        elif operation == "table":
            _expect(isinstance(arguments[0], str) and _registers(arguments[1:], first + position))
        else:
            wanted = OPERATIONS.get(operation)
            _expect(wanted is not None and wanted in (-1, len(arguments)) and len(arguments) <= MAX_OPERANDS)
            _expect(_registers(arguments, first + position))
        instructions.append((operation, *arguments))
    limit = first + len(instructions)
    staged = _staged(first, instructions)
    outputs: dict[str, Output] = {}
    _expect(isinstance(data["outputs"], dict))
    for name, raw in data["outputs"].items():
        _expect(isinstance(raw, list) and len(raw) == 4 and _registers(raw[:1], limit) and _texts(raw[1:]))
        _expect(raw[1] == "stage" or (raw[1] == "run" and not staged[raw[0]]))
        outputs[name] = Output(raw[0], raw[1], raw[2], raw[3])
    rules: list[CheckedRule] = []
    _expect(isinstance(data["rules"], list))
    for raw in data["rules"]:
        _expect(isinstance(raw, list) and len(raw) == 4 and _registers(raw[:1], limit) and _texts(raw[1:3]))
        _expect(raw[1] in ("zero", "not_negative") and _texts(raw[3]) and not staged[raw[0]])
        rules.append(CheckedRule(raw[0], raw[1], raw[2], tuple(raw[3])))
    _expect(isinstance(data["figures"], dict) and _texts(list(data["figures"])))
    _expect(all(_number(v) for v in data["figures"].values()))
    found = Program(data["title"], inputs, tuple(instructions), outputs, tuple(rules), data["figures"])
    bits_of(found)
    return found


def _staged(first: int, instructions: Sequence[Instruction]) -> list[bool]:
    """For each register whether each pipeline stage has its own."""
    found = [*[False] * (first - 1), True]
    for instruction in instructions:
        operation = instruction[0]
        if operation in REDUCING or operation == "const":
            found.append(False)
        else:
            found.append(operation in SCANNING or any(found[k] for k in operands(instruction)))
    return found


MAX_INSTRUCTIONS = 200_000
"""Most instructions of a program that is read; those of shipped models have up to 4,000."""

MAX_OPERANDS = 512
"""Most registers that one instruction reads; sums of shipped models have up to 50 terms."""


def _expect(condition: bool) -> None:
    if not condition:
        raise ValueError("not a program")


def _texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(v, str) for v in values)


def _registers(values: list[Any], limit: int) -> bool:
    return all(type(v) is int and 0 <= v < limit for v in values)


def _number(value: Any) -> bool:
    return type(value) is int or (type(value) is float and math.isfinite(value))
