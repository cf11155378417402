"""A program made into a Python function: one for numbers, one for whole arrays.

The source consists of register names, numbers and operators that this module writes; nothing of a
program's text gets into it (a table's name is passed by its place in a list).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symsim.emit.program import REDUCING, Instruction, Program, operands

TableLookup = Callable[..., Any]
"""``lookup(name, *dimensions)`` → the machine's number."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """``run(values, lookup)`` gives the wanted outputs in order; stage ones as one list each."""

    source: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    run: Callable[[Sequence[Any], TableLookup], tuple[Any, ...]]


@dataclass(frozen=True, slots=True)
class _Levels:
    """Positions of the instructions needed before, for and after the stages."""

    before: tuple[int, ...]
    stage: tuple[int, ...]
    after: tuple[int, ...]


def compile_scalar(program: Program, wanted: Sequence[int]) -> Compiled:
    """A function of plain numbers; a loop over the stages, everything else once.

    ``wanted`` are registers, for example those of :attr:`Program.outputs` and rules.
    """
    levels, collected = _plan(program, wanted)
    inputs = _needed_inputs(program, levels, (*collected, *wanted))
    lines = ["def run(v, lookup):"]
    if inputs:
        lines.append(f"    {', '.join(_r(k) for k in inputs)}, = v")
    lines += [f"    {line}" for line in _lines(program, levels.before, _SCALAR)]
    if levels.stage or collected:
        lines += [f"    c{k} = []" for k in collected]
        lines.append(f"    for {_r(program.stage_register)} in range(int({_stage_count(program)})):")
        lines += [f"        {line}" for line in _lines(program, levels.stage, _SCALAR)]
        lines += [f"        c{k}.append({_r(k)})" for k in collected] or ["        pass"]
    lines += [f"    {line}" for line in _lines(program, levels.after, _SCALAR)]
    staged = {*levels.stage, program.stage_register}
    lines.append(f"    return ({''.join((f'c{k}' if k in staged else _r(k)) + ', ' for k in wanted)})")
    names = _names(program)
    scope: dict[str, Any] = {
        "log": math.log,
        "floor": lambda x: math.floor(_whole(x)),
        "ceil": lambda x: math.ceil(_whole(x)),
        "names": names,
        "max": max,
        "min": min,
        "sum": sum,
        "range": range,
        "int": int,
        "pick": _pick,
        "__builtins__": {},
    }
    return _function(lines, scope, program, inputs, wanted)


def compile_array(program: Program, wanted: Sequence[int]) -> Compiled:
    """A function of arrays that broadcast together; stages become one more axis, the last.

    Points with fewer stages than the largest are masked there: their stage values are NaN.
    """
    import numpy as np

    levels, collected = _plan(program, wanted)
    inputs = _needed_inputs(program, levels, (*collected, *wanted))
    stage = _r(program.stage_register)
    lines = ["def run(v, lookup):"]
    if inputs:
        lines.append(f"    {', '.join(_r(k) for k in inputs)}, = [array(x)[..., None] for x in v]")
    lines += [f"    {line}" for line in _lines(program, levels.before, _ARRAY)]
    if levels.stage or collected:
        lines.append(f"    {stage} = stages({_stage_count(program)})")
        lines.append(f"    held = {stage} < {_stage_count(program)}")
        lines += [f"    {line}" for line in _lines(program, levels.stage, _ARRAY)]
    lines += [f"    {line}" for line in _lines(program, levels.after, _ARRAY)]
    staged = {*levels.stage, program.stage_register}
    returned = (f"masked(held, {_r(k)})" if k in staged else f"last({_r(k)})" for k in wanted)
    lines.append(f"    return ({''.join(r + ', ' for r in returned)})")
    scope: dict[str, Any] = {
        "log": np.log,
        "floor": lambda x: np.floor(_settle(x)),
        "ceil": lambda x: np.ceil(_settle(x)),
        "maximum": np.maximum,
        "minimum": np.minimum,
        "where": np.where,
        "array": lambda x: np.asarray(x, dtype=float),
        "stages": lambda pp: np.arange(int(np.max(pp)), dtype=float),
        "masked": lambda held, x: np.where(held, x, np.nan),
        "last": lambda x: np.asarray(x)[..., 0] if np.ndim(x) else x,
        "total": lambda held, x: np.where(held, x, 0.0).sum(-1, keepdims=True),
        "largest": lambda held, x: np.where(held, x, -np.inf).max(-1, keepdims=True),
        "picked": _picked,
        "names": _names(program),
        "__builtins__": {},
    }
    return _function(lines, scope, program, inputs, wanted)


def _whole(x: Any) -> Any:
    """A quotient that is whole but for rounding, made whole before it is rounded down or up."""
    near = round(x)
    return near if abs(x - near) <= 1e-9 * max(1, abs(near)) else x


def _settle(x: Any) -> Any:
    """:func:`_whole` for arrays."""
    import numpy as np

    near = np.rint(x)
    return np.where(np.abs(x - near) <= 1e-9 * np.maximum(1.0, np.abs(near)), near, x)


