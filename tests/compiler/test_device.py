"""From peak allocated to what the device shows: every item is a named figure or a formula."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space
from symsim.diagnostics import InputError
from symsim.loading.question import Question, question

MIB = 2**20


def evaluated(choices: str, *settings: str, system: str | None = "a100_sxm") -> tuple[Question, Answer, dict[str, Any]]:
    asked = question("llama3_8b", choices, system, settings)
    machine = machine_of(asked)
    found = answer(asked.model, asked.plan, machine)
    return asked, found, document(asked, found, machine)


PLAN = "tp=2,pp=2,world=8,gbs=64,seq=4096"


def test_the_items_add_up() -> None:
    _, found, result = evaluated(PLAN)
    for k, stage in enumerate(result["memory"]["stages"]):
        peak = found.of_stage("peak")[k]
        parts = [peak, *(found.of_stage(n)[k] for n in ("communication", "context"))]
        assert stage["device"] == found.of_stage("device")[k] == pytest.approx(sum(parts))
        assert found.of_stage("reserved")[k] == pytest.approx(1.049 * peak)
        assert found.of_stage("shown")[k] == pytest.approx(sum(parts) + 0.049 * peak)
        assert stage["overhead"] == pytest.approx(found.of_stage("shown")[k] - peak)


@pytest.mark.parametrize(("choices", "framework", "communicators"), [
    ("world=1,gbs=8,seq=4096", "megatron", 0),
    ("world=8,gbs=64,seq=4096", "megatron", 2),
    (PLAN, "megatron", 5),
    (PLAN, "deepspeed", 8),
])  # fmt: skip
def test_a_communicator_for_the_job_the_model_and_each_axis(choices: str, framework: str, communicators: int) -> None:
    _, found, _ = evaluated(choices, f"framework={framework}")
    assert found.of_stage("communication")[0] == communicators * 688e6


def test_figures_of_the_machine_can_be_set() -> None:
    settings = ("memory.fragmentation=0", "memory.communicator=0 B", "memory.context=100 MiB")
    _, found, _ = evaluated(PLAN, *settings)
    assert found.values["memory.device"] == found.values["memory.peak"] + 100 * MIB


def test_without_a_machine_there_is_no_overhead() -> None:
    _, found, result = evaluated(PLAN, system=None)
    assert "device" not in found.values
    assert {stage["overhead"] for stage in result["memory"]["stages"]} == {0}


def between(one: str, other: str) -> str:
    """A capacity between two outputs of the plan."""
    _, found, _ = evaluated(PLAN)
    return f"memory.capacity={int((found.values[one] + found.values[other]) / 2)} B"


def test_a_run_that_fits_by_what_is_allocated_alone_does_not_fit() -> None:
    _, _, result = evaluated(PLAN, between("memory.peak", "memory.device"))
    assert result["memory"]["fits"] is False
    assert any("the machine lacks" in text for text in result["warnings"])
    _, _, roomy = evaluated(PLAN)
    assert not any("lacks" in text for text in roomy["warnings"])


@pytest.mark.parametrize(("fit", "fits"), [("device", False), ("peak", True), ("none", None)])
def test_one_word_says_what_has_to_fit(fit: str, fits: bool | None) -> None:
    _, _, result = evaluated(f"{PLAN},fit={fit}", between("memory.peak", "memory.device"))
    assert (result["memory"]["fit"], result["memory"]["fits"]) == (fit, fits)


def test_what_the_allocator_caches_has_not_to_fit() -> None:
    """A full device gets it back; the answer says so."""
    _, _, result = evaluated(PLAN, between("memory.device", "memory.shown"))
    assert result["memory"]["fits"] is True and result["warnings"] == []
    assert any("the allocator gives back" in text for text in result["assumptions"])


def test_the_word_selects_no_formulas() -> None:
    device, none = (evaluated(f"{PLAN},fit={fit}")[0].plan.structure for fit in ("device", "none"))
    assert device == none


def test_what_has_to_fit_is_not_searched() -> None:
    with pytest.raises(InputError, match="the same for all plans"):
        load_space("llama3_8b", f"{PLAN},fit in {{peak, device}}", "a100_sxm")


def test_a_search_keeps_to_the_word() -> None:
    """Between the peak and the device nothing fits by default, and the plan does by its peak."""
    memory = between("memory.peak", "memory.device")
    feasible = [
        search(load_space("llama3_8b", f"{PLAN},mbs in {{1}}", "a100_sxm", (memory, f"fit={fit}"))).feasible
        for fit in ("device", "peak", "none")
    ]
    assert feasible == [0, 1, 1]
