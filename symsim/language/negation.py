"""A condition that does not hold, in words: what is wrong in this case, not what should hold.

``experts % ep == 0`` is *ep = 48 does not divide experts = 64*, ``tp <= gpus_per_node`` is *tp = 16 is more than
gpus_per_node = 8*. What a side of a comparison is called, and its value, is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from symsim.language import tree
from symsim.language.expression_text import expression_text

Told = Callable[[tree.Expression], str]
"""One side of a comparison in words: ``ep = 48``."""

Holds = Callable[[tree.Expression], bool]
"""Whether a part of the condition holds."""

WRONG = {
    "<=": "is more than",
    "<": "is not less than",
    ">=": "is less than",
    ">": "is not more than",
    "==": "is not",
    "!=": "is the same as",
    "in": "is none of",
}
"""What is wrong where a comparison does not hold."""


def what_is_wrong(condition: tree.Expression, told: Told, holds: Holds) -> str:
    """Why a condition does not hold. Of ``and`` only the sides that do not hold are named, of ``or`` both."""
    match condition:
        case tree.Binary(operator="and"):
            return "; ".join(what_is_wrong(part, told, holds) for part in _sides(condition, "and") if not holds(part))
        case tree.Binary(operator="or"):
            return ", and ".join(what_is_wrong(part, told, holds) for part in _sides(condition, "or"))
        case tree.Binary(operator="==", left=tree.Binary(operator="%", left=whole, right=divisor), right=rest) if (
            isinstance(rest, tree.Number) and rest.value == 0
        ):
            return f"{told(divisor)} does not divide {told(whole)}"
        case tree.Binary(operator="in", left=left, right=tree.SetOf(items=items)):
            return f"{told(left)} {WRONG['in']} {', '.join(map(expression_text, items))}"
        case tree.Binary(operator=operator, left=left, right=right) if operator in WRONG:
            return f"{told(left)} {WRONG[operator]} {told(right)}"
        case tree.Unary(operator="not", operand=operand):
            return f"{expression_text(operand)} holds" if isinstance(operand, tree.Binary) else told(operand)
        case tree.Name():
            return told(condition)
    return f"{expression_text(condition)} does not hold"


def _sides(condition: tree.Expression, operator: str) -> Iterator[tree.Expression]:
    """The parts that one word joins, from the left."""
    if isinstance(condition, tree.Binary) and condition.operator == operator:
        yield from _sides(condition.left, operator)
        yield from _sides(condition.right, operator)
    else:
        yield condition
