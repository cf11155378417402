"""``require`` statements of the library, made into rules that a plan is checked against."""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from symsim.compiler.scope import BlockScope
from symsim.diagnostics import error
from symsim.functions import remainder
from symsim.language import tree
from symsim.language.expressions import describe, evaluate, names_in, number, truth
from symsim.records.cost import Rule


def rule_of(statement: tree.Require, scope: BlockScope) -> Rule | None:
    """The rule of ``require a % b == 0``, ``a <= b``, ``a >= b`` or ``a == b`` on sizes.

    A condition on structure alone is decided here: nothing to check later if it holds.

    Raises:
        InputError: a structural condition does not hold.
    """
    node = statement.condition
    message = statement.message or "a condition of the library"
    if isinstance(node, tree.Binary) and node.operator in ("==", "<=", ">="):
        left, right = evaluate(node.left, scope), evaluate(node.right, scope)
        if isinstance(left, sympy.Basic) or isinstance(right, sympy.Basic):
            left = sympy.sympify(number(left, node.left.place, scope))
            right = sympy.sympify(number(right, node.right.place, scope))
            return make_rule(left, node.operator, right, message)
    if not truth(evaluate(node, scope), node.place, scope):
        given = ((n, scope.lookup(n)) for n in sorted(names_in(node)))
        hint = "here " + ", ".join(f"{n} is {describe(value)}" for n, value in given if value is not None)
        raise error("E240", message, statement.place, hint)
    return None


def make_rule(left: sympy.Expr, relation: str, right: sympy.Expr, message: str) -> Rule:
    amount = right - left if relation == "<=" else left - right
    names = tuple(sorted(str(s) for s in amount.free_symbols))
    return Rule(amount, "zero" if relation == "==" else "not_negative", message, names)


def in_sizes(rule: Rule, definitions: Mapping[sympy.Expr, sympy.Expr]) -> Rule:
    """The rule in sizes that a strategy gives, which a hint can name, instead of what is defined by them."""
    amount = rule.amount.xreplace(dict(definitions))
    return rule if amount == rule.amount else make_rule(amount, _RELATION[rule.kind], sympy.Integer(0), rule.message)


_RELATION = {"zero": "==", "not_negative": ">="}


def divides(divisor: sympy.Expr, whole: sympy.Expr, message: str) -> Rule:
    """The rule that ``whole`` is a multiple of ``divisor``."""
    return make_rule(remainder(whole, divisor), "==", sympy.Integer(0), message)
