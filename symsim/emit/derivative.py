"""The exact partial derivatives of a program's output, as one more program.

Forward mode: next to each register there is, for every name asked for, the register of its derivative,
where that is not zero. A derivative of a stage's quantity is a stage's quantity, so the reductions
over stages differentiate to reductions over stages and nothing has to be stored between them.

Away from kinks the result is exact. At a kink it follows :mod:`symsim.functions`: of equal arguments
of a maximum or minimum the first one counts, of equal stages the first one; steps and tables are flat.

Rule by operation, with x' for the derivative of x:

=================  =====================================================================
``add``            Σ x'
``mul``            Σ x' · (the other factors)
``div``            (a' − (a/b)·b') / b
``pow``            n · a^(n−1) · a' + a^n · log(a) · n'
``log``            a' / a
``max, min``       x' of the first argument that is the extreme one
``mod``            a' − ⌊a/b⌋·b'
``where``          a' if c else b'
``stage_sum(x)``   stage_sum(x')
``stage_max(x)``   stage_pick(x', x)
``stage_pick``     stage_pick(x', key); likewise ``pick_to``, ``pick_from``
``sum_before(x)``  sum_before(x')
``max_to(x)``      x' on the stage that has the maximum; likewise ``max_from``
=================  =====================================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from symsim.emit.program import Instruction, Output, Program


def partial(output: str, name: str) -> str:
    """Name of the output that holds ∂output/∂name."""
    return f"{output} by {name}"


def derivative(program: Program, output: str, names: Sequence[str]) -> Program:
    """A program of the same inputs whose outputs are a value and its partials.

    The outputs are ``output`` and ``partial(output, name)`` for each of ``names``, which are inputs of
    the program; scope and unit are those of the value. An output of a stage has partials of a stage.

    Raises:
        ValueError: a name that is no input.
    """
    tangents = Tangents(program)
    value = program.outputs[output]
    outputs = {output: value}
    for name in names:
        if name not in program.inputs:
            raise ValueError(f"'{name}' is not an input of the program")
        register = tangents.of(value.register, program.inputs.index(name))
        outputs[partial(output, name)] = Output(register, value.scope, f"{value.unit} per {name}", value.part)
    return Program(program.title, program.inputs, tuple(tangents.instructions), outputs, ())


class Tangents:
    """The instructions of a program, and after them those of its derivatives, each once."""

    def __init__(self, program: Program) -> None:
        self.instructions: list[Instruction] = list(program.instructions)
        self._program = program
        self._first = len(program.inputs) + 1
        self._seen = {instruction: self._first + k for k, instruction in enumerate(program.instructions)}

    def of(self, wanted: int, name: int) -> int:
        """The register that holds the derivative of a register with respect to an input."""
        return self.along(wanted, {name: self._const(1)}, RULES).get(wanted, self._const(0))

    def along(self, wanted: int, seeds: Mapping[int, int], rules: Mapping[str, Rule]) -> dict[int, int]:
        """Register → register of its derivative, for all that lead to ``wanted`` and that the seeds move.

        ``seeds`` has the derivatives of inputs.
        """
        tangents = dict(seeds)
        for register in self._program.leading_to(wanted):
            arguments = self._program.operands(register)
            operation = self.operation(register)
            if operation == "table" or not any(a in tangents for a in arguments):
                continue
            found = rules[operation](self, register, arguments, tangents)
            if found is not None:
                tangents[register] = found
        return tangents

    def operands(self, register: int) -> Sequence[int]:
        """The registers of the given program that a register is computed from."""
        return self._program.operands(register)

    def operation(self, register: int) -> str:
        """What fills a register; an input is like a constant."""
        return str(self.instructions[register - self._first][0]) if register >= self._first else "const"

    def emit(self, *instruction: Any) -> int:
        known = self._seen.get(instruction)
        if known is None:
            self.instructions.append(instruction)
            known = self._seen[instruction] = self._first + len(self.instructions) - 1
        return known

    def _const(self, value: float) -> int:
        return self.emit("const", value)

    def value_of(self, register: int) -> Any:
        """The number of a register that holds a constant, else ``None``."""
        if register < self._first:
            return None
        instruction = self.instructions[register - self._first]
        return instruction[1] if instruction[0] == "const" else None

    def product(self, *factors: int) -> int:
        kept = [f for f in factors if self.value_of(f) != 1]
        if not kept:
            return factors[0]
        return kept[0] if len(kept) == 1 else self.emit("mul", *kept)

    def total(self, terms: Sequence[int]) -> int:
        return terms[0] if len(terms) == 1 else self.emit("add", *terms)

    def negative(self, register: int) -> int:
        return self.product(self._const(-1), register)

    def or_zero(self, register: int | None) -> int:
        return self._const(0) if register is None else register


Rule = Callable[[Tangents, int, Sequence[int], Mapping[int, int]], int | None]
"""``rule(program, register, its arguments, derivatives so far)`` → the register's derivative, if not zero."""


