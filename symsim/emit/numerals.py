"""Numbers in digits: exact, short, and never with floating-point noise.

Integers keep every digit. A floating-point number is printed with the fewest digits that read back
as the same number; beyond everyday sizes its exponent is a multiple of three, as in ``989e12``
FLOP/s or ``6e-6`` s.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from symsim.units import group_digits

_PLAIN: Final = (1e-3, 1e6)
"""Floating-point numbers in this range are printed without an exponent."""


def numeral(value: float, separator: str, times_ten_to: str = "e{}") -> str:
    """A number that is not negative, its integer digits grouped by ``separator``.

    ``times_ten_to`` says how a power of ten is written; ``{}`` is the exponent.
    """
    if isinstance(value, int):
        return group_digits(value, separator)
    mantissa, exponent = _split(value)
    whole, point, fraction = mantissa.partition(".")
    digits = group_digits(int(whole), separator) + point + fraction
    return digits + times_ten_to.format(exponent) if exponent else digits


def _split(value: float) -> tuple[str, int]:
    """``(mantissa, exponent)`` such that ``float(f"{mantissa}e{exponent}")`` is the value."""
    exact = Decimal(repr(value))
    if value == 0 or _PLAIN[0] <= value < _PLAIN[1]:
        return repr(float(value)), 0
    exponent = exact.adjusted() // 3 * 3
    mantissa = format(exact.scaleb(-exponent), "f")
    return mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa, exponent
