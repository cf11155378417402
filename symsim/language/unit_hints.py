"""What to write in place of a unit that is none: bits are never taken for bytes."""

from __future__ import annotations

import re
from fractions import Fraction

from symsim import units
from symsim.diagnostics import nearest

_PREFIX = r"(?P<prefix>[kKmMgGtTpP]i?|)"
_BITS = re.compile(_PREFIX + r"(?:bps|b/s|bits?|bits/s|bits?/sec|bits?ps|b/sec)")
_BYTES = re.compile(_PREFIX + r"(?:Bps|BPS|[bB]ytes?/s|B/sec|B/second)")
_FLOPS = re.compile(_PREFIX + r"(?:FLOPS|FLOPs|FLOPs/s|Flops?|flops?|flop/s|FLOP/sec|OPS|ops)")
_SIZE = re.compile(r"(?P<prefix>[kKmMgGtTpP])(?P<binary>[iI]?)(?:b|B|[bB]ytes?)")
_TIMES = {
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("msec", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("µs", "μs", "usec", "microsecond", "microseconds"), "us"),
    **dict.fromkeys(("nsec", "nanosecond", "nanoseconds"), "ns"),
}
"""What people call units of time."""


def unit_hint(number: str, unit: str) -> str:
    """What to write in place of ``number unit``."""
    if match := _BITS.fullmatch(unit):
        return _bits(number, _prefix(match))
    if match := _BYTES.fullmatch(unit):
        return f"bytes per second are {number} {_prefix(match)}B/s"
    if match := _FLOPS.fullmatch(unit):
        return f"operations per second are {number} {_prefix(match)}FLOP/s"
    if unit in _TIMES:
        return f"write {number} {_TIMES[unit]}"
    if (match := _SIZE.fullmatch(unit)) and unit not in units.UNITS:
        prefix = match["prefix"].upper()
        if match["binary"]:
            return f"did you mean '{prefix}iB'?"
        return f"{prefix}iB are powers of 1024, {_prefix(match)}B powers of 1000: write the one that is meant"
    return nearest(unit, units.UNITS) or "units are such as GB/s, GiB, TFLOP/s and us"


def _prefix(match: re.Match[str]) -> str:
    """A prefix as units have it: ``G`` of ``gbps``."""
    prefix = match["prefix"]
    return "k" if prefix in ("k", "K") else prefix[:1].upper() + prefix[1:]


def _bits(number: str, prefix: str) -> str:
    """A rate of bits, and what it is in bytes: networks are sold by the one and used by the other."""
    name = f"{prefix}bit/s"
    if name not in units.UNITS:
        return "rates are such as 400 Gbit/s or 50 GB/s"
    try:
        of_bytes = Fraction(number.replace("_", "")) / 8
    except ValueError:
        return f"bits per second are {name}"
    return f"bits per second are {number} {name}, which is {float(of_bytes):g} {prefix}B/s"
