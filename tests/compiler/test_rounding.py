"""Rounded formulas are those that sympy writes, whether or not it had to be asked."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
import sympy
from sympy import Expr, Integer, Rational

from symsim.compiler.rounding import rounded_down, rounded_up, tried
from symsim.functions import maximum, minimum, remainder, table
from symsim.symbols import symbol

TP, PP, STAGE, SEQ = (symbol(n) for n in ("tp", "pp", "i", "seq"))
SPAN = symbol("link.span")


@pytest.mark.parametrize(
    ("amount", "down", "up"),
    [
        (Rational(7, 2), 3, 4),
        (TP * PP, TP * PP, TP * PP),
        (TP / (TP + 1), 0, 1),
        (1 / TP, sympy.floor(1 / TP), 1),
        (PP + SEQ / TP, PP + sympy.floor(SEQ / TP), PP + sympy.ceiling(SEQ / TP)),
        (SEQ / TP + Rational(3, 2), sympy.floor(SEQ / TP + Rational(3, 2)), sympy.ceiling(SEQ / TP + Rational(3, 2))),
        (SEQ / TP + 2, sympy.floor(SEQ / TP) + 2, sympy.ceiling(SEQ / TP) + 2),
    ],
)
def test_what_is_whole_stands_outside_and_what_is_one_number_is_that(amount: Expr, down: Expr, up: Expr) -> None:
    assert (rounded_down(amount), rounded_up(amount)) == (down, up)


def formulas(count: int) -> Iterator[Expr]:
    draw = random.Random(1)
    leaves = [TP, PP, STAGE, SEQ, SPAN, Integer(1), Integer(2), Integer(60), Rational(1, 4), Rational(7, 60)]

    def formula(depth: int) -> Expr:
        if depth == 0:
            return draw.choice(leaves)
        a, b = formula(depth - 1), formula(depth - 1)
        made = [a + b, a - b, a * b, maximum(a, b), minimum(a, b, 3), sympy.floor(a) + b]
        return draw.choice(made + ([a / b, a / b, a / b, remainder(a, b)] if b != 0 else []))

    for _ in range(count):
        found = formula(draw.choice((1, 1, 2, 2, 3)))
        if not found.has(sympy.zoo, sympy.nan, sympy.oo):
            yield found


def test_any_formula_is_rounded_as_sympy_does() -> None:
    for amount in formulas(600):
        assert rounded_down(amount) == sympy.floor(amount), amount
        assert rounded_up(amount) == sympy.ceiling(amount), amount


def test_what_numbers_do_not_say_is_asked() -> None:
    """A table of a machine has no value without one."""
    measured = table(sympy.Symbol("link.fixed"), TP)
    assert tried(measured) == ()
    assert rounded_up(measured) == sympy.ceiling(measured)
