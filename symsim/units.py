"""Quantities with units: parsed to plain numbers in base units, printed back in readable ones.

Base units are bytes, FLOP, seconds, and their rates. ``GiB`` is 2^30 bytes and ``GB`` is 10^9;
``TFLOP/s`` is 10^12 FLOP/s. A prefix alone makes a count: ``10T`` is 10^13 and ``8Ki`` is 8,192.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

_DECIMAL: Final = {"": 1, "k": 10**3, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}
_BINARY: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50}
_HOUR: Final = 3600
_DAY: Final = 24 * _HOUR
_TIME: Final = {
    **{"s": Fraction(1), "ms": Fraction(1, 10**3), "us": Fraction(1, 10**6), "ns": Fraction(1, 10**9)},
    **dict.fromkeys(("h", "hour", "hours"), Fraction(_HOUR)),
    **dict.fromkeys(("day", "days"), Fraction(_DAY)),
}


def _table() -> dict[str, tuple[Fraction, str]]:
    units: dict[str, tuple[Fraction, str]] = {name: (scale, "s") for name, scale in _TIME.items()}
    for prefix, scale in (_DECIMAL | _BINARY).items():
        units[f"{prefix}B"] = (Fraction(scale), "B")
        units[f"{prefix}B/s"] = (Fraction(scale), "B/s")
    for prefix, scale in _DECIMAL.items():
        units[f"{prefix}FLOP"] = (Fraction(scale), "FLOP")
        units[f"{prefix}FLOP/s"] = (Fraction(scale), "FLOP/s")
        units[f"{prefix}bit/s"] = (Fraction(scale, 8), "B/s")
        units[prefix] = (Fraction(scale), "")
        units[f"{prefix}W"] = (Fraction(scale), "W")
        units[f"{prefix}Wh"] = (Fraction(scale * _HOUR), "J")
        units[f"{prefix}J"] = (Fraction(scale), "J")
    for prefix, scale in _BINARY.items():
        units[prefix] = (Fraction(scale), "")
    del units[""]
    units["%"] = (Fraction(1, 100), "")
    return units


UNITS: Final = _table()
"""Spelling → (scale to the base unit, base unit)."""


def group_digits(number: int, separator: str = " ") -> str:
    """``855638016`` → ``855 638 016``; numbers of up to four digits stay together."""
    text = str(abs(number))
    sign = "-" if number < 0 else ""
    if len(text) <= 4:
        return sign + text
    first = len(text) % 3 or 3
    return sign + separator.join([text[:first], *(text[k : k + 3] for k in range(first, len(text), 3))])


def bytes_text(value: float) -> str:
    """Bytes in the largest binary unit that keeps the number at or above one: ``64.00 GiB``."""
    for unit, scale in (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(value) >= scale:
            return f"{value / scale:.2f} {unit}"
    return f"{value:.0f} B"


def seconds_text(value: float) -> str:
    """Seconds in the unit that keeps three to four figures: ``1.234 s``, ``56.7 ms``."""
    for unit, scale in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if abs(value) >= scale:
            return f"{value / scale:.4g} {unit}"
    return "0 s" if value == 0 else f"{value / 1e-9:.4g} ns"


def decimal_text(value: float, unit: str = "") -> str:
    """A count with a decimal prefix: ``70.55 G``, ``989 TFLOP/s``."""
    for prefix, scale in (("E", 1e18), ("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= scale:
            return f"{value / scale:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}".rstrip()
