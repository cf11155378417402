"""What the choices of a strategy mean together."""

from __future__ import annotations

import pytest

from symsim.language.strategies import load_strategy


@pytest.mark.parametrize("name", ["first_stage_layers", "layout", "te_version", "moe_capacity", "zero_shard"])
def test_none_takes_an_optional_choice_back(name: str) -> None:
    given = {"layout": '"Et|tL"', "te_version": "2.11.0"}.get(name, "2")
    strategy = load_strategy(f"tp=2,{name}={given}", (f"{name}=none",))
    assert name not in strategy.values and name not in strategy.places
    assert strategy.values["tp"] == 2


def test_recomputing_none_is_a_choice_of_its_own() -> None:
    assert load_strategy("tp=2,recompute=full", ("recompute=none",)).values["recompute"] == "none"
