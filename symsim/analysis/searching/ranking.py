"""The best plans so far, and the plans that no other beats in everything: merged in any order, always the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from symsim.emit.grid.sampled_stages import Array

DIGITS = 12
"""Values that agree to so many digits are equal: scalar and array arithmetic differ in later ones."""


def rounded(values: Array) -> Array:
    """Values to :data:`DIGITS` significant digits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        exponent = np.floor(np.log10(np.abs(values)))
    scale = 10.0 ** (DIGITS - 1 - np.where(np.isfinite(exponent), exponent, 0.0))
    return np.rint(values * scale) / scale


@dataclass(slots=True)
class Ranking:
    """The ``size`` best of all points offered; of points with the same outcome the first one.

    An outcome is a row of values, of which the first is what is made small; points are numbered.
    """

    size: int
    outcomes: Array
    points: Array
    shared: Any = None
    """A number that other processes see and lower too: the best limit of all of them. ``None`` for one process."""

    @staticmethod
    def empty(size: int, values: int) -> Ranking:
        return Ranking(size, np.empty((values, 0)), np.empty(0, dtype=np.int64))

    @property
    def limit(self) -> float:
        """What a point must not exceed to be among the best."""
        most = float(np.finfo(float).max) if self.shared is None else self.shared.value
        if len(self.points) < self.size:
            return float(most)
        worst = float(self.outcomes[0, -1])
        return float(min(most, worst + abs(worst) * 10.0 ** (1 - DIGITS)))

    def ties(self, count: int) -> int:
        """How many points there are up to the ``count`` best, and those that are as good as the last of them but
        for what arrays and scalars may differ in."""
        if len(self.points) <= count:
            return len(self.points)
        last = self.outcomes[0, count - 1]
        return int(np.count_nonzero(self.outcomes[0] <= last + abs(last) * 1e-9))

    def offer(self, outcomes: Array, points: Array) -> None:
        """More points: ``outcomes[k]`` are their k-th values."""
        finite = np.isfinite(outcomes[0]) & (outcomes[0] <= self.limit)
        if not finite.any():
            return
        close = rounded(outcomes[:, finite])
        together = np.concatenate([self.outcomes, close], axis=1)
        numbers = np.concatenate([self.points, points[finite]])
        order = np.lexsort((numbers, *together[::-1]))
        together, numbers = together[:, order], numbers[order]
        fresh = np.ones(len(numbers), dtype=bool)
        fresh[1:] = (together[:, 1:] != together[:, :-1]).any(0)
        self.outcomes, self.points = together[:, fresh][:, : self.size], numbers[fresh][: self.size]
        if self.shared is not None:
            # No lock, which a process that is killed would keep: of two at once the looser may stay, and is true too.
            self.shared.value = self.limit


@dataclass(slots=True)
class Front:
    """The points of which no other is as good in all values and better in one; all values are made small."""

    outcomes: Array
    points: Array

    @staticmethod
    def empty(values: int) -> Front:
        return Front(np.empty((values, 0)), np.empty(0, dtype=np.int64))

    def offer(self, outcomes: Array, points: Array) -> None:
        finite = np.isfinite(outcomes).all(0)
        self._merge(rounded(outcomes[:, finite]), points[finite])

    def _merge(self, outcomes: Array, points: Array) -> None:
        together = np.concatenate([self.outcomes, outcomes], axis=1)
        numbers = np.concatenate([self.points, points])
        order = np.lexsort((numbers, *together[::-1]))
        together, numbers = together[:, order], numbers[order]
        kept = undominated(together)
        self.outcomes, self.points = together[:, kept], numbers[kept]


def undominated(outcomes: Array) -> Array:
    """Which of the points, in the order of their values, no earlier one dominates or equals.

    With two values the running minimum of the second decides. With more, every kept point removes what it
    dominates, so that work grows with the front and not with its square.
    """
    count = outcomes.shape[1]
    if len(outcomes) == 2:
        best = np.minimum.accumulate(np.concatenate([[np.inf], outcomes[1, :-1]])) if count else np.empty(0)
        return np.asarray(outcomes[1] < best)
    kept = np.zeros(count, dtype=bool)
    left = np.arange(count)
    while len(left):
        first = left[0]
        kept[first] = True
        better = (outcomes[:, left] < outcomes[:, first : first + 1]).any(0)
        left = left[better]
    return kept
