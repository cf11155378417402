"""What to write in place of a unit that is none."""

from __future__ import annotations

import pytest

from symsim.language.unit_hints import unit_hint
from symsim.units import UNITS


@pytest.mark.parametrize("unit", ["Gbps", "gbps", "Gb/s", "Gbits/s", "Gbit"])
def test_bits_are_not_taken_for_bytes(unit: str) -> None:
    assert unit_hint("400", unit) == "bits per second are 400 Gbit/s, which is 50 GB/s"


@pytest.mark.parametrize(
    ("number", "unit", "hint"),
    [
        ("3.35", "TBps", "bytes per second are 3.35 TB/s"),
        ("989", "TFLOPS", "operations per second are 989 TFLOP/s"),
        ("989", "tflops", "operations per second are 989 TFLOP/s"),
        ("5", "msec", "write 5 ms"),
        ("5", "seconds", "write 5 s"),
        ("64", "Gib", "did you mean 'GiB'?"),
        ("80", "gb", "GiB are powers of 1024, GB powers of 1000: write the one that is meant"),
        ("1", "parsecs", "units are such as GB/s, GiB, TFLOP/s and us"),
    ],
)
def test_what_people_write_has_a_unit_here(number: str, unit: str, hint: str) -> None:
    assert unit_hint(number, unit) == hint


def test_a_gigabit_is_an_eighth_of_a_gigabyte() -> None:
    assert UNITS["Gbit/s"][0] * 8 == UNITS["GB/s"][0]
