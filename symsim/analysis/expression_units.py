"""The unit of a user's expression, where its names have one that says so: bytes less bytes are bytes."""

from __future__ import annotations

from collections.abc import Callable

from symsim.language import tree

_SAME = {"B": "bytes"}
"""Figures of machines and definitions of formulas call bytes otherwise."""

_KEEPING = ("min", "max", "max_stages", "sum_stages")
"""Functions whose result has the unit of what they are taken of."""


def unit_of(node: tree.Expression, of_name: Callable[[str], str]) -> str:
    """The unit of sums, differences, multiples and extremes of one unit; empty for anything else."""
    match node:
        case tree.Name(name=name):
            return _called(of_name(name))
        case tree.Number(unit=unit):
            return _called(unit or "")
        case tree.Unary(operand=operand):
            return unit_of(operand, of_name)
        case tree.Binary(operator="+" | "-", left=left, right=right):
            return _shared(left, right, of_name=of_name)
        case tree.Binary(operator="*", left=tree.Number(unit=None), right=other):
            return unit_of(other, of_name)
        case tree.Binary(operator="*" | "/", left=other, right=tree.Number(unit=None)):
            return unit_of(other, of_name)
        case tree.Choose(then=then, other=other):
            return _shared(then, other, of_name=of_name)
        case tree.Apply(function=function, arguments=arguments) if function in _KEEPING:
            return _shared(*arguments, of_name=of_name)
    return ""


def _called(unit: str) -> str:
    return _SAME.get(unit, unit)


def _shared(*nodes: tree.Expression, of_name: Callable[[str], str]) -> str:
    units = {unit_of(node, of_name) for node in nodes}
    return units.pop() if len(units) == 1 else ""
