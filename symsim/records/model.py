"""A model: a family of the library and the values of its dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symsim.diagnostics import Source

One = int | str | bool
"""A whole number, a word (``rope``) or a flag."""
Value = One | tuple[int | str | bool, ...]
"""A dimension is one value; where it differs between layers, one for each layer."""


@dataclass(frozen=True, slots=True)
class Model:
    """A family's name and a checked value for each of its dimensions.

    ``derived`` are the dimensions that nobody gave: they follow from the others by the family's
    defaults. ``own`` is the user's file that adds families, blocks or operators to the library.
    ``notes`` are what the file says an answer has to say.
    """

    name: str
    title: str
    family: str
    dimensions: Mapping[str, Value]
    derived: frozenset[str] = frozenset()
    own: Source | None = None
    notes: tuple[str, ...] = ()

    def largest(self, dimension: str) -> int:
        """A size, of the layer that has most of it; 0 where the family has no such dimension."""
        value = self.dimensions.get(dimension, 0)
        return max(v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, int))

    def sizes(self, dimension: str) -> frozenset[int]:
        """A size, in all layers: one number where they do not differ by it."""
        value = self.dimensions.get(dimension, 0)
        return frozenset(v for v in (value if isinstance(value, tuple) else (value,)) if isinstance(v, int))
