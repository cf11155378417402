"""The bounds of a plan: each with its distance, the nearest first."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.explaining.constraints import Constraint, broken, constraints
from symsim.loading.question import question
from symsim.records.system import Figure

PLAN = "world=16; tp=4; pp=2; gbs=32; seq=4096"


def of_strategy(path: Path, text: str, system: str | None = "h100_sxm", *settings: str) -> dict[str, Constraint]:
    file = path / "s.sym"
    file.write_text(f"strategy s\n{PLAN}\n{text}\n")
    asked = question("llama3_8b", str(file), system, settings)
    found = constraints(asked, answer(asked.model, asked.plan, machine_of(asked)))
    slacks = [c.slack for c in found if c.slack is not None and c.holds]
    assert slacks == sorted(slacks)
    return {c.text: c for c in found}


def test_memory_is_bounded_by_the_machine(tmp_path: Path) -> None:
    found = of_strategy(tmp_path, "")
    assert list(found) == ["memory.device <= memory.capacity", "memory.peak <= memory.capacity"]
    peak = found["memory.peak <= memory.capacity"]
    assert peak.value is not None and peak.bound == 80 * 2**30
    assert peak.slack == pytest.approx(1 - peak.value / peak.bound) and peak.holds


@pytest.mark.parametrize(
    ("condition", "slack"),
    [("tp <= 8", 0.5), ("tp < 5", 0.2), ("tp >= 2", 1.0), ("8 >= tp", 1.0), ("tp <= 2", -1.0), ("pp > 0", None)],
)
def test_the_slack_is_the_share_of_the_bound_that_is_left(tmp_path: Path, condition: str, slack: float | None) -> None:
    found = of_strategy(tmp_path, f"require {condition}", None)[condition]
    assert found.slack == (None if slack is None else pytest.approx(slack))
    assert found.holds is (slack is None or slack >= 0)


def test_what_has_no_distance_comes_last_and_what_is_broken_first(tmp_path: Path) -> None:
    found = of_strategy(tmp_path, "require pp > 0\nrequire tp <= 2\nrequire tp <= 4")
    assert list(found)[:2] == ["tp <= 2", "tp <= 4"] and list(found)[-1] == "pp > 0"
    assert len(found) == 5


def test_both_sides_of_and_are_bounds(tmp_path: Path) -> None:
    found = of_strategy(tmp_path, "require tp <= 8 and memory.peak <= 64 GiB")
    assert found["memory.peak <= 64 GiB"].unit == "bytes" and found["tp <= 8"].slack == 0.5


def test_a_condition_without_a_distance_holds_or_does_not(tmp_path: Path) -> None:
    found = of_strategy(tmp_path, "require gbs % 32 == 0\nrequire tp == 8")
    assert (found["gbs % 32 == 0"].slack, found["gbs % 32 == 0"].holds) == (None, True)
    assert next(iter(found)) == "tp == 8" and not found["tp == 8"].holds


def test_links_and_host_memory_bound_what_is_offloaded() -> None:
    asked = question("llama3_8b", f"{PLAN.replace(';', ',')},offload={{optimizer, core_attn}}", "h100_sxm")
    assert asked.system is not None
    figures = {**asked.system.figures, "host.capacity": Figure(64 * 2**30, "B", "")}
    asked = replace(asked, system=replace(asked.system, figures=figures))
    found = {c.text: c for c in constraints(asked, answer(asked.model, asked.plan, machine_of(asked)))}
    host = found["memory.host <= host.capacity"]
    assert (
        host.value is not None
        and host.bound == 64 * 2**30
        and host.holds
        and host.slack == pytest.approx(1 - host.value / host.bound)
    )
    assert "offload.bandwidth <= host.bandwidth" in found


def test_what_is_asked_of_a_machine_is_left_out_without_one(tmp_path: Path) -> None:
    assert not of_strategy(tmp_path, "require tp <= gpus_per_node", None)


def test_broken_is_what_eval_calls_so() -> None:
    asked = question("llama3_70b", "world=8,tp=8,gbs=8,seq=8192", "h100_sxm")
    assert broken(asked, answer(asked.model, asked.plan, machine_of(asked))) == ["memory.device <= memory.capacity"]
