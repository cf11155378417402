"""From peak allocated to what the device shows: every item is a named figure or a formula."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.load import Question, question

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
        assert found.of_stage("reserved")[k] == pytest.approx(1.049 * peak)
        parts = [found.of_stage(n)[k] for n in ("reserved", "communication", "context")]
        assert found.of_stage("device")[k] == pytest.approx(sum(parts))
        assert stage["overhead"] == pytest.approx(found.of_stage("device")[k] - peak)


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


def test_a_run_that_fits_by_what_is_allocated_alone_is_warned_about() -> None:
    _, found, _ = evaluated(PLAN)
    between = (found.values["memory.peak"] + found.values["memory.device"]) / 2
    _, _, result = evaluated(PLAN, f"memory.capacity={int(between)} B")
    assert result["memory"]["fits"] is True
    assert any("with the overhead the machine lacks" in text for text in result["warnings"])
    _, _, roomy = evaluated(PLAN)
    assert not any("lacks" in text for text in roomy["warnings"])