def _add(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    return t.total([by[a] for a in arguments if a in by])


def _mul(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    terms = [
        t.product(by[a], *arguments[:k], *arguments[k + 1 :]) for k, a in enumerate(arguments) if a in by
    ]  # fmt: skip
    return t.total(terms)


def _div(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    above, below = arguments
    terms = [by[above]] if above in by else []
    if below in by:
        terms.append(t.negative(t.product(register, by[below])))
    return t.emit("div", t.total(terms), below)


def _pow(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    base, exponent = arguments
    terms = []
    if base in by:
        lower = t.emit("add", exponent, t.emit("const", -1))
        terms.append(t.product(by[base], exponent, t.emit("pow", base, lower)))
    if exponent in by:
        terms.append(t.product(register, t.emit("log", base), by[exponent]))
    return t.total(terms)


def _log(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    return t.emit("div", by[arguments[0]], arguments[0])


def _extreme(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    """From the last argument to the first: the first that equals the extreme has the word."""
    chosen = t.or_zero(by.get(arguments[-1]))
    for argument in reversed(arguments[:-1]):
        mine = t.or_zero(by.get(argument))
        if mine != chosen:
            chosen = t.emit("where", t.emit("equal", argument, register), mine, chosen)
    return chosen


def _mod(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    a, b = arguments
    terms = [by[a]] if a in by else []
    if b in by:
        terms.append(t.negative(t.product(t.emit("floor", t.emit("div", a, b)), by[b])))
    return t.total(terms)


def _where(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int | None:
    condition, a, b = arguments
    if a not in by and b not in by:
        return None
    return t.emit("where", condition, t.or_zero(by.get(a)), t.or_zero(by.get(b)))


def _stage_sum(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    return t.emit("stage_sum", by[arguments[0]])


def _stage_max(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    return t.emit("stage_pick", by[arguments[0]], arguments[0])


def _picked(operation: str) -> Rule:
    def rule(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int | None:
        value, key = arguments
        return t.emit(operation, by[value], key) if value in by else None

    return rule


def _sum_before(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    return t.emit("sum_before", by[arguments[0]])


def _max_to(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    return t.emit("pick_to", by[arguments[0]], arguments[0])


def _max_from(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
    return t.emit("pick_from", by[arguments[0]], arguments[0])


def _flat(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> None:
    return None


RULES: Mapping[str, Rule] = {
    "add": _add,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "log": _log,
    "min": _extreme,
    "max": _extreme,
    "mod": _mod,
    "where": _where,
    "stage_sum": _stage_sum,
    "stage_max": _stage_max,
    "stage_pick": _picked("stage_pick"),
    "pick_to": _picked("pick_to"),
    "pick_from": _picked("pick_from"),
    "sum_before": _sum_before,
    "max_to": _max_to,
    "max_from": _max_from,
    **dict.fromkeys(("floor", "ceil", "equal", "less", "at_most"), _flat),
}
"""One rule for each operation of a program; ``const`` and ``table`` are flat."""
