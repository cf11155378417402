"""A program made into a Python function: one for numbers, one for whole arrays.

The source consists of register names, numbers and operators that this module writes; nothing of a
program's text gets into it (a table's name is passed by its place in a list).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from symsim.emit.program import REDUCING, SCANNING, Instruction, Program, operands

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
class _Level:
    """One turn over the stages: ``run``, registers made once before it; ``stage``, those of each stage.

    ``kept``: what the turn keeps of every stage, for a reduction, a scan, a later turn or the answer;
    ``read``: what it takes from what earlier turns kept.
    """

    run: tuple[int, ...]
    stage: tuple[int, ...]
    kept: tuple[int, ...]
    read: tuple[int, ...]


def compile_scalar(program: Program, wanted: Sequence[int]) -> Compiled:
    """A function of plain numbers; a loop over the stages, everything else once.

    ``wanted`` are registers, for example those of :attr:`Program.outputs` and rules.
    """
    levels, collected = _plan(program, wanted)
    inputs = _needed_inputs(program, levels, (*collected, *wanted))
    lines = ["def run(v, lookup):"]
    if inputs:
        lines.append(f"    {', '.join(_r(k) for k in inputs)}, = v")
    for level in levels:
        lines += [f"    {line}" for line in _lines(program, level.run, _SCALAR)]
        if level.stage or level.kept:
            lines += [f"    c{k} = []" for k in level.kept]
            lines.append(f"    for {_r(program.stage_register)} in range(int({_stage_count(program)})):")
            stage = _r(program.stage_register)
            lines += [f"        {_r(k)} = c{k}[{stage}]" for k in level.read]
            lines += [f"        {line}" for line in _lines(program, level.stage, _SCALAR)]
            lines += [f"        c{k}.append({_r(k)})" for k in level.kept] or ["        pass"]
    staged = _of_stages(program, levels)
    lines.append(f"    return ({''.join((f'c{k}' if k in staged else _r(k)) + ', ' for k in wanted)})")
    names = _names(program)
    scope: dict[str, Any] = {
        "log": logarithm,
        "power": power,
        "floor": rounded_down,
        "ceil": rounded_up,
        "names": names,
        "max": max,
        "min": min,
        "sum": sum,
        "range": range,
        "int": int,
        "pick": _pick,
        "before": lambda values: [0, *accumulate(values)][:-1],
        "highest_to": lambda values: list(accumulate(values, max)),
        "highest_from": lambda values: list(accumulate(reversed(values), max))[::-1],
        "pick_to": _pick_to,
        "pick_from": _pick_from,
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
    for position, level in enumerate(levels):
        lines += [f"    {line}" for line in _lines(program, level.run, _ARRAY)]
        if position == 0 and (level.stage or collected):
            lines.append(f"    {stage} = stages({_stage_count(program)})")
            lines.append(f"    held = {stage} < {_stage_count(program)}")
        lines += [f"    {line}" for line in _lines(program, level.stage, _ARRAY)]
    staged = _of_stages(program, levels)
    returned = (f"masked(held, {_r(k)})" if k in staged else f"last({_r(k)})" for k in wanted)
    lines.append(f"    return ({''.join(r + ', ' for r in returned)})")
    scope: dict[str, Any] = {
        "log": np.log,
        "floor": lambda x: np.floor(settled(x)),
        "ceil": lambda x: np.ceil(settled(x)),
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
        "before": _before,
        "highest_to": _highest_to,
        "highest_from": _highest_from,
        "picked_to": _picked_to,
        "picked_from": _picked_from,
        "names": _names(program),
        "__builtins__": {},
    }
    return _function(lines, scope, program, inputs, wanted)


def _whole(x: Any) -> Any:
    """A quotient that is whole but for rounding, made whole before it is rounded down or up.

    Raises:
        ArithmeticError: infinity, or what is no number.
    """
    if x != x:
        raise ArithmeticError("a value that is not a number cannot be rounded")
    near = round(x)
    return near if abs(x - near) <= 1e-9 * max(1, abs(near)) else x


def logarithm(x: Any) -> float:
    """Raises ArithmeticError where there is none."""
    if x <= 0:
        raise ArithmeticError("zero and less has no logarithm")
    return math.log(x)


def power(base: Any, exponent: Any) -> Any:
    """Raises ArithmeticError where no real number is the power."""
    found = base**exponent
    if type(found) is complex:
        raise ArithmeticError("a number below zero has no root")
    return found


def rounded_down(x: Any) -> Any:
    return math.floor(_whole(x))


def rounded_up(x: Any) -> Any:
    return math.ceil(_whole(x))


def settled(x: Any) -> Any:
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


def _plan(program: Program, wanted: Sequence[int]) -> tuple[tuple[_Level, ...], tuple[int, ...]]:
    """What is needed for the wanted registers, by level, and the stage registers to keep.

    What reduces or scans a quantity of a stage comes one level after it.
    """
    first = len(program.inputs) + 1
    leading = program.leading_to(*wanted)
    of_stage, level = _level_of_each(program, leading)
    needed = {k for k in leading if k >= first}
    scans = {k for k in needed if program.instructions[k - first][0] in SCANNING}
    collected = {k for k in wanted if of_stage[k]} | scans
    read: dict[int, set[int]] = {}
    for register in needed:
        operation, *_ = instruction = program.instructions[register - first]
        if operation in REDUCING or operation in SCANNING:
            collected |= set(operands(instruction))
        elif of_stage[register]:
            earlier = {
                k
                for k in operands(instruction)
                if of_stage[k] and k != program.stage_register and (level[k] < level[register] or k in scans)
            }
            read.setdefault(level[register], set()).update(earlier)
            collected |= earlier
    levels = []
    for turn in range(1 + max((level[k] for k in (*needed, *collected)), default=0)):
        here = [k for k in sorted(needed) if level[k] == turn]
        levels.append(
            _Level(
                tuple(k for k in here if not of_stage[k] or k in scans),
                tuple(k for k in here if of_stage[k] and k not in scans),
                tuple(k for k in sorted(collected - scans) if level[k] == turn),
                tuple(sorted(read.get(turn, ()))),
            )
        )
    return tuple(levels), tuple(sorted(collected))


def _level_of_each(program: Program, registers: Sequence[int]) -> tuple[dict[int, bool], dict[int, int]]:
    """For each of ``registers``, in order, whether it is one of each stage, and the turn over the stages that can
    make it. What a register is computed from is among them."""
    first = program.register_of(0)
    of_stage = {k: k == program.stage_register for k in registers if k < first}
    level = dict.fromkeys(of_stage, 0)
    for register in registers:
        if register >= first:
            instruction = program.instructions[register - first]
            read = operands(instruction)
            reduces = instruction[0] in REDUCING
            scans = instruction[0] in SCANNING
            of_stage[register] = scans or (not reduces and any(of_stage[k] for k in read))
            level[register] = max((level[k] for k in read), default=0) + (reduces or scans)
    return of_stage, level


def _needed_inputs(program: Program, levels: tuple[_Level, ...], read: tuple[int, ...]) -> tuple[int, ...]:
    first = len(program.inputs) + 1
    used = {k for k in read if k < program.stage_register} | {
        operand
        for level in levels
        for register in (*level.run, *level.stage)
        for operand in operands(program.instructions[register - first])
        if operand < program.stage_register
    }
    if any(level.stage or level.kept for level in levels):
        used.add(program.inputs.index("pp"))
    return tuple(sorted(used))


def _stage_count(program: Program) -> str:
    return _r(program.inputs.index("pp"))


def _names(program: Program) -> list[str]:
    return [i[1] if i[0] == "table" else "" for i in program.instructions]


def _r(register: int) -> str:
    return f"r{register}"


def _of_stages(program: Program, levels: tuple[_Level, ...]) -> set[int]:
    """Registers that hold one value for each stage."""
    first = len(program.inputs) + 1
    scans = {k for level in levels for k in level.run if program.instructions[k - first][0] in SCANNING}
    return {program.stage_register, *scans, *(k for level in levels for k in level.stage)}


def _lines(program: Program, registers: tuple[int, ...], dialect: Mapping[str, str]) -> list[str]:
    first = len(program.inputs) + 1
    return [
        f"{_target(program, k, dialect)} = {_expression(program.instructions[k - first], k - first, dialect)}"
        for k in registers
    ]


def _target(program: Program, register: int, dialect: Mapping[str, str]) -> str:
    """What a scan makes for numbers is the list of all stages."""
    scan = program.instructions[register - len(program.inputs) - 1][0] in SCANNING
    return f"c{register}" if scan and dialect is _SCALAR else _r(register)


_INFIX = {"add": " + ", "mul": " * "}
_SCALAR: Mapping[str, str] = {
    "min": "min({all})",
    "max": "max({all})",
    "equal": "({0} == {1}) + 0",
    "less": "({0} < {1}) + 0",
    "at_most": "({0} <= {1}) + 0",
    "where": "({1} if {0} else {2})",
    "pow": "power({0}, {1})",
    "stage_sum": "sum(c{n0})",
    "stage_max": "max(c{n0})",
    "stage_pick": "pick(c{n0}, c{n1})",
    "sum_before": "before(c{n0})",
    "max_to": "highest_to(c{n0})",
    "max_from": "highest_from(c{n0})",
    "pick_to": "pick_to(c{n0}, c{n1})",
    "pick_from": "pick_from(c{n0}, c{n1})",
}
_ARRAY: Mapping[str, str] = {
    "equal": "({0} == {1}) + 0.0",
    "less": "({0} < {1}) + 0.0",
    "at_most": "({0} <= {1}) + 0.0",
    "where": "where({0} != 0, {1}, {2})",
    "stage_sum": "total(held, {0})",
    "stage_max": "largest(held, {0})",
    "stage_pick": "picked(held, {0}, {1})",
    "sum_before": "before(held, {0})",
    "max_to": "highest_to(held, {0})",
    "max_from": "highest_from(held, {0})",
    "pick_to": "picked_to(held, {0}, {1})",
    "pick_from": "picked_from(held, {0}, {1})",
}


def _expression(instruction: Instruction, position: int, dialect: Mapping[str, str]) -> str:
    operation, *arguments = instruction
    if operation == "const":
        return repr(arguments[0])
    if operation == "table":
        return f"lookup(names[{position}], {', '.join(_r(k) for k in arguments[1:])})"
    registers = [_r(k) for k in arguments]
    if len(registers) == 1 and operation in ("min", "max", "add", "mul"):
        return registers[0]
    if operation in dialect:
        numbered = {f"n{k}": str(a) for k, a in enumerate(arguments)}
        return dialect[operation].format(*registers, all=", ".join(registers), **numbered)
    if operation in _INFIX:
        return _INFIX[operation].join(registers)
    if operation in ("min", "max"):
        return _in_pairs(f"{operation}imum", registers)
    symbol = {"div": "/", "pow": "**", "mod": "%"}.get(operation)
    return f"{registers[0]} {symbol} {registers[1]}" if symbol else f"{operation}({registers[0]})"


def _in_pairs(function: str, registers: Sequence[str]) -> str:
    """A function of two for any number of registers: halves of halves, since Python nests brackets 200 deep."""
    if len(registers) == 1:
        return registers[0]
    middle = (len(registers) + 1) // 2
    return f"{function}({_in_pairs(function, registers[:middle])}, {_in_pairs(function, registers[middle:])})"


def _pick(values: list[Any], keys: list[Any]) -> Any:
    return values[max(range(len(keys)), key=keys.__getitem__)]


def _picked(held: Any, values: Any, keys: Any) -> Any:
    import numpy as np

    best = np.where(held, keys, -np.inf).argmax(-1)[..., None]
    spread = np.broadcast_to(values, np.broadcast_shapes(np.shape(values), np.shape(held)))
    shape = (*best.shape[:-1], spread.shape[-1])
    return np.take_along_axis(np.broadcast_to(spread, shape), best, -1)


def _before(held: Any, values: Any) -> Any:
    import numpy as np

    spread = np.where(held, values, 0.0)
    return np.cumsum(spread, -1) - spread


def _highest_to(held: Any, values: Any) -> Any:
    import numpy as np

    return np.maximum.accumulate(np.where(held, values, -np.inf), -1)


def _highest_from(held: Any, values: Any) -> Any:
    """Past the last stage 0, which nothing reads: no number there may spoil the arithmetic."""
    import numpy as np

    found = np.maximum.accumulate(np.where(held, values, -np.inf)[..., ::-1], -1)[..., ::-1]
    return np.where(held, found, 0.0)


def _pick_to(values: list[Any], keys: list[Any]) -> list[Any]:
    best, out = 0, []
    for k, key in enumerate(keys):
        best = k if key > keys[best] else best
        out.append(values[best])
    return out


def _pick_from(values: list[Any], keys: list[Any]) -> list[Any]:
    best, out = len(keys) - 1, []
    for k in reversed(range(len(keys))):
        best = k if keys[k] >= keys[best] else best
        out.append(values[best])
    return out[::-1]


def _picked_to(held: Any, values: Any, keys: Any) -> Any:
    """The value on the first of the stages up to each one whose key is largest."""
    import numpy as np

    found = np.where(held, keys, -np.inf)
    before = np.concatenate([np.full_like(found[..., :1], -np.inf), np.maximum.accumulate(found, -1)[..., :-1]], -1)
    places = np.arange(found.shape[-1])
    best = np.maximum.accumulate(np.where(found > before, places, 0), -1)
    return np.take_along_axis(np.broadcast_to(np.where(held, values, 0.0), best.shape), best, -1)


def _picked_from(held: Any, values: Any, keys: Any) -> Any:
    """The value on the first of the stages from each one on whose key is largest."""
    import numpy as np

    found = np.where(held, keys, -np.inf)
    after = np.maximum.accumulate(found[..., ::-1], -1)[..., ::-1]
    beyond = np.concatenate([after[..., 1:], np.full_like(found[..., :1], -np.inf)], -1)
    last = found.shape[-1] - 1
    best = np.minimum.accumulate(np.where(found >= beyond, np.arange(last + 1), last)[..., ::-1], -1)[..., ::-1]
    return np.take_along_axis(np.broadcast_to(np.where(held, values, 0.0), best.shape), best, -1)
