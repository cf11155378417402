"""The shipped strategies: each one checks, and each plan answers for the model that it is meant for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from symsim import resources
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space
from symsim.diagnostics import InputError
from symsim.language.strategies import load_strategy
from symsim.loading.checking import check_file
from symsim.loading.question import question
from symsim.records.strategy import CHOICES

PLANS = {
    "tp8_pp4": ("llama3_70b", "h100_sxm"),
    "single_node_tp8": ("llama3_8b", "h100_sxm"),
    "fsdp_64": ("llama3_8b", "h100_sxm"),
    "moe_ep8": ("mixtral_8x7b", "h100_sxm"),
    "deepseek_v3_2048": ("deepseek_v3", "h100_sxm"),
    "long_context_cp8": ("llama3_70b", "h100_sxm"),
    "full_recompute_tp8_pp8": ("gpt3_175b", "a100_sxm"),
}
SPACES = {
    "search_1k": ("llama3_70b", "h100_sxm"),
    "search_405b_16k": ("llama3_405b", "h100_sxm"),
    "search_deepseek_2k": ("deepseek_v3", "h100_sxm"),
}


def test_every_shipped_strategy_is_tried_here() -> None:
    assert set(resources.shipped("strategies")) == {*PLANS, *SPACES}


@pytest.mark.parametrize("name", [*PLANS, *SPACES])
def test_a_strategy_checks_and_has_a_title_and_its_own_name(name: str) -> None:
    assert check_file(resources.shipped("strategies")[name])
    strategy = load_strategy(name)
    assert strategy.name == name
    assert strategy.title


@pytest.mark.parametrize(("name", "model", "system"), [(n, *where) for n, where in PLANS.items()])
def test_a_plan_fits_the_machine_that_it_is_meant_for(name: str, model: str, system: str) -> None:
    asked = question(model, name, system)
    assert asked.system is not None
    machine = machine_of(asked)
    values = answer(asked.model, asked.plan, machine).values
    assert 0 < values["memory.peak"] <= asked.system.figures["memory.capacity"].value
    assert 0 < values["throughput.mfu"] < 1


@pytest.mark.parametrize("name", SPACES)
def test_a_space_is_not_one_plan(name: str) -> None:
    assert load_strategy(name).among
    with pytest.raises(InputError, match="space to search"):
        question("llama3_70b", name, None)


@pytest.mark.parametrize(("name", "model", "system"), [(n, *where) for n, where in SPACES.items()])
def test_a_space_has_plans_that_fit(name: str, model: str, system: str) -> None:
    """Of each set with a structure of its own one value: formulas of all take long."""
    space = load_space(model, name, system)
    few = {a.name: a.values[-1] for a in space.axes if CHOICES[a.name].structural}
    axes = tuple(a for a in space.axes if a.name not in few)
    result = search(replace(space, strategy=space.at(few), axes=axes), 1)
    assert result.plans and not result.contradictions
