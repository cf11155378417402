"""The bits foretold for the registers of a program are enough for every number in them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.emit.magnitude import bits_of
from symsim.emit.program import Program


def foretold(*instructions: tuple[Any, ...]) -> int:
    """Bits of the last register; 0 is pp, 1 the stage, 2 the first instruction."""
    return bits_of(Program("", ("pp",), instructions, {}, ()))[-1]


@given(st.integers(-40, 40), st.integers(1, 60))
def test_a_power_has_at_most_the_bits_foretold(base: int, exponent: int) -> None:
    assert (base**exponent).bit_length() <= foretold(("const", base), ("const", exponent), ("pow", 2, 3))


@pytest.mark.parametrize("base", [-1, 0, 1])
def test_a_power_of_a_unit_or_of_nothing_stays_one_bit(base: int) -> None:
    assert foretold(("const", base), ("const", 10**9), ("pow", 2, 3)) <= 1
