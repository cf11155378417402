"""A program over a whole space: each register is computed on the axes that it depends on, and on no other.

An axis is a size with its values. What depends on tp and mbs alone is a small array of their
combinations, however many points the space has; only what depends on much is computed point by point, on
those points that are asked for. What differs between pipeline stages is computed for one number of stages
at a time, and for a few of them (:mod:`symsim.emit.samples`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np

from symsim.emit.arithmetic import Lookup, apply
from symsim.emit.places import lines, places
from symsim.emit.program import REDUCING, SCANNING, Program
from symsim.emit.samples import Array, Doubtful, Samples, Staged, Value, plain

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
        self.lines = lines(program, self.depends, self.staged)
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

    def combinations(self, mask: int, but_pp: bool) -> int:
        """How many combinations some axes have, given as bits."""
        return prod(n for k, n in enumerate(self.shape) if mask >> k & 1 and not (but_pp and k == self.pp))

    def is_open(self, register: int) -> bool:
        """Whether it is computed for all combinations of its axes, whatever the number of stages."""
        return not self.staged[register] and self.combinations(self.depends[register], False) <= self.most

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
    """All points of one number of stages, whose stages are sampled or, to be sure of some points, all walked."""

    def __init__(self, sheet: Sheet, position: int, stages: int, walk: bool = False) -> None:
        self.sheet = sheet
        self.position = position
        self._stages = stages
        self._dense: dict[int, Value] = {}
        self._plans: dict[tuple[int, ...], tuple[list[int], list[int]]] = {}
        axes = len(sheet.shape)
        if walk:
            self.samples = Samples.all(stages, axes)
        else:
            self.samples = places(sheet.program, sheet.lines, stages, axes, self._number)
        shape = self.samples.at.shape[1:]
        self._sampled_by = sum(1 << k for k, n in enumerate(shape) if n > 1)
        self._dense[sheet.program.stage_register] = Staged(self.samples.at)
        self._walking: Group | None = None

    @property
    def walking(self) -> Group:
        """The same points, stage by stage."""
        if self._walking is None:
            self._walking = Group(self.sheet, self.position, self._stages, walk=True)
        return self._walking

    def _number(self, register: int) -> Value | None:
        """A number of the plan, if it is computed for all combinations anyway."""
        return self._compute(register) if self.sheet.is_open(register) else None

    def is_open(self, register: int) -> bool:
        sheet = self.sheet
        if sheet.is_open(register):
            return True
        return sheet.combinations(sheet.depends[register] | self._sampled_by, True) <= sheet.most

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
        return compute(sheet, register, self._dense, self.samples)

    def rows(self, codes: Array) -> Rows:
        """Some points: ``codes[k]`` are their places on axis k."""
        return Rows(self, codes)

    def plan(self, wanted: tuple[int, ...]) -> tuple[list[int], list[int]]:
        """What rows compute themselves for these registers, and what they take from all combinations."""
        if wanted not in self._plans:
            mine = needed_for(self.sheet.program, wanted, self.is_open, self.is_open)
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
        self._walked: dict[bytes, Rows] = {}
        self._samples: Samples | None = None

    def __len__(self) -> int:
        return int(self._codes.shape[1])

    def numbers(self, wanted: Iterable[int]) -> list[Any]:
        """One array, or one number, for each register of a run; its stages are walked where samples leave doubt."""
        asked = tuple(wanted)
        found = self._values(asked)
        doubts = [~v.exact for v in found if isinstance(v, Doubtful)]
        if not any(d.any() for d in doubts):
            return [plain(v) for v in found]
        unsure = np.zeros(len(self), dtype=bool)
        for doubt in doubts:
            unsure |= np.broadcast_to(doubt, len(self))
        which = np.flatnonzero(unsure)
        key = which.tobytes()
        if key not in self._walked:
            self._walked[key] = self._group.walking.rows(self._codes[:, which])
        out = []
        for value, sure in zip(found, self._walked[key]._values(asked), strict=True):
            whole = np.broadcast_to(np.asarray(plain(value), dtype=float), len(self)).copy()
            whole[which] = plain(sure)
            out.append(whole)
        return out

    def kept(self, which: Array) -> Rows:
        """Those of the points that ``which`` names."""
        return Rows(self._group, self._codes[:, which])

    def _values(self, asked: tuple[int, ...]) -> list[Value]:
        mine, taken = self._group.plan(asked)
        for register in taken:
            if register not in self._known:
                self._known[register] = self._taken(self._group.dense(register))
        for register in mine:
            if register not in self._known:
                self._known[register] = compute(self._group.sheet, register, self._known, self._own_samples())
        return [self._known[register] for register in asked]

    def _own_samples(self) -> Samples:
        if self._samples is None:
            samples = self._group.samples
            wide = None if samples.wide is None else self._flat(samples.wide, 1)
            self._samples = Samples(self._flat(samples.at, 1), wide)
        return self._samples

    def _taken(self, value: Value) -> Value:
        if isinstance(value, Staged):
            exact = None if value.exact is None else self._flat(value.exact, 1)
            return Staged(self._flat(value.values, 1), exact)
        if isinstance(value, Doubtful):
            return Doubtful(self._flat(value.values, 0), self._flat(value.exact, 0))
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


def compute(sheet: Sheet, register: int, known: Mapping[int, Value], samples: Samples | None) -> Value:
    """One instruction on values that are there."""
    program = sheet.program
    operation, *arguments = program.instructions[register - program.register_of(0)]
    if operation == "const":
        return float(arguments[0])
    operands = [known[a] for a in program.operands(register)]
    if operation == "table":
        name = arguments[0]
        return apply("table", operands, samples, lambda *sizes: sheet.lookup(name, *sizes))
    return apply(operation, operands, samples, sheet.lookup)


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
