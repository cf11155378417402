"""What is offered to fix a plan fixes it, costs what is said, and nothing cheaper was looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.explaining.constraints import broken
from symsim.analysis.explaining.neighbours import Change, neighbour
from symsim.analysis.explaining.repair import Repair, Repairs, repairs, single_changes
from symsim.loading.question import Question, question

TOO_MUCH = "world=8,gbs=64,seq=7168"


def repaired(model: str, plan: str, system: str | None, *settings: str) -> tuple[Question, Repairs]:
    asked = question(model, plan, system, settings)
    found = repairs(asked, answer(asked.model, asked.plan, machine_of(asked)))
    assert found is not None
    return asked, found


def written(change: Change) -> tuple[str, ...]:
    def value(of: object) -> str:
        return f"{{{','.join(of)}}}" if isinstance(of, frozenset) else str(of).lower()

    return tuple(f"{n}={value(v)}" for n, v in change.items())


def asked_again(model: str, plan: str, system: str | None, repair: Repair) -> None:
    """A repair is what a question of its own answers."""
    again = question(model, plan, system, written(repair.change))
    values = answer(again.model, again.plan, machine_of(again)).values
    assert values["memory.peak"] == repair.found.values["memory.peak"]
    assert values["memory.device"] <= 80 * 2**30
    before = question(model, plan, system)
    time = answer(before.model, before.plan, machine_of(before)).values["time.iteration"]
    assert repair.slower == pytest.approx(values["time.iteration"] / time - 1, abs=1e-12)


def test_what_is_offered_fits_and_costs_what_is_said() -> None:
    _, found = repaired("llama3_8b", TOO_MUCH, "h100_sxm")
    assert found.lacking == ("memory.device <= memory.capacity",) and len(found.single) >= 8
    for repair in found.single:
        asked_again("llama3_8b", TOO_MUCH, "h100_sxm", repair)


def test_the_ranking_is_that_of_all_changes_by_brute_force() -> None:
    asked, found = repaired("llama3_8b", TOO_MUCH, "h100_sxm")
    here = answer(asked.model, asked.plan, machine_of(asked)).values["time.iteration"]
    ranked = []
    for change in single_changes(asked, beyond_memory=False):
        there = neighbour(asked, change)
        if there is not None and not broken(there.asked, there.found):
            ranked.append((float(there.found.values["time.iteration"] / here) - 1, change))
    lost = [cost for cost, _ in sorted(ranked, key=lambda r: r[0])]
    of_layers = [r for r in found.single if "recompute_layers" in r.change]
    assert [r.slower for r in found.single if r not in of_layers] == pytest.approx(lost)
    assert [r.slower for r in found.single] == sorted(r.slower for r in found.single if r.slower is not None)


def test_no_more_layers_are_recomputed_than_it_takes() -> None:
    _, found = repaired("llama3_8b", TOO_MUCH, "h100_sxm")
    (fewest,) = (r for r in found.single if "recompute_layers" in r.change)
    layers = fewest.change["recompute_layers"]
    assert isinstance(layers, int) and layers > 1
    one_less = question("llama3_8b", TOO_MUCH, "h100_sxm", ("recompute=full", f"recompute_layers={layers - 1}"))
    assert answer(one_less.model, one_less.plan, machine_of(one_less)).values["memory.device"] > 80 * 2**30


def test_changes_of_what_training_computes_are_told() -> None:
    _, found = repaired("llama3_8b", TOO_MUCH, "h100_sxm")
    assert [r.change for r in found.single if r.changes_numbers] == [{"grad_dtype": "bf16"}]


def test_a_plan_that_fits_needs_no_repair() -> None:
    asked = question("llama3_8b", "world=8,tp=2,gbs=64,seq=4096", "h100_sxm")
    assert repairs(asked, answer(asked.model, asked.plan, machine_of(asked))) is None


def test_two_changes_where_one_does_not_do() -> None:
    plan = "world=8,gbs=64,seq=24576"
    _, found = repaired("llama3_8b", plan, "h100_sxm")
    assert not found.single and found.closest is None
    assert found.pairs and all(len(r.change) >= 2 for r in found.pairs)
    assert [r.slower for r in found.pairs] == sorted(r.slower for r in found.pairs if r.slower is not None)
    for repair in found.pairs[:3]:
        asked_again("llama3_8b", plan, "h100_sxm", repair)


def test_where_nothing_does_the_closest_is_shown() -> None:
    _, found = repaired("llama3_8b", "world=1,gbs=8,seq=65536", "h100_sxm")
    assert not found.single and not found.pairs
    assert found.closest is not None and found.closest.lacking
    assert found.tried > 5


def test_a_requirement_is_mended_too(tmp_path: Path) -> None:
    """Half of tp; the memory must still do."""
    path = tmp_path / "s.sym"
    path.write_text("strategy s\nworld = 8; tp = 8; gbs = 64; seq = 4096\nrequire 2 * tp <= gpus_per_node\n")
    _, found = repaired("llama3_8b", str(path), "h100_sxm")
    assert found.lacking == ("2 * tp <= gpus_per_node",)
    assert [r.change for r in found.single] == [{"tp": 4}]


def test_time_that_is_required_may_be_bought_with_memory(tmp_path: Path) -> None:
    path = tmp_path / "s.sym"
    path.write_text("strategy s\nworld = 8; tp = 2; gbs = 64; seq = 4096; recompute = full\n")
    asked = question("llama3_8b", str(path), "h100_sxm")
    now = float(answer(asked.model, asked.plan, machine_of(asked)).values["time.iteration"])
    path.write_text(f"{path.read_text()}require time.iteration <= {round(now * 850)} ms\n")
    _, found = repaired("llama3_8b", str(path), "h100_sxm")
    assert {"recompute": "none", "recompute_layers": None, "recompute_method": "block"} in [
        r.change for r in found.single
    ]


def test_without_a_machine_bytes_rank(tmp_path: Path) -> None:
    path = tmp_path / "s.sym"
    path.write_text("strategy s\nworld = 8; gbs = 64; seq = 4096\nrequire memory.peak <= 60 GiB\n")
    _, found = repaired("llama3_8b", str(path), None)
    peaks = [float(r.found.values["memory.peak"]) for r in found.single]
    assert len(peaks) > 2 and peaks == sorted(peaks) and all(r.slower is None for r in found.single)
