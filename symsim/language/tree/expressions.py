"""Nodes of expressions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from symsim.diagnostics import Place


@dataclass(frozen=True, slots=True)
class Number:
    value: int | Fraction
    place: Place
    unit: str | None = None
    """Base unit, when the number was written with a unit: the value is already scaled."""


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Choose:
    """``then if condition else other``."""

    then: Expression
    condition: Expression
    other: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of the language: ``min(a, b)``, ``divisors(layers)``, ``table("…")``."""

    function: str
    arguments: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SetOf:
    items: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Range:
    """``first..last``, both included."""

    first: int
    last: int
    place: Place


@dataclass(frozen=True, slots=True)
class Repeated:
    """A value of a list, ``times`` in a row."""

    times: int
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class ListOf:
    """``[repeat 5 sliding, full]``: values for layers in turn, from the first again after the last."""

    items: tuple[Repeated, ...]
    place: Place


Expression = Number | Text | Name | Unary | Binary | Choose | Apply | SetOf | Range | ListOf


@dataclass(frozen=True, slots=True)
class Calibrated:
    """That a number was fitted: to what, and what it was before."""

    fitted_to: str
    before: Expression
    place: Place
