"""``require`` statements of the library, made into rules that a plan is checked against.

A rule says what is wrong with a plan that breaks it, with the names of sizes in braces
(:mod:`symsim.records.rule_message`): ``{ep} does not divide experts = 64``.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from symsim.compiler.scope import BlockScope, OperatorScope
from symsim.diagnostics import error
from symsim.emit import text
from symsim.functions import remainder
from symsim.language import tree
from symsim.language.expression_text import expression_text
from symsim.language.expressions import Value, decimal, evaluate, names_in, number, truth
from symsim.language.negation import what_is_wrong
from symsim.records.cost import Rule


def rule_of(
    statement: tree.Require, scope: BlockScope, definitions: Mapping[sympy.Expr, sympy.Expr] | None = None
) -> Rule | None:
    """The rule of ``require a % b == 0``, ``a <= b``, ``a >= b`` or ``a == b`` on sizes.

    A condition on structure alone is decided here: nothing to check later if it holds. ``definitions`` are put in, so
    that the rule is on sizes that a strategy gives.

    Raises:
        InputError: a structural condition does not hold.
    """
    node, defined = statement.condition, dict(definitions or {})

    def told(side: tree.Expression) -> str:
        return _told(side, evaluate(side, scope), scope, defined)

    def holds(part: tree.Expression) -> bool:
        return truth(evaluate(part, scope), part.place, scope)

    if isinstance(node, tree.Binary) and node.operator in ("==", "<=", ">="):
        left, right = evaluate(node.left, scope), evaluate(node.right, scope)
        if isinstance(left, sympy.Basic) or isinstance(right, sympy.Basic):
            left = sympy.sympify(number(left, node.left.place, scope)).xreplace(defined)
            right = sympy.sympify(number(right, node.right.place, scope)).xreplace(defined)
            return make_rule(left, node.operator, right, _because(what_is_wrong(node, told, holds), statement.message))
    if not holds(node):
        given = ((n, scope.lookup(n)) for n in sorted(names_in(node)))
        hint = "here " + ", ".join(f"{n} = {_written(value)}" for n, value in given if value is not None)
        raise error("E240", _because(what_is_wrong(node, told, holds), statement.message), statement.place, hint)
    return None


def _because(wrong: str, reason: str | None) -> str:
    return f"{wrong}: {reason}" if reason else wrong


def _told(side: tree.Expression, value: Value, scope: BlockScope, definitions: Mapping[sympy.Expr, sympy.Expr]) -> str:
    """A side of a condition with its value: ``experts = 64``, ``{tp·cp}``; of a name of the operator alone ``64``."""
    if isinstance(value, sympy.Basic):
        return size(sympy.sympify(value).xreplace(dict(definitions)))
    named = expression_text(side)
    local = isinstance(scope, OperatorScope) and scope.surroundings.values.get(named) != value
    if isinstance(side, tree.Number) or local:
        return _written(value)
    return named if isinstance(value, str) and value == named else f"{named} = {_written(value)}"


def _written(value: Value) -> str:
    """A value as a file has it."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(map(str, value))) + "}"
    return str(value) if isinstance(value, int | str | sympy.Basic) else decimal(value)


def size(expression: sympy.Expr) -> str:
    """A size as messages name it: a number, or a product of names in braces, whose value is put in later."""
    printed = text.expression(expression)
    return printed if expression.is_number or not _is_product(expression) else f"{{{printed}}}"


def _is_product(expression: sympy.Expr) -> bool:
    """Whether it is a product or a quotient of names and numbers alone."""
    above, below = expression.as_numer_denom()
    return all(factor.is_Symbol or factor.is_Integer for side in (above, below) for factor in sympy.Mul.make_args(side))


def make_rule(left: sympy.Expr, relation: str, right: sympy.Expr, message: str) -> Rule:
    """The rule that the relation holds; ``message`` says what is wrong where it does not."""
    amount = right - left if relation == "<=" else left - right
    names = tuple(sorted(str(s) for s in amount.free_symbols))
    return Rule(amount, "zero" if relation == "==" else "not_negative", message, names)


def in_sizes(rule: Rule, definitions: Mapping[sympy.Expr, sympy.Expr]) -> Rule:
    """The rule in sizes that a strategy gives, which a hint can name, instead of what is defined by them."""
    amount = rule.amount.xreplace(dict(definitions))
    return rule if amount == rule.amount else make_rule(amount, _RELATION[rule.kind], sympy.Integer(0), rule.message)


_RELATION = {"zero": "==", "not_negative": ">="}


def divides(divisor: sympy.Expr, whole: sympy.Expr, message: str = "") -> Rule:
    """The rule that ``whole`` is a multiple of ``divisor``; ``message`` says what is wrong where that is not enough."""
    wrong = message or f"{size(divisor)} does not divide {size(whole)}"
    return make_rule(remainder(whole, divisor), "==", sympy.Integer(0), wrong)
