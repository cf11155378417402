"""A program over a whole space: each register is computed on the axes that it depends on, and on no other.

An axis is a size with its values. What depends on tp and mbs alone is a small array of their
combinations, however many points the space has; only what depends on much is computed point by point, on
those points that are asked for. What differs between pipeline stages is computed for one number of stages
at a time, and for a few of them (:mod:`symsim.emit.grid.sampled_stages`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from math import prod
from typing import Any

import numpy as np

from symsim.emit.grid.arithmetic import Lookup, apply
from symsim.emit.grid.point_slices import Rows
from symsim.emit.grid.sampled_stages import Array, Staged, StageSamples, Value
from symsim.emit.grid.stage_sampling import sampled_stages, stage_lines
from symsim.emit.grid.sum_regrouping import dependence
from symsim.emit.program import Program

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
        self.operands = [program.operands(r) for r in range(program.register_of(len(program.instructions)))]
        self.depends, self.staged = dependence(program)
        self.lines = stage_lines(program, self.depends, self.staged)
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

    def compute(self, register: int, known: Mapping[int, Value], samples: StageSamples | None) -> Value:
        """One instruction on values that are there."""
        operation, *arguments = self.program.instructions[register - self.program.register_of(0)]
        if operation == "const":
            return np.float64(arguments[0])  # Dividing by it makes infinity, as arrays do.
        operands = [known[a] for a in self.operands[register]]
        if operation == "table":
            name = arguments[0]
            return apply("table", operands, samples, lambda *sizes: self.lookup(name, *sizes))
        return apply(operation, operands, samples, self.lookup)

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
        return self.compute(register, self._dense, None)


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
            self.samples = StageSamples.all(sheet.stages(positions[0]), axes)
        elif len(positions) == 1:
            stages = sheet.stages(positions[0])
            self.samples = sampled_stages(sheet.program, sheet.lines, stages, axes, self._number)
        else:
            alone = [Group(sheet, (position,)).samples for position in positions]
            self.samples = StageSamples.side_by_side(alone, sheet.pp)
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
        return sheet.compute(register, self._dense, self.samples)

    def rows(self, codes: Array) -> Rows:
        """Some points of the group: ``codes[k]`` are their places on axis k."""
        return Rows(self, codes)

    def place_of(self, codes: Array) -> Array:
        """Where the stages of points are in the arrays of this group."""
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
