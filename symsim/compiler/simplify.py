"""Small, readable, canonical: sums of products grouped by what they share, and proofs of order.

Amounts are Laurent polynomials: sums of a number times powers of sizes, where anything else (a
minimum, a ceiling) counts as one more factor.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import sympy
from sympy import Expr, Integer, Rational

Terms = dict[Expr, Rational]
"""Monomial → coefficient."""


def terms(expression: Expr) -> Terms:
    """The monomials of an expanded sum."""
    expanded = sympy.expand(expression) if expression.has(sympy.Add) else expression
    return {m: c for m, c in expanded.as_coefficients_dict().items() if c != 0}


def add(*parts: Mapping[Expr, Rational]) -> Terms:
    out: Terms = {}
    for part in parts:
        for monomial, coefficient in part.items():
            out[monomial] = out.get(monomial, Integer(0)) + coefficient
    return {m: c for m, c in out.items() if c != 0}


def scale(part: Mapping[Expr, Rational], factor: Rational | int) -> Terms:
    return {m: c * factor for m, c in part.items()}


def total(amounts: Iterable[Expr]) -> Terms:
    return add(*(terms(a) for a in amounts))


def tidy(part: Mapping[Expr, Rational] | Expr) -> Expr:
    """A product of what all terms share and a sum of what is left: ``T·(274688/tp + 16384)``.

    What is left is grouped by denominators: ``(2·heads·head_dim + 3·ffn)/tp + 2``.
    """
    monomials = part if isinstance(part, Mapping) else terms(part)
    if not monomials:
        return Integer(0)
    powers = {m: m.as_powers_dict() for m in monomials}
    shared: dict[Expr, Expr] = {}
    first = next(iter(powers.values()))
    for base in first:
        exponents = [p.get(base, Integer(0)) for p in powers.values()]
        if all(e.is_Integer for e in exponents):
            low = min(exponents)
            if low > 0 or (low < 0 and len(set(exponents)) == 1):
                shared[base] = low
    outside = sympy.Mul(*(base**e for base, e in shared.items() if base != 1))
    inside = _by_denominator({m / outside: c for m, c in monomials.items()})
    if inside.is_Add and outside != 1:
        return sympy.Mul(outside, inside, evaluate=False) if outside.is_Number else outside * inside
    return outside * inside


def _by_denominator(monomials: Mapping[Expr, Rational]) -> Expr:
    groups: dict[Expr, list[Expr]] = {}
    for monomial, coefficient in monomials.items():
        below = sympy.Mul(*(b**e for b, e in monomial.as_powers_dict().items() if e.is_negative and b != 1))
        groups.setdefault(below, []).append(coefficient * monomial / below)
    return sympy.Add(*(sympy.Add(*above) * below for below, above in groups.items()))


def dominates(larger: Mapping[Expr, Rational], smaller: Mapping[Expr, Rational]) -> bool:
    """Proof that ``larger ≥ smaller`` wherever every size is at least 1; False if none is found.

    Each negative term of the difference is covered by a positive one that is a multiple of it by
    sizes with non-negative powers.
    """
    difference = add(larger, scale(smaller, -1))
    spare = {m: c for m, c in difference.items() if c > 0}
    for monomial, coefficient in difference.items():
        lacking = -coefficient
        if lacking <= 0:
            continue
        for cover in list(spare):
            if not _at_least_one(cover / monomial):
                continue
            used = min(spare[cover], lacking)
            spare[cover] -= used
            lacking -= used
            if spare[cover] == 0:
                del spare[cover]
            if lacking == 0:
                break
        if lacking > 0:
            return False
    return True


def undominated(candidates: Mapping[str, Terms]) -> dict[str, Terms]:
    """The candidates that no other provably reaches; of equal ones the first stays."""
    kept: dict[str, Terms] = {}
    for name, candidate in candidates.items():
        if any(dominates(other, candidate) for other in kept.values()):
            continue
        kept = {n: other for n, other in kept.items() if not dominates(candidate, other)}
        kept[name] = candidate
    return kept


def _at_least_one(ratio: Expr) -> bool:
    return all(
        exponent.is_Integer and exponent > 0 and base.is_Symbol and base.is_positive and base.is_integer
        for base, exponent in ratio.as_powers_dict().items()
        if base != 1
    )
