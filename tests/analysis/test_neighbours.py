"""The changes that `explain --lower` lists are plans like any other, legal, and they hold less."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.explaining.neighbours import Neighbour, lower, lowering
from symsim.loading.question import Question, question

PLAN = "world=64,tp=4,pp=2,vp=2,mbs=2,gbs=64,seq=4096,attention=unfused,zero=0"


def asked_and_lower(model: str, plan: str, system: str | None = None) -> tuple[Question, list[Neighbour]]:
    asked = question(model, plan, system)
    return asked, lower(asked, answer(asked.model, asked.plan, machine_of(asked)))


def test_each_is_what_a_question_of_its_own_answers() -> None:
    asked, found = asked_and_lower("llama3_8b", PLAN, "h100_sxm")
    changes = {next(iter(n.change)) for n in found}
    assert {"recompute", "tp", "pp", "mbs", "zero", "attention", "optimizer", "grad_dtype"} <= changes
    for neighbour in found:
        settings = tuple(f"{n}={_written(v)}" for n, v in neighbour.change.items())
        again = question("llama3_8b", PLAN, "h100_sxm", settings)
        values = answer(again.model, again.plan, machine_of(again)).values
        assert values["memory.peak"] == neighbour.found.values["memory.peak"], settings
        assert values["time.iteration"] == neighbour.found.values["time.iteration"], settings
        assert again.plan.values["gbs"] == asked.plan.values["gbs"]


@pytest.mark.parametrize("chunks", [1, 2])
def test_without_virtual_chunks_is_a_change_where_there_are_some(chunks: int) -> None:
    asked = question("llama3_8b", PLAN.replace("vp=2", f"vp={chunks}"), None)
    assert ({"vp": 1, "schedule": "1f1b"} in lowering(asked)) is (chunks > 1)


def _written(value: object) -> str:
    return f"{{{','.join(value)}}}" if isinstance(value, frozenset) else str(value).lower()


def test_all_hold_less_the_lowest_first() -> None:
    asked, found = asked_and_lower("mixtral_8x7b", "world=32,ep=4,tp=2,gbs=64,seq=4096")
    peaks = [n.found.values["memory.peak"] for n in found]
    held = answer(asked.model, asked.plan, None).values["memory.peak"]
    assert peaks == sorted(peaks) and peaks[-1] < held


def test_regions_are_added_one_by_one() -> None:
    _, found = asked_and_lower("mixtral_8x7b", "world=32,ep=4,gbs=64,seq=4096,recompute={moe_act}")
    chosen = [n.change["recompute"] for n in found if "recompute" in n.change]
    assert frozenset({"moe_act", "layernorm"}) in chosen and "full" in chosen
    assert all(value == "full" or (len(value) == 2 and "moe_act" in value) for value in chosen)


def test_plans_that_break_a_rule_are_left_out() -> None:
    """8 key-value heads cannot be split over 16 ranks, and 32 layers not over 64 stages."""
    _, found = asked_and_lower("llama3_8b", "world=256,tp=8,pp=32,gbs=64,seq=4096")
    assert not [n for n in found if "tp" in n.change or "pp" in n.change]


def test_plans_that_break_a_requirement_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "s.sym"
    path.write_text("strategy s\nworld = 16; tp = 2; gbs = 16; seq = 1024\nrequire tp <= 2\n")
    _, found = asked_and_lower("llama3_8b", str(path))
    assert found and not [n for n in found if "tp" in n.change]


@pytest.mark.parametrize("method", ["block", "uniform"])
def test_fewer_layers_recomputed_than_all_can_become_all(method: str) -> None:
    plan = f"world=8,tp=2,gbs=64,seq=4096,recompute=full,recompute_layers=8,recompute_method={method}"
    _, found = asked_and_lower("llama3_8b", plan)
    assert [n.change for n in found if "recompute_layers" in n.change] == [
        {"recompute_layers": None, "recompute_method": "block"}
    ]
