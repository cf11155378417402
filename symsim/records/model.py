"""A model: a family of the library and the values of its dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symsim.diagnostics import Source

Value = int | str | bool
"""A dimension is a whole number, a word (``rope``) or a flag."""


@dataclass(frozen=True, slots=True)
class Model:
    """A family's name and a checked value for each of its dimensions.

    ``derived`` are the dimensions that nobody gave: they follow from the others by the family's
    defaults. ``own`` is the user's file that adds families, blocks or operators to the library.
    """

    name: str
    title: str
    family: str
    dimensions: Mapping[str, Value]
    derived: frozenset[str] = frozenset()
    own: Source | None = None
