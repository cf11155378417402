"""A name that varies: between which values, and the plan at one of them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from symsim.analysis.one_parameter import FAR, at_size, parameter
from symsim.loading.plan import counts_microbatches
from symsim.loading.question import Question, question

GIVEN = {"gbs": "gbs=64", "microbatches": "microbatches=8"}


def asked(step: str = "gbs=64") -> Question:
    return question("llama3_8b", f"world=8,{step},seq=4096", "h100_sxm")


@pytest.mark.parametrize("given", GIVEN)
@pytest.mark.parametrize(("name", "value"), [("gbs", 32), ("microbatches", 4)])
def test_a_step_is_what_was_set_last(given: str, name: str, value: int) -> None:
    """Whatever the strategy gives: at a number of sequences it has so many, at one of micro-batches it counts them."""
    found = at_size(asked(GIVEN[given]), name, value)
    assert found.values["gbs"] == 32
    assert counts_microbatches(found) is (name == "microbatches")


def test_an_imbalance_is_at_least_one_and_a_capacity_may_be_any_share() -> None:
    """The busiest expert has at least its even share of the tokens."""
    assert parameter(asked(), "moe_imbalance").low == 1
    assert parameter(asked(), "moe_capacity").low == 1 / FAR
    assert at_size(asked(), "moe_imbalance", Fraction(5, 4)).values["moe_imbalance"] == Fraction(5, 4)
