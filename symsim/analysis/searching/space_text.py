"""A strategy or a space as the text of a file: what was given, with the settings of the command laid over it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction

from symsim.analysis.searching.contradictions import value_text
from symsim.language import tree
from symsim.language.expression_text import expression_text
from symsim.language.expressions import decimal
from symsim.language.strategies import Strategy
from symsim.records.strategy import CHOICES, Value


def space_text(strategy: Strategy) -> str:
    """The whole file: choices, sets, names of the model and the machine, requirements and the objective."""
    named = re.sub(r"[^A-Za-z0-9_]", "_", strategy.name)
    title = f' "{strategy.title}"' if strategy.title else ""
    lines = [f"strategy {named}{title}", *(line for _, line in choice_lines(strategy)), *goal_lines(strategy)]
    return "\n".join(lines) + "\n"


def choice_lines(strategy: Strategy) -> Iterator[tuple[str, str]]:
    """Name and line of everything that a strategy says of one name, in the order in which it was given."""
    nodes = {**strategy.overrides, **strategy.among}
    for name in strategy.places:
        if name in strategy.values:
            yield name, f"{name} = {_value(name, strategy.values[name])}"
        elif name in nodes:
            node = nodes[name]
            assert not isinstance(node, int | Fraction | bool | str | frozenset)
            yield name, f"{name} {'in' if name in strategy.among else '='} {expression_text(node)}"


def goal_lines(strategy: Strategy) -> Iterator[str]:
    yield from require_lines(strategy.requires)
    if strategy.objective is not None:
        yield f"{strategy.objective.goal} {expression_text(strategy.objective.value)}"


def require_lines(requires: Sequence[tree.Require]) -> Iterator[str]:
    for require in requires:
        yield f"require {expression_text(require.condition)}" + (f' "{require.message}"' if require.message else "")


def _value(name: str, value: Value) -> str:
    if isinstance(value, Fraction):
        return decimal(value)
    if name == "tokens" and isinstance(value, int) and value % 10**9 == 0:
        return f"{value // 10**12}T" if value % 10**12 == 0 else f"{value // 10**9}G"
    return f'"{value}"' if CHOICES[name].kind == "text" else value_text(value)