def _function(
    lines: list[str], scope: dict[str, Any], program: Program, inputs: tuple[int, ...], wanted: Sequence[int]
) -> Compiled:
    source = "\n".join(lines) + "\n"
    exec(compile(source, "<formulas>", "exec"), scope)
    by_register = {o.register: n for n, o in program.outputs.items()}
    outputs = tuple(by_register.get(k, "") for k in wanted)
    return Compiled(source, tuple(program.inputs[k] for k in inputs), outputs, scope["run"])


def _plan(program: Program, wanted: Sequence[int]) -> tuple[_Levels, tuple[int, ...]]:
    """What is needed for the wanted registers, by level, and the stage registers to collect."""
    first = len(program.inputs) + 1
    depends = [False] * first
    depends[program.stage_register] = True
    reduced = [False] * first
    for instruction in program.instructions:
        read = operands(instruction)
        depends.append(instruction[0] not in REDUCING and any(depends[k] for k in read))
        reduced.append(instruction[0] in REDUCING or any(reduced[k] for k in read))
    order = [k for k in program.leading_to(*wanted) if k >= first]
    collected = {k for k in wanted if depends[k]}
    for register in order:
        instruction = program.instructions[register - first]
        if instruction[0] in REDUCING:
            collected |= set(operands(instruction))
    before = tuple(k for k in order if not depends[k] and not reduced[k])
    after = tuple(k for k in order if not depends[k] and reduced[k])
    return _Levels(before, tuple(k for k in order if depends[k]), after), tuple(sorted(collected))


def _needed_inputs(program: Program, levels: _Levels, read: tuple[int, ...]) -> tuple[int, ...]:
    first = len(program.inputs) + 1
    used = {k for k in read if k < program.stage_register} | {
        operand
        for register in (*levels.before, *levels.stage, *levels.after)
        for operand in operands(program.instructions[register - first])
        if operand < program.stage_register
    }
    if levels.stage or _reduces(program, levels):
        used.add(program.inputs.index("pp"))
    return tuple(sorted(used))


def _reduces(program: Program, levels: _Levels) -> bool:
    first = len(program.inputs) + 1
    return any(program.instructions[k - first][0] in REDUCING for k in levels.after)


def _stage_count(program: Program) -> str:
    return _r(program.inputs.index("pp"))


def _names(program: Program) -> list[str]:
    return [i[1] if i[0] == "table" else "" for i in program.instructions]


def _r(register: int) -> str:
    return f"r{register}"


def _lines(program: Program, registers: tuple[int, ...], dialect: Mapping[str, str]) -> list[str]:
    first = len(program.inputs) + 1
    return [f"{_r(k)} = {_expression(program.instructions[k - first], k - first, dialect)}" for k in registers]


_INFIX = {"add": " + ", "mul": " * "}
_SCALAR: Mapping[str, str] = {
    "min": "min({all})",
    "max": "max({all})",
    "equal": "({0} == {1}) + 0",
    "less": "({0} < {1}) + 0",
    "at_most": "({0} <= {1}) + 0",
    "where": "({1} if {0} else {2})",
    "stage_sum": "sum(c{n0})",
    "stage_max": "max(c{n0})",
    "stage_pick": "pick(c{n0}, c{n1})",
}
_ARRAY: Mapping[str, str] = {
    "equal": "({0} == {1}) + 0.0",
    "less": "({0} < {1}) + 0.0",
    "at_most": "({0} <= {1}) + 0.0",
    "where": "where({0} != 0, {1}, {2})",
    "stage_sum": "total(held, {0})",
    "stage_max": "largest(held, {0})",
    "stage_pick": "picked(held, {0}, {1})",
}


def _expression(instruction: Instruction, position: int, dialect: Mapping[str, str]) -> str:
    operation, *arguments = instruction
    if operation == "const":
        return repr(arguments[0])
    if operation == "table":
        return f"lookup(names[{position}], {', '.join(_r(k) for k in arguments[1:])})"
    registers = [_r(k) for k in arguments]
    if operation in dialect:
        numbered = {f"n{k}": str(a) for k, a in enumerate(arguments)}
        return dialect[operation].format(*registers, all=", ".join(registers), **numbered)
    if operation in _INFIX:
        return _INFIX[operation].join(registers)
    if operation in ("min", "max"):
        folded = registers[0]
        for register in registers[1:]:
            folded = f"{operation}imum({folded}, {register})"
        return folded
    symbol = {"div": "/", "pow": "**", "mod": "%"}.get(operation)
    return f"{registers[0]} {symbol} {registers[1]}" if symbol else f"{operation}({registers[0]})"


def _pick(values: list[Any], keys: list[Any]) -> Any:
    return values[max(range(len(keys)), key=keys.__getitem__)]


def _picked(held: Any, values: Any, keys: Any) -> Any:
    import numpy as np

    best = np.where(held, keys, -np.inf).argmax(-1)[..., None]
    spread = np.broadcast_to(values, np.broadcast_shapes(np.shape(values), np.shape(held)))
    shape = (*best.shape[:-1], spread.shape[-1])
    return np.take_along_axis(np.broadcast_to(spread, shape), best, -1)
