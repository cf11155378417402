"""A whole run in Python: tokens and a price of a plan, of a table's rows, and the plan that is chosen for some GPUs."""

from __future__ import annotations

import numpy as np
import pytest

import symsim

MODEL = "llama(hidden=512, layers=8, heads=8, kv_heads=4, ffn=1024, vocab=32000)"
PLAN = {"world": 8, "gbs": 64, "seq": "4Ki"}


def test_a_plan_with_tokens_has_a_run() -> None:
    run = symsim.evaluate(symsim.load(MODEL, PLAN, "h100_sxm", tokens="1T", price=2.5)).run
    assert run is not None and run["tokens"] == 10**12
    assert run["cost"] == pytest.approx(2.5 * run["gpu_hours"])
    assert symsim.evaluate(symsim.load(MODEL, PLAN, "h100_sxm")).run is None


def test_tokens_are_a_column_of_a_table() -> None:
    plan = symsim.load(MODEL, PLAN, "h100_sxm")
    found = symsim.evaluate(plan, {"tokens": np.array([1e12, 2e12])}, ["run.days"])
    assert found["run.days"][1] == pytest.approx(2 * found["run.days"][0])


def test_an_answer_of_a_run_asks_for_its_tokens() -> None:
    plan = symsim.load(MODEL, PLAN, "h100_sxm")
    with pytest.raises(symsim.InputError, match=r"'run.days' needs tokens"):
        symsim.evaluate(plan, {"mbs": [1, 2]}, ["run.days"])


def test_gpus_in_place_of_a_strategy_choose_the_plan() -> None:
    plan = symsim.load(MODEL, system="h100_sxm", gpus=8, gbs=64, seq=4096)
    assert plan.choices["world"] == 8
    named = plan.changed(zero=1)
    assert symsim.evaluate(named).iteration_s == symsim.evaluate(plan).iteration_s


def test_gpus_without_a_legal_plan_say_what_would_be_one() -> None:
    with pytest.raises(symsim.InputError, match="does not divide gbs"):
        symsim.load(MODEL, system="h100_sxm", gpus=512, gbs=3, seq=4096)


def test_a_search_without_a_strategy_has_its_space_as_text() -> None:
    found = symsim.search(MODEL, system="h100_sxm", gpus=8, gbs=64, seq=4096, pp=1, recompute="none", top=1)
    again = symsim.search(MODEL, _choices(found.space), "h100_sxm", top=1)
    assert found[0].objective == again[0].objective
    assert found.points == again.points


def _choices(space: str) -> str:
    lines = space.splitlines()[1:]
    return ", ".join(line for line in lines if not line.startswith("require "))
