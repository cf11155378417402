"""An expression as text: as it stands in its file, or put together anew where it goes over several lines."""

from __future__ import annotations

from fractions import Fraction

from symsim.language import tree
from symsim.language.expressions import decimal


def expression_text(node: tree.Expression) -> str:
    """One line that reads back as the same expression."""
    place = node.place
    if place.width > 1 or isinstance(node, tree.Name | tree.Number):
        return place.source.line(place.line)[place.column - 1 : place.column - 1 + place.width]
    return _inner(node).removeprefix("(").removesuffix(")") if isinstance(node, tree.Binary) else _inner(node)


def _inner(node: tree.Expression) -> str:
    match node:
        case tree.Number(value=value, unit=unit):
            return _number(value) + (f" {unit}" if unit else "")
        case tree.Name(name=name):
            return name
        case tree.Text(value=value):
            return f'"{value}"'
        case tree.Unary(operator=operator, operand=operand):
            return f"({operator}{' ' if operator.isalpha() else ''}{_inner(operand)})"
        case tree.Binary(operator=operator, left=left, right=right):
            return f"({_inner(left)} {operator} {_inner(right)})"
        case tree.Choose(then=then, condition=condition, other=other):
            return f"({_inner(then)} if {_inner(condition)} else {_inner(other)})"
        case tree.Apply(function=function, arguments=arguments):
            return f"{function}({', '.join(map(_inner, arguments))})"
        case tree.SetOf(items=items):
            return f"{{{', '.join(map(_inner, items))}}}"
        case tree.ListOf(items=items):
            return f"[{', '.join(_listed(i) for i in items)}]"
        case tree.Range(first=first, last=last):
            return f"{first}..{last}"


def _listed(item: tree.Repeated) -> str:
    return expression_text(item.value) if item.times == 1 else f"repeat {item.times} {expression_text(item.value)}"


def _number(value: int | Fraction) -> str:
    if isinstance(value, int):
        return str(value)
    text = decimal(value)
    return text if "/" not in text and Fraction(text) == value else f"({value.numerator} / {value.denominator})"
