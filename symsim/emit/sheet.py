"""A program over a whole space: each register is computed on the axes that it depends on, and on no other.

An axis is a size with its values. What depends on tp and mbs alone is a small array of their
combinations, however many points the space has; only what depends on much is computed point by point, on
those points that are asked for. What differs between pipeline stages is computed for one number of stages
at a time, and once for stages that are alike (:mod:`symsim.emit.partition`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from symsim.emit.arithmetic import Lookup, Value, apply
from symsim.emit.partition import Array, Partitions, Staged
from symsim.emit.program import REDUCING, SCANNING, Program

OPEN = 4096
"""Most combinations of axes that are computed though perhaps nobody asks for all of them."""


class Sheet:
    """``axes``: the values of each input of the program, in their order; ``pp`` is one of them."""

    def __init__(self, program: Program, axes: Mapping[str, Sequence[Any]], lookup: Lookup, most: int = OPEN) -> None:
        self.program = program
        self.lookup = lookup
        self.shape = tuple(len(axes[name]) for name in program.inputs)
        self.most = most
        self.pp = program.inputs.index("pp")
        self._values = [np.array([float(v) for v in axes[name]]) for name in program.inputs]
        self.depends, self.staged = _dependence(program)
        self._dense: dict[int, Value] = {}
        self._groups: dict[int, Group] = {}

    def group(self, position: int) -> Group:
        """The points of one number of stages: the one at this place of the axis ``pp``."""
        if position not in self._groups:
            self._groups[position] = Group(self, position, int(self._values[self.pp][position]))
        return self._groups[position]

    def forget(self, position: int) -> None:
        """What was computed for one number of stages is needed no more."""
        self._groups.pop(position, None)

    def combinations(self, register: int, but_pp: bool) -> int:
        """How many combinations of axes a register depends on."""
        mask = self.depends[register]
        return prod(n for k, n in enumerate(self.shape) if mask >> k & 1 and not (but_pp and k == self.pp))

    def is_open(self, register: int) -> bool:
        """Whether it is computed for all combinations of its axes, whatever the number of stages.

        The values of an axis are there in any case.
        """
        if register < len(self.shape):
            return True
        return not self.staged[register] and self.combinations(register, False) <= self.most

    def dense(self, register: int) -> Value:
        """An open register: an array with an axis of length 1 for each it does not depend on."""
        if register not in self._dense:
            for needed in needed_for(self.program, [register], self._dense.__contains__):
                self._dense[needed] = self._compute(needed)
        return self._dense[register]

    def _compute(self, register: int) -> Value:
        if register < len(self.shape):
            shape = [1] * len(self.shape)
            shape[register] = -1
            return self._values[register].reshape(shape)
        return compute(self, register, self._dense, None)


class Group:
    """All points of one number of stages."""

    def __init__(self, sheet: Sheet, position: int, stages: int) -> None:
        self.sheet = sheet
        self.position = position
        self.partitions = Partitions(stages)
        self._dense: dict[int, Value] = {}
        self._plans: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
        index = np.arange(stages, dtype=float).reshape(-1, *[1] * len(sheet.shape))
        self._dense[sheet.program.stage_register] = Staged(index, self.partitions.whole)

    def is_open(self, register: int) -> bool:
        return self.sheet.is_open(register) or self.sheet.combinations(register, True) <= self.sheet.most

    def dense(self, register: int) -> Value:
        if register in self._dense:
            return self._dense[register]
        for needed in needed_for(self.sheet.program, [register], self._dense.__contains__, self.sheet.is_open):
            self._dense[needed] = self._compute(needed)
        return self._dense[register]

    def _compute(self, register: int) -> Value:
        sheet = self.sheet
        if sheet.is_open(register):
            whole = sheet.dense(register)
            if np.ndim(whole) and whole.shape[sheet.pp] > 1:
                return np.take(whole, [self.position], sheet.pp)
            return whole
        found = compute(sheet, register, self._dense, self.partitions)
        if isinstance(found, Staged) and sheet.combinations(register, True) == 1:
            return self._alike(found)
        return found

    def _alike(self, found: Staged) -> Staged:
        """What only the stage decides: stages with the same value are one class."""
        each = found.spread(self.partitions.whole)
        each = np.broadcast_to(each, (self.partitions.stages, *each.shape[1:]))
        classes = self.partitions.of(each.reshape(len(each)))
        return found if len(classes.first) >= len(found.partition.first) else Staged(each[classes.first], classes)

    def rows(self, codes: Array) -> Rows:
        """Some points: ``codes[k]`` are their places on axis k."""
        return Rows(self, codes)

    def plan(self, wanted: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """What rows compute themselves for these registers, and what they take from all combinations."""
        if wanted not in self._plans:
            mine = needed_for(self.sheet.program, wanted, self.is_open)
            read = {a for r in mine for a in self.sheet.program.operands(r)} | set(wanted)
            self._plans[wanted] = mine, [r for r in sorted(read) if self.is_open(r)]
        return self._plans[wanted]


class Rows:
    """Values of registers for some points of a group; what was computed is kept."""

    def __init__(self, group: Group, codes: Array) -> None:
        self._group = group
        self._codes = codes
        self._known: dict[int, Value] = {}
        self._indices: dict[tuple[int, ...], Array] = {}

    def __len__(self) -> int:
        return int(self._codes.shape[1])

    def values(self, wanted: Iterable[int]) -> list[Value]:
        """One array (or one number, or :class:`Staged`) for each register."""
        asked = tuple(wanted)
        mine, taken = self._group.plan(asked)
        for register in taken:
            if register not in self._known:
                self._known[register] = self._taken(self._group.dense(register))
        for register in mine:
            if register not in self._known:
                self._known[register] = compute(self._group.sheet, register, self._known, self._group.partitions)
        return [self._known[register] for register in asked]

    def kept(self, which: Array) -> Rows:
        """Those of the points that ``which`` names."""
        return Rows(self._group, self._codes[:, which])

    def _taken(self, value: Value) -> Value:
        if isinstance(value, Staged):
            flat = self._flat(value.values, 1)
            return Staged(flat, value.partition)
        return self._flat(value, 0) if np.ndim(value) else value

    def _flat(self, array: Any, leading: int) -> Any:
        shape = array.shape[leading:]
        axes = tuple(k for k, n in enumerate(shape) if n > 1)
        kept = array.shape[:leading]
        if not axes:
            return array.reshape(*kept, 1)
        if axes not in self._indices:
            index = np.zeros(len(self), dtype=np.intp)
            for k in axes:
                index = index * shape[k] + self._codes[k]
            self._indices[axes] = index
        return array.reshape(*kept, -1).take(self._indices[axes], axis=leading)


def compute(sheet: Sheet, register: int, known: Mapping[int, Value], partitions: Partitions | None) -> Value:
    """One instruction on values that are there."""
    program = sheet.program
    operation, *arguments = program.instructions[register - program.register_of(0)]
    if operation == "const":
        return float(arguments[0])
    operands = [known[a] for a in program.operands(register)]
    if operation == "table":
        name = arguments[0]
        return apply("table", operands, partitions, lambda *sizes: sheet.lookup(name, *sizes))
    return apply(operation, operands, partitions, sheet.lookup)


def needed_for(
    program: Program,
    wanted: Iterable[int],
    there: Callable[[int], bool],
    elsewhere: Callable[[int], bool] = lambda register: False,
) -> list[int]:
    """The wanted registers and what they need, in order, as far as it is not there.

    What is made ``elsewhere`` is listed, and what it needs is not.
    """
    needed: set[int] = set()
    pending = list(wanted)
    while pending:
        register = pending.pop()
        if register not in needed and not there(register):
            needed.add(register)
            if not elsewhere(register):
                pending += program.operands(register)
    return sorted(needed)


def _dependence(program: Program) -> tuple[list[int], list[bool]]:
    """By register: the inputs that it depends on, as bits; whether stages come into it."""
    depends = [1 << k for k in range(len(program.inputs))] + [0]
    staged = [False] * len(program.inputs) + [True]
    pp = 1 << program.inputs.index("pp")
    for position, (operation, *_) in enumerate(program.instructions):
        read = program.operands(program.register_of(position))
        mask = 0
        for register in read:
            mask |= depends[register]
        over = operation in REDUCING or operation in SCANNING or any(staged[r] for r in read)
        depends.append(mask | pp if over else mask)
        staged.append(over)
    return depends, staged
