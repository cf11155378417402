"""Rows that experts work on: how uneven a choice of experts may be, and what a capacity makes of it."""

from __future__ import annotations

from fractions import Fraction
from math import ceil

import pytest

from tests.compiler.asking import values

MODEL = "moe(hidden=64, heads=8, vocab=1024, experts=8, topk=2, expert_ffn=64, layers=2)"
DISPATCHERS = ("all_to_all", "all_gather", "deepep", "hybridep")


def saved(dispatch: str, choices: str) -> float:
    return values(f"moe_dispatch={dispatch},{choices}", MODEL)["A"]


@pytest.mark.parametrize("dispatch", DISPATCHERS)
def test_a_rank_with_all_experts_gets_every_token_however_uneven_the_choice(dispatch: str) -> None:
    assert saved(dispatch, "moe_imbalance=3") == saved(dispatch, "")


@pytest.mark.parametrize("dispatch", DISPATCHERS)
def test_the_busiest_rank_gets_at_most_what_its_group_has(dispatch: str) -> None:
    even, twice, thrice = (saved(dispatch, f"ep=2{x}") for x in ("", ",moe_imbalance=2", ",moe_imbalance=3"))
    assert even < twice == thrice


@pytest.mark.parametrize("dispatch", DISPATCHERS)
def test_a_capacity_fills_up_and_cuts(dispatch: str) -> None:
    assert saved(dispatch, "ep=8,moe_capacity=1.5,moe_imbalance=3") == saved(dispatch, "ep=8,moe_capacity=1.5")
    assert saved(dispatch, "ep=8,moe_capacity=0.5") < saved(dispatch, "ep=8") < saved(dispatch, "ep=8,moe_imbalance=2")


@pytest.mark.parametrize("dispatch", ["deepep", "hybridep"])
@pytest.mark.parametrize("topk", [16, 17, 22, 256])
def test_a_token_is_sent_to_each_rank_that_has_one_of_its_experts_however_many_it_visits(
    dispatch: str, topk: int
) -> None:
    """1 - (7/8)^k of the tokens of 8 ranks reach one; two exchanges forward, two backward, 7/8 of them to others."""
    model = f"moe(hidden=64, heads=8, vocab=1024, experts=512, topk={topk}, expert_ffn=64, layers=2)"
    reached = ceil(2048 * 8 * (1 - Fraction(7, 8) ** topk))
    assert values(f"moe_dispatch={dispatch},ep=8", model)["sent.ep"] == 2 * 4 * reached * 64 * 2 * 7 / 8


@pytest.mark.parametrize("dispatch", ["deepep", "hybridep"])
def test_one_rank_has_all_experts_of_its_tokens(dispatch: str) -> None:
    model = "moe(hidden=64, heads=8, vocab=1024, experts=64, topk=22, expert_ffn=64, layers=2)"
    assert values(f"moe_dispatch={dispatch},ep=1", model)["sent.ep"] == 0
