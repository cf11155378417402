"""Expressions of the language as JSON, so that a cache gives them back without the grammar. Places are not kept."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from symsim.diagnostics import Place, Source
from symsim.language import tree

_NOWHERE = Place(Source("", ""), 1, 1)


def to_json(node: tree.Expression) -> list[Any]:
    """Raises TypeError for what a default of a framework has no use for: functions and ranges."""
    match node:
        case tree.Number(value=value):
            exact = Fraction(value)
            return ["number", exact.numerator, exact.denominator]
        case tree.Name(name=name):
            return ["name", name]
        case tree.Text(value=text):
            return ["text", text]
        case tree.Unary(operator=operator, operand=operand):
            return ["unary", operator, to_json(operand)]
        case tree.Binary(operator=operator, left=left, right=right):
            return ["binary", operator, to_json(left), to_json(right)]
        case tree.Choose(then=then, condition=condition, other=other):
            return ["choose", to_json(then), to_json(condition), to_json(other)]
        case tree.SetOf(items=items):
            return ["set", *map(to_json, items)]
    raise TypeError(type(node).__name__)


def from_json(data: Any) -> tree.Expression:
    """The expression of :func:`to_json`.

    Raises:
        ValueError: the data are none.
    """
    match data:
        case ["number", int(above), int(below)] if below > 0:
            exact = Fraction(above, below)
            return tree.Number(exact.numerator if exact.denominator == 1 else exact, _NOWHERE)
        case ["name", str(name)]:
            return tree.Name(name, _NOWHERE)
        case ["text", str(text)]:
            return tree.Text(text, _NOWHERE)
        case ["unary", str(operator), operand] if operator in ("-", "not"):
            return tree.Unary(operator, from_json(operand), _NOWHERE)
        case ["binary", str(operator), left, right] if operator in _OPERATORS:
            return tree.Binary(operator, from_json(left), from_json(right), _NOWHERE)
        case ["choose", then, condition, other]:
            return tree.Choose(from_json(then), from_json(condition), from_json(other), _NOWHERE)
        case ["set", *items]:
            return tree.SetOf(tuple(map(from_json, items)), _NOWHERE)
    raise ValueError("not an expression")


_OPERATORS = frozenset({"+", "-", "*", "/", "%", "**", "and", "or", "in", "==", "!=", "<", "<=", ">", ">="})
