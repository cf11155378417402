"""Small, readable, canonical: sums of products grouped by what they share, and proofs of order.

Amounts are Laurent polynomials: sums of a number times powers of sizes, where anything else (a
minimum, a ceiling) counts as one more factor.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar

import sympy
from sympy import Expr, Integer, Rational

from symsim.functions import at_most, equal, less, remainder
from symsim.records.cost import Rule

Key = TypeVar("Key", bound=Hashable)
_ZERO = Integer(0)
"""Sympy has one zero of whole numbers and fractions."""

Terms = dict[Expr, Rational]
"""Monomial → coefficient."""


def terms(expression: Expr) -> Terms:
    """The monomials of an expanded sum."""
    return dict(_terms(expression))


KEPT_FORMS = 4096
"""Formulas whose expanded and whose tidy form is kept: those of a model are asked for a hundred times each."""


@lru_cache(maxsize=KEPT_FORMS)
def _terms(expression: Expr) -> Terms:
    expanded = sympy.expand(expression) if expression.has(sympy.Add) else expression
    return {m: c for m, c in expanded.as_coefficients_dict().items() if c != 0}


def add(*parts: Mapping[Expr, Rational]) -> Terms:
    out: Terms = {}
    for part in parts:
        for monomial, coefficient in part.items():
            known = out.get(monomial)
            out[monomial] = coefficient if known is None else known + coefficient
    return {m: c for m, c in out.items() if c is not _ZERO}


def scale(part: Mapping[Expr, Rational], factor: Rational | int) -> Terms:
    return {m: c * factor for m, c in part.items()}


def total(amounts: Iterable[Expr]) -> Terms:
    return add(*(terms(a) for a in amounts))


def tidy(part: Mapping[Expr, Rational] | Expr) -> Expr:
    """A product of what all terms share and a sum of what is left: ``T·(274688/tp + 16384)``.

    What is left is grouped by denominators: ``(2·heads·head_dim + 3·ffn)/tp + 2``.
    """
    monomials = part if isinstance(part, Mapping) else _terms(part)
    return _tidy(tuple(monomials.items())) if monomials else Integer(0)


@lru_cache(maxsize=KEPT_FORMS)
def _tidy(given: tuple[tuple[Expr, Rational], ...]) -> Expr:
    monomials = dict(given)
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


Bounds = Mapping[Expr, int]
"""Largest values of sizes, where a rule of the model limits them."""


def bounds_of(rules: Iterable[Rule]) -> dict[Expr, int]:
    """``64 % (tp·cp) = 0`` limits tp and cp to 64."""
    bounds: dict[Expr, int] = {}
    for rule in rules:
        amount = rule.amount
        if rule.kind == "zero" and isinstance(amount, remainder) and amount.args[0].is_Integer:
            whole = int(amount.args[0])
            for size in amount.args[1].free_symbols:
                bounds[size] = min(whole, bounds.get(size, whole))
    return bounds


def dominates(larger: Mapping[Expr, Rational], smaller: Mapping[Expr, Rational], bounds: Bounds) -> bool:
    """Proof that ``larger ≥ smaller`` wherever sizes are at least 1 and within their bounds; False if
    none is found.

    Each negative term of the difference is covered by positive ones, as far as their ratio is sure.
    """
    difference = _least(add(larger, scale(smaller, -1)))
    spare = {m: c for m, c in difference.items() if c > 0}
    for monomial, coefficient in difference.items():
        lacking = -coefficient
        if lacking <= 0:
            continue
        for cover in list(spare):
            ratio = _least_ratio(cover / monomial, bounds)
            if ratio == 0:
                continue
            used = min(spare[cover], lacking / ratio)
            spare[cover] -= used
            lacking -= used * ratio
            if spare[cover] == 0:
                del spare[cover]
            if lacking == 0:
                break
        if lacking > 0:
            return False
    return True


def _least(difference: Terms) -> Terms:
    """A lower bound without brackets: one before a positive term may be 0, before a negative one 1."""
    plain: Terms = {}
    for monomial, coefficient in difference.items():
        brackets = [f for f in sympy.Mul.make_args(monomial) if isinstance(f, equal | less | at_most)]
        if brackets and coefficient > 0:
            continue
        bare = monomial / sympy.Mul(*brackets) if brackets else monomial
        plain[bare] = plain.get(bare, Integer(0)) + coefficient
    return plain


def undominated(candidates: Mapping[Key, Terms], bounds: Bounds) -> dict[Key, Terms]:
    """The candidates that no other provably reaches; of equal ones the first stays."""
    named = tuple((name, tuple(candidate.items())) for name, candidate in candidates.items())
    return {name: candidates[name] for name in _undominated(named, tuple(bounds.items()))}


@lru_cache(maxsize=256)
def _undominated(named: tuple[tuple[Any, Any], ...], limits: tuple[tuple[Any, int], ...]) -> tuple[Any, ...]:
    """Kept, because variants of a model that differ elsewhere ask the same."""
    candidates, bounds = {name: dict(terms) for name, terms in named}, dict(limits)
    kept: dict[Any, Terms] = {}
    for name, candidate in candidates.items():
        if any(dominates(other, candidate, bounds) for other in kept.values()):
            continue
        kept = {n: other for n, other in kept.items() if not dominates(candidate, other, bounds)}
        kept[name] = candidate
    return tuple(kept)


def _least_ratio(ratio: Expr, bounds: Bounds) -> Rational:
    """What a product of powers of sizes is at least; 0 where nothing is sure."""
    least = Integer(1)
    for base, exponent in ratio.as_powers_dict().items():
        if base == 1:
            continue
        is_size = base.is_Symbol and base.is_positive and base.is_integer and exponent.is_Integer
        if not is_size or (exponent < 0 and base not in bounds):
            return Integer(0)
        if exponent < 0:
            least *= Integer(bounds[base]) ** exponent
    return least
