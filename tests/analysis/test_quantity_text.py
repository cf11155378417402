"""Amounts, and what is said of both plans, as ``compare`` writes them."""

from __future__ import annotations

import pytest

from symsim.analysis.comparing.compare_json import _of_both, quantity_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.25, "s", "250 ms"),
        (2.0**31, "bytes", "2.00 GiB"),
        (0.123456, "", "0.1235"),
        (9999.4, "", "9,999"),
        (12345.6, "", "12,346"),
        (-12345.6, "", "-12,346"),
        (1.5e4, "tokens", "15,000"),
    ],
)
def test_an_amount_is_written_in_its_unit(value: float, unit: str, text: str) -> None:
    assert quantity_text(value, unit) == text


def test_what_is_said_of_both_plans_is_said_once() -> None:
    assert _of_both([["x", "both", "y"], ["both", "z"]]) == ["both", "A: x", "A: y", "B: z"]
    assert _of_both([[], ["z"]]) == ["B: z"]
    assert _of_both([["both"], ["both"]]) == ["both"]
