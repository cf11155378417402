"""Which stages of a pipeline are alike: what differs only between classes of stages is computed once for each class.

Of 128 stages the first and the last are special, and a formula that does not ask for more is computed for
three. Classes are ordered by their first stage, so that the first stage of the largest value is found in
the first class that has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, eq=False)
class Partition:
    """``index``: class of each stage; ``first``: first stage of each class; ``counts``: stages of each."""

    index: Array
    first: Array
    counts: Array

    @property
    def is_whole(self) -> bool:
        """Every stage is a class of its own."""
        return len(self.first) == len(self.index)


@dataclass(slots=True)
class Partitions:
    """The partitions of one number of stages; equal ones are the same object."""

    stages: int
    _known: dict[bytes, Partition] = field(default_factory=dict)
    _joins: dict[tuple[int, int], Partition] = field(default_factory=dict)

    def of(self, labels: Array) -> Partition:
        """The partition by any labels of the stages."""
        _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
        order = np.argsort(first, kind="stable")
        rank = np.empty_like(order)
        rank[order] = np.arange(len(order))
        index = rank[inverse.ravel()]
        key = index.tobytes()
        if key not in self._known:
            self._known[key] = Partition(index, first[order], np.bincount(index).astype(float))
        return self._known[key]

    @property
    def whole(self) -> Partition:
        return self.of(np.arange(self.stages))

    def join(self, one: Partition, other: Partition) -> Partition:
        """The coarsest partition finer than both."""
        if one is other or one.is_whole:
            return one
        if other.is_whole:
            return other
        key = (id(one), id(other))
        if key not in self._joins:
            self._joins[key] = self.of(one.index * len(other.first) + other.index)
        return self._joins[key]


@dataclass(frozen=True, slots=True)
class Staged:
    """Values of each class of a partition: the classes are the first axis of ``values``."""

    values: Array
    partition: Partition

    def spread(self, finer: Partition) -> Array:
        """The values by the classes of a finer partition."""
        if finer is self.partition or self.values.shape[0] == 1:
            return self.values
        return self.values[self.partition.index[finer.first]]
