"""⌊ ⌋ and ⌈ ⌉ of formulas, written as sympy writes them, without asking it for what cannot be.

Before sympy rounds a formula it asks at length what may be known of it: whether it is a whole number, and whether
it rounds to one number whatever the sizes are. A few numbers in the place of the sizes show in most cases that
neither holds, and what does not hold for them cannot be known. Only what they leave open is asked.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache

import sympy
from sympy import Expr

from symsim.functions import maximum, minimum, remainder

TRIED = ((7, 3001, 11, 211, 13, 1009), (2003, 5, 307, 17, 4001, 3), (101, 19, 503, 1013, 23, 5003))
"""Sizes that are put into a formula, to its names in the order of the alphabet. Primes, small and large in turn, so
that hardly any quotient is whole and hardly any two round alike."""


@lru_cache(maxsize=4096)
def rounded_down(amount: Expr) -> Expr:
    """⌊amount⌋; what is whole stands outside."""
    values = tried(amount)
    return _rounded(amount, sympy.floor, values, len({math.floor(v) for v in values}) > 1)


@lru_cache(maxsize=4096)
def rounded_up(amount: Expr) -> Expr:
    """⌈amount⌉; what is whole stands outside."""
    values = tried(amount)
    return _rounded(amount, sympy.ceiling, values, len({math.ceil(v) for v in values}) > 1)


def _rounded(amount: Expr, function: type[Expr], values: Sequence[Fraction], differ: bool) -> Expr:
    if not differ or _may_be_whole(values):
        return function(amount)
    whole: list[Expr] = []
    rest: list[Expr] = []
    for term in sympy.Add.make_args(amount):
        is_whole = term.is_Integer or (not term.is_Number and _may_be_whole(tried(term)) and term.is_integer)
        (whole if is_whole else rest).append(term)
    if not whole:
        return function(amount, evaluate=False)
    if all(term.is_Number for term in rest):
        return function(amount)
    return sympy.Add(*whole, function(sympy.Add(*rest), evaluate=False))


def _may_be_whole(values: Sequence[Fraction]) -> bool:
    return all(v.denominator == 1 for v in values)


def tried(amount: Expr) -> tuple[Fraction, ...]:
    """Values of a formula at a few legal sizes; none where one of its functions has no value there."""
    names = sorted(amount.free_symbols, key=str)
    values: list[Fraction] = []
    for sizes in TRIED:
        at = {name: Fraction(sizes[k % len(sizes)] + k // len(sizes)) for k, name in enumerate(names)}
        try:
            values.append(_value(amount, at))
        except (ZeroDivisionError, ValueError):
            continue
    return tuple(values)


def _value(part: Expr, at: dict[Expr, Fraction]) -> Fraction:
    """
    Raises:
        ValueError: numbers alone do not say what a function is.
    """
    if part.is_Symbol:
        return at[part]
    if part.is_Rational:
        return Fraction(int(part.p), int(part.q))
    values = [_value(a, at) for a in part.args]
    if part.is_Add:
        return sum(values, Fraction(0))
    if part.is_Mul:
        return math.prod(values, start=Fraction(1))
    if part.is_Pow and part.exp.is_Integer:
        return Fraction(values[0] ** int(part.exp))
    match part:
        case maximum():
            return max(values)
        case minimum():
            return min(values)
        case remainder():
            return values[0] % values[1]
        case sympy.floor():
            return Fraction(math.floor(values[0]))
        case sympy.ceiling():
            return Fraction(math.ceil(values[0]))
    raise ValueError(f"{part.func} of numbers")
