"""Which stages of a pipeline to sample: those between which its formulas are affine, as far as that is known.

What only the stage decides ([i = 0], the layers of stage i) is computed for every stage, and its corners are
sampled. Where such a line meets a number of the plan (pp − i and the micro-batches m), the stages on both
sides of the crossing are sampled too, for each plan its own. What this overlooks, the operations notice
(:mod:`symsim.emit.grid.sampled_stages`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from symsim.emit.grid.arithmetic import apply
from symsim.emit.grid.sampled_stages import Array, Staged, StageSamples, Value, plain
from symsim.emit.program import OPERATIONS, REDUCING, SCANNING, Program

COMPARING = frozenset({"min", "max", "less", "at_most", "equal"})
AFFINE = frozenset({"add", "mul", "div"})
MAX_CONE = 12
"""Most instructions between a stage's number and a line whose crossings are looked for."""


@dataclass(frozen=True, slots=True)
class StageLines:
    """``of_stage``: registers that the stage alone decides; ``corners``: those that others read. ``crossings``:
    pairs of a line in the stage's number and of a number of the plan that are compared."""

    of_stage: tuple[int, ...]
    corners: tuple[int, ...]
    crossings: tuple[tuple[int, int], ...]


def stage_lines(program: Program, depends: Sequence[int], staged: Sequence[bool]) -> StageLines:
    """Read off a program what :func:`places` needs."""
    pp = 1 << program.inputs.index("pp")
    first = program.register_of(0)
    alone = {program.stage_register}
    cone = {program.stage_register: 0}
    read_by_others: set[int] = set()
    crossings: list[tuple[int, int]] = []
    for position, (operation, *_) in enumerate(program.instructions):
        register = first + position
        if not staged[register] or operation in REDUCING or operation in SCANNING or operation not in OPERATIONS:
            read_by_others |= {a for a in program.operands(register) if a in alone}
            continue
        operands = program.operands(register)
        if depends[register] & ~pp == 0 and all(a in alone or not staged[a] for a in operands):
            alone.add(register)
            cone[register] = 0
            continue
        read_by_others |= {a for a in operands if a in alone}
        of_stages = [a for a in operands if staged[a]]
        if operation in AFFINE and all(a in cone for a in of_stages):
            size = 1 + sum(cone[a] for a in of_stages)
            if size <= MAX_CONE:
                cone[register] = size
        if operation in COMPARING and len(operands) == 2 and len(of_stages) == 1 and of_stages[0] in cone:
            other = operands[0] if operands[1] == of_stages[0] else operands[1]
            if depends[other]:
                crossings.append((of_stages[0], other))
    return StageLines(tuple(sorted(alone)), tuple(sorted(read_by_others)), tuple(dict.fromkeys(crossings)))


def sampled_stages(
    program: Program,
    known: StageLines,
    stages: int,
    axes: int,
    number: Callable[[int], Value | None],
) -> StageSamples:
    """The samples of one number of stages; ``number(register)`` is a number of the plan over its ``axes``."""
    walk = StageSamples.all(stages, axes)
    if stages <= 4:
        return walk
    every = _over(program, known.of_stage, walk, number)
    at = {0, stages - 1}
    for register in known.corners:
        values = np.broadcast_to(plain(every[register]), walk.at.shape).reshape(-1)
        bends = np.abs(np.diff(values, 2)) > 1e-9 * np.max(np.abs(values), initial=1e-300)
        at |= {int(k) + 1 for k in np.flatnonzero(bends)}
    base = np.array(sorted(at), dtype=float).reshape(-1, *[1] * axes)
    if len(base) >= stages:
        return walk
    chosen = [base, *_crossings(program, known, StageSamples.of(base), number, stages)]
    if sum(len(part) for part in chosen) >= stages:
        return walk
    shape = np.broadcast_shapes(*(part.shape[1:] for part in chosen))
    return StageSamples.of(np.sort(np.concatenate([np.broadcast_to(p, (len(p), *shape)) for p in chosen]), axis=0))


def _crossings(
    program: Program, known: StageLines, base: StageSamples, number: Callable[[int], Value | None], stages: int
) -> list[Array]:
    """Both sides of each crossing inside an interval; the first stage where there is none."""
    found: dict[tuple[tuple[int, ...], bytes], Array] = {}
    for line, other in known.crossings:
        level = number(other)
        if level is None:
            continue
        along = plain(_over(program, _cone(program, line, known.of_stage), base, number)[line])
        first, last = along[:-1], along[1:]
        with np.errstate(all="ignore"):
            share = (plain(level) - first) / (last - first)
            inside = (share > 0) & (share < 1) & np.broadcast_to(np.diff(base.at, axis=0) > 1.5, share.shape)
            steps = np.where(inside, np.floor(base.at[:-1] + share * np.diff(base.at, axis=0)), 0.0)
        before = steps.max(0, keepdims=True)
        if before.any():
            for side in (before, np.where(before > 0, np.minimum(before + 1, stages - 1), 0.0)):
                found[side.shape, side.tobytes()] = side
    return list(found.values())


def _cone(program: Program, line: int, of_stage: Sequence[int]) -> list[int]:
    """The registers of stages that lead to a line, in order."""
    alone = set(of_stage)
    needed: set[int] = set()
    pending = [line]
    first = program.register_of(0)
    while pending:
        register = pending.pop()
        if register in needed:
            continue
        needed.add(register)
        if register >= first:
            operation = program.instructions[register - first][0]
            if register in alone or operation in AFFINE:
                pending += [a for a in program.operands(register) if a >= program.stage_register]
    return sorted(needed)


def _over(
    program: Program, registers: Sequence[int], samples: StageSamples, number: Callable[[int], Value | None]
) -> dict[int, Value]:
    """Registers at some samples, in order; what is no quantity of stages is asked for."""
    values: dict[int, Value] = {program.stage_register: Staged(samples.at)}
    first = program.register_of(0)
    for register in registers:
        if register in values:
            continue
        if register < first:
            values[register] = number(register)
            continue
        operation, *arguments = program.instructions[register - first]
        if operation == "const":
            values[register] = float(arguments[0])
            continue
        operands = [values[a] if a in values else number(a) for a in program.operands(register)]
        values[register] = apply(operation, operands, samples, _no_table)
    return values


def _no_table(*sizes: object) -> object:
    raise AssertionError("a table is no line")
