"""A program over a whole space: each register is computed on the axes that it depends on, and on no other.

An axis is a size with its values. What depends on tp and mbs alone is a small array of their
combinations, however many points the space has; only what depends on much is computed point by point, on
those points that are asked for. What differs between pipeline stages is computed for one number of stages
at a time, and for a few of them (:mod:`symsim.emit.samples`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from symsim.emit.arithmetic import Lookup, apply
from symsim.emit.places import lines, places
from symsim.emit.program import REDUCING, SCANNING, Program
from symsim.emit.samples import Array, Doubtful, Samples, Staged, Value, plain

OPEN = 4096
"""Most combinations of axes that are computed though perhaps nobody asks for all of them."""

MANY = 256
"""From so many points on it is worth while to see which of them are the same to a register."""

SPARSE = 64
"""Most combinations for each point among which those that are there are marked, not sorted."""


class Sheet:
    """``axes``: the values of each input of the program, in their order; ``pp`` is one of them."""

    def __init__(self, program: Program, axes: Mapping[str, Sequence[Any]], lookup: Lookup, most: int = OPEN) -> None:
        self.program = program
        self.lookup = lookup
        self.shape = tuple(len(axes[name]) for name in program.inputs)
        self.most = most
        self.pp = program.inputs.index("pp")
        self._values = [np.array([float(v) for v in axes[name]]) for name in program.inputs]
        self.operands = [program.operands(r) for r in range(program.register_of(len(program.instructions)))]
        self.depends, self.staged = _dependence(program)
        self.lines = lines(program, self.depends, self.staged)
        self._combinations = {0: 1}
        self.open = [
            k < program.stage_register or (not staged and self.combinations(mask) <= most)
            for k, (mask, staged) in enumerate(zip(self.depends, self.staged, strict=True))
        ]
        self._dense: dict[int, Value] = {}

    @cached_property
    def groups(self) -> list[Group]:
        """The points by how many stages are sampled: each number of stages is in one group."""
        sampled: dict[int, list[int]] = {}
        for position in range(self.shape[self.pp]):
            count = len(Group(self, (position,)).samples.at)
            sampled.setdefault(max(8, 1 << (count - 1).bit_length()), []).append(position)
        return [Group(self, tuple(positions)) for positions in sampled.values()]

    def stages(self, position: int) -> int:
        """The number of stages at a place of the axis ``pp``."""
        return int(self._values[self.pp][position])

    def combinations(self, mask: int) -> int:
        """How many combinations some axes have, given as bits."""
        known = self._combinations.get(mask)
        if known is None:
            known = self._combinations[mask] = prod(n for k, n in enumerate(self.shape) if mask >> k & 1)
        return known

    def dense(self, register: int) -> Value:
        """An open register: an array with an axis of length 1 for each it does not depend on."""
        if register not in self._dense:
            for needed in needed_for(self.operands, [register], self._dense.__contains__):
                self._dense[needed] = self._compute(needed)
        return self._dense[register]

    def _compute(self, register: int) -> Value:
        if register < len(self.shape):
            shape = [1] * len(self.shape)
            shape[register] = -1
            return self._values[register].reshape(shape)
        return compute(self, register, self._dense, None)


class Group:
    """All points of some numbers of stages, which are sampled or, to be sure of some points, all walked.

    ``positions`` are places on the axis ``pp``; stages are walked for one of them at a time.
    """

    def __init__(self, sheet: Sheet, positions: tuple[int, ...], walk: bool = False) -> None:
        self.sheet = sheet
        self.positions = positions
        self._dense: dict[int, Value] = {}
        self._walking: dict[int, Group] = {}
        self._open: dict[int, list[bool]] = {}
        axes = len(sheet.shape)
        if walk:
            self.samples = Samples.all(sheet.stages(positions[0]), axes)
        elif len(positions) == 1:
            stages = sheet.stages(positions[0])
            self.samples = places(sheet.program, sheet.lines, stages, axes, self._number)
        else:
            alone = [Group(sheet, (position,)).samples for position in positions]
            self.samples = Samples.beside(alone, sheet.pp)
        shape = self.samples.at.shape[1:]
        sampled_by = sum(1 << k for k, n in enumerate(shape) if n > 1)
        here = ~0 if len(positions) > 1 else ~(1 << sheet.pp)
        self.masks = [
            (mask | sampled_by if staged else mask) & here
            for mask, staged in zip(sheet.depends, sheet.staged, strict=True)
        ]
        self._combinations = [sheet.combinations(mask) for mask in self.masks]
        self._dense[sheet.program.stage_register] = Staged(self.samples.at)

    def walking(self, position: int) -> Group:
        """The points of one number of stages, stage by stage."""
        if position not in self._walking:
            self._walking[position] = Group(self.sheet, (position,), walk=True)
        return self._walking[position]

    def _number(self, register: int) -> Value | None:
        """A number of the plan, if it is computed for all combinations anyway."""
        return self._compute(register) if self.sheet.open[register] else None

    def dense(self, register: int) -> Value:
        if register in self._dense:
            return self._dense[register]
        sheet = self.sheet
        for needed in needed_for(sheet.operands, [register], self._dense.__contains__, sheet.open):
            self._dense[needed] = self._compute(needed)
        return self._dense[register]

    def _compute(self, register: int) -> Value:
        sheet = self.sheet
        if sheet.open[register]:
            whole = sheet.dense(register)
            if np.ndim(whole) and whole.shape[sheet.pp] > len(self.positions):
                return np.take(whole, self.positions, sheet.pp)
            return whole
        return compute(sheet, register, self._dense, self.samples)

    def rows(self, codes: Array) -> Rows:
        """Some points of the group: ``codes[k]`` are their places on axis k."""
        return Rows(self, codes)

    def place_of(self, codes: Array) -> Array:
        """Where the stages of points stand in the arrays of this group."""
        if len(self.positions) == self.sheet.shape[self.sheet.pp]:
            return codes
        place = np.zeros(self.sheet.shape[self.sheet.pp], dtype=np.intp)
        place[list(self.positions)] = np.arange(len(self.positions))
        return place[codes]

    def open_for(self, points: int) -> list[bool]:
        """Which registers so many points take from all combinations; a few do not make these worth their while."""
        return self._open_up_to(min(self.sheet.most, max(64, 1 << points.bit_length())))

    def _open_up_to(self, most: int) -> list[bool]:
        """Which registers are computed for all combinations if there are at most so many; inputs always are."""
        if most not in self._open:
            given = self.sheet.program.stage_register
            self._open[most] = [k <= given or count <= most for k, count in enumerate(self._combinations)]
        return self._open[most]


class Rows:
    """Values of registers for some points of a group; what was computed is kept."""

    def __init__(self, group: Group, codes: Array) -> None:
        self._group = group
        self._codes = codes
        self._known: dict[int, Value] = {}
        self._indices: dict[tuple[int, ...], Array] = {}
        self._walked: dict[bytes, Rows] = {}
        self._samples: Samples | None = None
        self._apart: dict[int, tuple[Rows, Array] | None] = {}
        self._open = group.open_for(codes.shape[1])

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
        out = [np.broadcast_to(np.asarray(plain(v), dtype=float), len(self)).copy() for v in found]
        pp = self._codes[self._group.sheet.pp]
        for position in np.unique(pp[unsure]):
            which = np.flatnonzero(unsure & (pp == position))
            key = which.tobytes()
            if key not in self._walked:
                self._walked[key] = self._group.walking(int(position)).rows(self._codes[:, which])
            for whole, sure in zip(out, self._walked[key]._values(asked), strict=True):
                whole[which] = plain(sure)
        return out

    def _apart_by(self, register: int) -> tuple[Rows, Array] | None:
        """The points as far as a register tells them apart, and where each of these is among them; ``None`` where
        it tells most of them apart."""
        mask = self._group.masks[register]
        if mask not in self._apart:
            self._apart[mask] = self._told_apart(mask)
        return self._apart[mask]

    def _told_apart(self, mask: int) -> tuple[Rows, Array] | None:
        shape = self._group.sheet.shape
        varying = [k for k, n in enumerate(shape) if n > 1]
        axes = [k for k in varying if mask >> k & 1]
        if len(axes) == len(varying) or len(self) < MANY or prod(shape[k] for k in axes) > SPARSE * len(self):
            return None
        first, place = told_apart(shape, self._codes, mask)
        return (self.kept(first), place) if len(first) <= len(self) // 2 else None

    def kept(self, which: Array) -> Rows:
        """Those of the points that ``which`` names."""
        return Rows(self._group, self._codes[:, which])

    def _values(self, asked: tuple[int, ...]) -> list[Value]:
        for register in self._missing(asked):
            if self._open[register]:
                self._known[register] = self._taken(self._group.dense(register))
                continue
            apart = self._apart_by(register)
            if apart is not None:
                few, place = apart
                self._known[register] = _spread(few._values((register,))[0], place)
            else:
                self._known[register] = compute(self._group.sheet, register, self._known, self._own_samples())
        return [self._known[register] for register in asked]

    def _missing(self, asked: tuple[int, ...]) -> list[int]:
        """What is not known yet, in order: no further than to what all combinations or fewer points give."""
        operands, known = self._group.sheet.operands, self._known
        needed: set[int] = set()
        pending = list(asked)
        while pending:
            register = pending.pop()
            if register not in needed and register not in known:
                needed.add(register)
                if not self._open[register] and self._apart_by(register) is None:
                    pending += operands[register]
        return sorted(needed)

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
                own = self._codes[k] if k != self._group.sheet.pp else self._group.place_of(self._codes[k])
                index = index * shape[k] + own
            self._indices[axes] = index
        return array.reshape(*kept, -1).take(self._indices[axes], axis=leading)


def told_apart(shape: Sequence[int], codes: Array, mask: int) -> tuple[Array, Array]:
    """Which points differ in the axes of a mask: the numbers of some that are all different, and for each point
    the place of its like among them."""
    axes = [k for k, n in enumerate(shape) if n > 1 and mask >> k & 1]
    total, count = prod(shape[k] for k in axes), codes.shape[1]
    code = np.zeros(count, dtype=np.intp)
    for k in axes:
        code = code * shape[k] + codes[k]
    if total > SPARSE * count:
        _, first, place = np.unique(code, return_index=True, return_inverse=True)
        return first, place
    marked = np.full(total, -1, dtype=np.intp)
    marked[code] = np.arange(count)
    there = np.flatnonzero(marked >= 0)
    place_of = np.empty(total, dtype=np.intp)
    place_of[there] = np.arange(len(there))
    return marked[there], place_of[code]


def _spread(value: Value, place: Array) -> Value:
    """The values of few points at the many that are the same to a register."""

    def spread(array: Any) -> Any:
        return array.take(place, axis=-1) if array.shape[-1] > 1 else array

    if isinstance(value, Staged):
        return Staged(spread(value.values), None if value.exact is None else spread(value.exact))
    if isinstance(value, Doubtful):
        return Doubtful(spread(value.values), spread(value.exact))
    return spread(value) if np.ndim(value) else value


def compute(sheet: Sheet, register: int, known: Mapping[int, Value], samples: Samples | None) -> Value:
    """One instruction on values that are there."""
    program = sheet.program
    operation, *arguments = program.instructions[register - program.register_of(0)]
    if operation == "const":
        return float(arguments[0])
    operands = [known[a] for a in sheet.operands[register]]
    if operation == "table":
        name = arguments[0]
        return apply("table", operands, samples, lambda *sizes: sheet.lookup(name, *sizes))
    return apply(operation, operands, samples, sheet.lookup)


def needed_for(
    operands: Sequence[tuple[int, ...]],
    wanted: Iterable[int],
    there: Callable[[int], bool],
    elsewhere: Sequence[bool] | None = None,
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
            if elsewhere is None or not elsewhere[register]:
                pending += operands[register]
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
