"""Points of a sheet: what few combinations decide is computed once for each, what is left a slice at a time.

Points that agree in the axes of a register are one to it. So a register is computed on all combinations of its
axes where these are few (they are *open*), else on the points as far as it tells them apart, and only what depends on
nearly all axes is computed point by point: for so many points at a time that their arrays stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from symsim.emit.grid.sampled_stages import Array, Doubtful, Staged, StageSamples, Value, plain

if TYPE_CHECKING:
    from symsim.emit.grid.open_axes import Group

MANY = 256
"""From so many points on it is worth while to see which of them are the same to a register."""

SPARSE = 64
"""Most combinations for each point among which those that are there are marked, not sorted."""

SLICE = 8192
"""Points that are computed together, each with a handful of stages."""


class Rows:
    """Some points of a group: ``codes[k]`` are their places on axis k."""

    def __init__(self, group: Group, codes: Array) -> None:
        self.group = group
        self.codes = codes
        self.open = group.open_for(codes.shape[1])
        self._indices: dict[tuple[int, ...], Array] = {}
        self._apart: dict[int, tuple[Rows, Array] | None] = {}
        self._known: dict[int, Value] = {}
        self._small = _Computed() if len(self) <= SLICE else None

    def __len__(self) -> int:
        return int(self.codes.shape[1])

    def kept(self, which: Array) -> Rows:
        """Those of the points that ``which`` names."""
        return Rows(self.group, self.codes[:, which])

    def numbers(self, wanted: Iterable[int]) -> list[Any]:
        """One array, or one number, for each register of a run; its stages are walked where samples leave doubt."""
        asked = tuple(wanted)
        if self._small is not None:
            return self._whole(self._small).numbers(asked)
        parts = [(part.numbers(asked), len(part)) for part in self.slices()]
        return [_joined([(values[k], count) for values, count in parts]) for k in range(len(asked))]

    def value(self, register: int) -> Value:
        """A register with what its samples leave in doubt."""
        if self._small is not None:
            return self._whole(self._small).values((register,))[0]
        if register not in self._known:
            parts = [(part.values((register,))[0], len(part)) for part in self.slices()]
            self._known[register] = _joined(parts)
        return self._known[register]

    def slices(self) -> Iterator[Slice]:
        """The points, as many at a time as are computed together."""
        if self._small is not None:
            yield self._whole(self._small)
            return
        for begin in range(0, len(self), SLICE):
            yield Slice(self, slice(begin, min(begin + SLICE, len(self))), _Computed())

    def _whole(self, computed: _Computed) -> Slice:
        return Slice(self, slice(0, len(self)), computed)

    def apart_by(self, register: int) -> tuple[Rows, Array] | None:
        """The points as far as a register tells them apart, and where each of these is among them; ``None`` where
        it tells most of them apart."""
        mask = self.group.masks[register]
        if mask not in self._apart:
            self._apart[mask] = self._told_apart(mask)
        return self._apart[mask]

    def _told_apart(self, mask: int) -> tuple[Rows, Array] | None:
        shape = self.group.sheet.shape
        varying = [k for k, n in enumerate(shape) if n > 1]
        axes = [k for k in varying if mask >> k & 1]
        if len(axes) == len(varying) or len(self) < MANY or prod(shape[k] for k in axes) > SPARSE * len(self):
            return None
        first, place = told_apart(shape, self.codes, mask)
        return (self.kept(first), place) if len(first) <= len(self) // 2 else None

    def index(self, axes: tuple[int, ...], shape: Sequence[int]) -> Array:
        """Where the points are in an array that has some axes in their order."""
        if axes not in self._indices:
            index = np.zeros(len(self), dtype=np.intp)
            for k in axes:
                own = self.codes[k] if k != self.group.sheet.pp else self.group.place_of(self.codes[k])
                index = index * shape[k] + own
            self._indices[axes] = index
        return self._indices[axes]


@dataclass(slots=True)
class _Computed:
    """What was computed for the points of a slice. Rows keep it and not the slice, which knows its rows: large arrays
    in a circle would stay until somebody looks for garbage."""

    known: dict[int, Value] = field(default_factory=dict)
    walked: dict[bytes, Rows] = field(default_factory=dict)
    samples: StageSamples | None = None


class Slice:
    """Some neighbours among rows; what was computed is kept."""

    def __init__(self, rows: Rows, part: slice, computed: _Computed) -> None:
        self._rows = rows
        self._part = part
        self._computed = computed
        self._known = computed.known
        self.group = rows.group
        self.codes = rows.codes[:, part]

    def __len__(self) -> int:
        return int(self._part.stop - self._part.start)

    def numbers(self, asked: tuple[int, ...]) -> list[Any]:
        """As :meth:`Rows.numbers`."""
        found = self.values(asked)
        doubts = [~v.exact for v in found if isinstance(v, Doubtful)]
        if not any(d.any() for d in doubts):
            return [plain(v) for v in found]
        unsure = np.zeros(len(self), dtype=bool)
        for doubt in doubts:
            unsure |= np.broadcast_to(doubt, len(self))
        out = [np.broadcast_to(np.asarray(plain(v), dtype=float), len(self)).copy() for v in found]
        pp = self.codes[self.group.sheet.pp]
        for position in np.unique(pp[unsure]):
            which = np.flatnonzero(unsure & (pp == position))
            key = which.tobytes()
            if key not in self._computed.walked:
                self._computed.walked[key] = self.group.walking(int(position)).rows(self.codes[:, which])
            for whole, register in zip(out, asked, strict=True):
                whole[which] = plain(self._computed.walked[key].value(register))
        return out

    def values(self, asked: tuple[int, ...]) -> list[Value]:
        rows = self._rows
        for register in self._missing(asked):
            if rows.open[register]:
                self._known[register] = self._taken(rows.group.dense(register))
                continue
            apart = rows.apart_by(register)
            if apart is not None:
                few, place = apart
                self._known[register] = _spread(few.value(register), place[self._part])
            else:
                self._known[register] = rows.group.sheet.compute(register, self._known, self._samples())
        return [self._known[register] for register in asked]

    def _missing(self, asked: tuple[int, ...]) -> list[int]:
        """What is not known yet, in order: no further than to what all combinations or fewer points give."""
        rows, known = self._rows, self._known
        needed: set[int] = set()
        pending = list(asked)
        while pending:
            register = pending.pop()
            if register not in needed and register not in known:
                needed.add(register)
                if not rows.open[register] and rows.apart_by(register) is None:
                    pending += rows.group.sheet.operands[register]
        return sorted(needed)

    def _samples(self) -> StageSamples:
        if self._computed.samples is None:
            samples = self._rows.group.samples
            wide = None if samples.wide is None else self._flat(samples.wide, 1)
            self._computed.samples = StageSamples(self._flat(samples.at, 1), wide)
        return self._computed.samples

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
        return array.reshape(*kept, -1).take(self._rows.index(axes, shape)[self._part], axis=leading)


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


def _joined(parts: Sequence[tuple[Value, int]]) -> Value:
    """The values of neighbouring slices, each with its number of points, as those of one."""
    values = [value for value, _ in parts]
    if not any(np.ndim(plain(value)) for value in values):
        return values[0]

    def whole(arrays: Sequence[Any]) -> Array:
        leading = max((np.shape(array)[:-1] for array in arrays), key=len)
        counts = [count for _, count in parts]
        return np.concatenate([np.broadcast_to(a, (*leading, n)) for a, n in zip(arrays, counts, strict=True)], axis=-1)

    numbers = whole([plain(value) for value in values])
    doubts = [value.exact if isinstance(value, Staged | Doubtful) else None for value in values]
    exact = whole([True if e is None else e for e in doubts]) if any(e is not None for e in doubts) else None
    if isinstance(values[0], Staged):
        return Staged(numbers, exact)
    return numbers if exact is None else Doubtful(numbers, exact)
