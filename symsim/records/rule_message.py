"""What is wrong with a plan that breaks a rule, with the values of the plan put in.

A message names sizes in braces: ``{ep} does not divide experts = 64``. Of no plan in particular it reads *ep does
not divide experts = 64*; of one plan, *ep = 48 does not divide experts = 64*. What stands in braces is a name, or a
product or a quotient of products: ``{tp·cp}``, ``{world/(tp·pp)}``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from math import prod

_SIZE = re.compile(r"\{([^{}]*)\}")

DERIVED = {"dp": "world/(tp·cp·pp)", "microbatches": "gbs·tp·cp·pp/(mbs·world)"}
"""Names that people use and that follow from others."""


def without_values(message: str) -> str:
    """What the rule says of every plan that breaks it."""
    return _SIZE.sub(lambda match: match[1], message)


def with_values(message: str, sizes: Mapping[str, int | Fraction]) -> str:
    """What is wrong with the plan of these sizes; an expression that has no value there is left as it is."""

    def told(match: re.Match[str]) -> str:
        value = _value(match[1], sizes)
        return match[1] if value is None or match[1].isdigit() else f"{match[1]} = {_number(value)}"

    return _SIZE.sub(told, message)


def _value(text: str, sizes: Mapping[str, int | Fraction]) -> Fraction | None:
    above, _, below = text.partition("/")
    parts = [_product(above, sizes), _product(below.strip("()") or "1", sizes)]
    if None in parts or not parts[1]:
        return None
    numerator, denominator = parts
    assert numerator is not None and denominator is not None
    return numerator / denominator


def _product(text: str, sizes: Mapping[str, int | Fraction]) -> Fraction | None:
    factors = [_factor(word, sizes) for word in text.split("·")]
    return None if None in factors else Fraction(prod(f for f in factors if f is not None))


def _factor(word: str, sizes: Mapping[str, int | Fraction]) -> Fraction | None:
    digits = word.replace(" ", "")
    if digits.isdigit():
        return Fraction(digits)
    if word in sizes:
        return Fraction(sizes[word])
    return _value(DERIVED[word], sizes) if word in DERIVED else None


def _number(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.4g}"
