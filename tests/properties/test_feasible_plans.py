"""No plan that is listed as feasible is called too large by ``eval``: random spaces, repairs and solutions.

The machine's memory is drawn too, so that the limit runs through the middle of the plans.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

from symsim.analysis.answer_json import document, warnings
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.explaining.repair import repairs
from symsim.analysis.memory_fit import memory_fit
from symsim.analysis.searching.search import Found, search
from symsim.analysis.searching.space import load_space
from symsim.analysis.solving.solve import solve
from symsim.diagnostics import InputError
from symsim.loading.question import Question, question

PLANS = 10_000
FEW = 300
"""Plans of the test that is always run."""

MODELS = ("llama3_8b", "llama3_70b", "gpt3_175b", "mixtral_8x7b", "deepseek_v3", "qwen3_30b_a3b", "gemma3_27b")
MACHINES = ("a100_sxm_40g", "a100_sxm", "h100_sxm", "h200_sxm", "b200")
WORDS = {
    "recompute": ("none", "{core_attn}", "full"),
    "zero": ("0", "1", "2", "3"),
    "framework": ("megatron", "nanotron", "fsdp", "torchtitan"),
    "precision": ("bf16", "fp8"),
    "schedule": ("1f1b", "gpipe", "zb_h1"),
}
"""Choices of which each space has one value."""
SIZES = "tp in {1, 2, 4, 8}; pp in {1, 2, 4, 8}; cp in {1, 2}; mbs in 1..8; world in {64, 128, 256, 1024}; seq = 4096"


def spaces() -> Iterator[tuple[str, str, str, str]]:
    """Model, space, machine and its memory, without end."""
    draw = random.Random(7)
    while True:
        chosen = [f"{name} = {draw.choice(values)}" for name, values in WORDS.items()]
        memory = f"memory.capacity={draw.choice((24, 40, 80, 141, 180))} GiB"
        yield draw.choice(MODELS), "; ".join([*chosen, SIZES, "gbs = 1024"]), draw.choice(MACHINES), memory


def too_large(asked: Question) -> list[str]:
    """What ``eval`` says against a plan's memory."""
    machine = machine_of(asked)
    found = answer(asked.model, asked.plan, machine)
    result = document(asked, found, machine, defaults=False)
    return _against(result["warnings"]) + ([] if result["memory"]["fits"] else [result["verdict"]])


def _against(warned: list[str]) -> list[str]:
    return [w for w in warned if "memory of the machine" in w or "the machine lacks" in w]


def too_large_as_found(plan: Found) -> list[str]:
    """The same of what the search itself found, without evaluating the plan once more."""
    fit = memory_fit(plan.question, plan.answer.values)
    return _against(warnings(plan.question, fit)) + ([] if fit.fits else [plan.question.strategy_name])


def listed(wanted: int) -> Iterator[Found]:
    """So many plans that searches list as feasible."""
    found = 0
    for model, space, machine, memory in spaces():
        try:
            plans = search(load_space(model, space, machine, (memory,)), top=500).plans
        except InputError:
            continue
        for plan in plans[: wanted - found]:
            yield plan
            found += 1
        if found == wanted:
            return


def test_no_plan_of_a_search_is_too_large() -> None:
    assert [w for plan in listed(FEW) for w in too_large(plan.question)] == []


@pytest.mark.slow
def test_no_plan_of_ten_thousand_is_too_large() -> None:
    """One of twenty is evaluated once more, as ``eval`` does it."""
    said = []
    for number, plan in enumerate(listed(PLANS)):
        said += too_large_as_found(plan)
        said += too_large(plan.question) if number % 20 == 0 else []
    assert number == PLANS - 1
    assert said == []


@pytest.mark.parametrize(("model", "plan", "machine"), [
    ("llama3_8b", "world=8,gbs=64,seq=8192", "h100_sxm"),
    ("llama3_70b", "world=64,tp=8,gbs=64,seq=8192", "h100_sxm"),
    ("mixtral_8x7b", "world=16,tp=2,ep=4,gbs=64,seq=4096", "a100_sxm"),
])  # fmt: skip
def test_no_repair_is_too_large(model: str, plan: str, machine: str) -> None:
    asked = question(model, plan, machine)
    found = repairs(asked, answer(asked.model, asked.plan, machine_of(asked)))
    assert found is not None and (found.single or found.pairs)
    assert [w for repair in (*found.single, *found.pairs) for w in too_large(repair.asked)] == []


@pytest.mark.parametrize("name", ["mbs", "seq", "layers", "experts"])
def test_no_answer_of_solve_is_too_large(name: str) -> None:
    asked = question("mixtral_8x7b", "moe_ep8", "h100_sxm")
    found = solve(asked, name)
    assert found.at is not None and too_large(found.at.asked) == []
    assert found.neighbour is not None and too_large(found.neighbour.asked) != []
