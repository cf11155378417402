"""The few functions beyond arithmetic that a formula may contain.

Formulas are sympy expressions. Sympy's own ``Max``, ``Mod`` and ``Piecewise`` try to decide
comparisons while an expression is built, which is slow and rewrites what a person would read; the
classes here stay as written and know how to differentiate themselves away from their kinks.

=====================  =================================================================
``maximum(a, b, …)``   the largest argument
``minimum(a, b, …)``   the smallest argument
``equal(a, b)``        1 if a = b else 0 (an Iverson bracket); likewise ``less``, ``at_most``
``where(c, a, b)``     a if c ≠ 0 else b
``remainder(a, b)``    a modulo b
``table(name, *dims)`` a number measured on the machine for these dimensions
``measured(a, b)``     a, what a table says, if it has an entry (a ≠ 0), else b
``stage_sum(e)``       e summed over the pipeline stages i = 0 … pp − 1
``stage_max(e)``       the largest e over the stages
``stage_pick(e, k)``   e on the first stage where k is largest
``sum_before(e)``      e summed over the stages before this one, 0 … i − 1
``max_to(e)``          the largest e over the stages up to this one, 0 … i
``max_from(e)``        the largest e over the stages from this one on, i … pp − 1
=====================  =================================================================

``floor`` and ``ceiling`` are sympy's.
"""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr, Function, Integer


class _Extreme(Function):
    """Shared mechanism of ``maximum`` and ``minimum``: flat, without repeats, folded on numbers."""

    prefers_larger = True

    @classmethod
    def eval(cls, *args: Expr) -> Expr | None:
        flat: list[Expr] = []
        for arg in args:
            flat.extend(arg.args if isinstance(arg, cls) else (arg,))
        numbers = [a for a in flat if a.is_Number]
        rest = list(dict.fromkeys(a for a in flat if not a.is_Number))
        if numbers:
            rest.append(max(numbers) if cls.prefers_larger else min(numbers))
        if len(rest) == 1:
            return rest[0]
        if len(rest) < len(args) or len(flat) > len(args):
            return cls(*rest, evaluate=False)
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        """1 where this argument is the extreme one; at a tie that is the first of them."""
        mine = self.args[argindex - 1]
        chosen: Expr = Integer(1)
        for k, other in enumerate(self.args):
            beats = less if k < argindex - 1 else at_most
            if k != argindex - 1:
                chosen = chosen * (beats(other, mine) if self.prefers_larger else beats(mine, other))
        return chosen


class maximum(_Extreme):
    prefers_larger = True


class minimum(_Extreme):
    prefers_larger = False


class _Flat(Function):
    """A function whose derivative is zero wherever it has one."""

    def fdiff(self, argindex: int = 1) -> Expr:
        return Integer(0)


class equal(_Flat):
    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr | None:
        return _decide(a - b, lambda d: d == 0)


class less(_Flat):
    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr | None:
        return _decide(a - b, lambda d: d < 0)


class at_most(_Flat):
    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr | None:
        return _decide(a - b, lambda d: d <= 0)


class table(_Flat):
    """``table(name, *dims)``: looked up when a machine is bound; piecewise constant."""


class measured(Function):
    """``measured(entry, otherwise)``: a table's entry where it has one for these dimensions, else a formula.

    An entry is flat, a formula is not: the derivative goes through ``otherwise``.
    """

    @classmethod
    def eval(cls, entry: Expr, otherwise: Expr) -> Expr | None:
        if entry.is_Number:
            return otherwise if entry == 0 else entry
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        entry, _ = self.args
        return where(entry, 1, 0) if argindex == 1 else where(entry, 0, 1)


class remainder(Function):
    @classmethod
    def eval(cls, a: Expr, b: Expr) -> Expr | None:
        if a.is_Integer and b.is_Integer and b != 0:
            return Integer(int(a) % int(b))
        return None

    def fdiff(self, argindex: int = 1) -> Expr:
        a, b = self.args
        return Integer(1) if argindex == 1 else -sympy.floor(a / b)


class where(Function):
    @classmethod
    def eval(cls, condition: Expr, a: Expr, b: Expr) -> Expr | None:
        if condition.is_Number:
            return b if condition == 0 else a
        return a if a == b else None

    def fdiff(self, argindex: int = 1) -> Expr:
        condition = self.args[0]
        if argindex == 1:
            return Integer(0)
        return where(condition, 1, 0) if argindex == 2 else where(condition, 0, 1)


class stage_sum(Function):
    """Argument: a quantity of one stage. Differentiated through the sum by the evaluator's rules."""


class stage_max(Function):
    """The largest of a stage's quantity over all stages."""


class stage_pick(Function):
    """``stage_pick(value, key)``: the value on the first stage whose key is largest."""


class sum_before(Function):
    """The sum of a stage's quantity over the stages before this one: one number for each stage."""


class max_to(Function):
    """The largest of a stage's quantity up to this stage, itself included."""


class max_from(Function):
    """The largest of a stage's quantity from this stage on."""


def derivative(expression: Expr, by: Expr) -> Expr:
    """The partial derivative away from kinks: steps (⌈⌉, ⌊⌋, brackets) are flat between their jumps."""
    found = sympy.diff(expression, by)
    return found.replace(lambda e: isinstance(e, sympy.Subs | sympy.Derivative), lambda e: Integer(0))


REDUCTIONS = (stage_sum, stage_max, stage_pick)
"""One number for the run."""

SCANS = (sum_before, max_to, max_from)
"""One number for each stage, made of those of other stages."""


def _decide(difference: Expr, test: Any) -> Expr | None:
    """Infinity less infinity is no number: what compares them stays as written, and has no value."""
    if not difference.is_Number or difference is sympy.nan:
        return None
    return Integer(int(bool(test(difference))))
