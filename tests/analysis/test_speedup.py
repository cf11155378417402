"""What makes a plan faster: every change is a plan that was evaluated, fits, and has a shorter step."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from symsim.analysis.answer_json import BREAKDOWN
from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.explaining.constraints import broken
from symsim.analysis.explaining.repair import Repair
from symsim.analysis.explaining.speedup import COMPUTE, OVERLAPS, SIZES, Speedups, _shortened, _singles, speedups
from symsim.loading.changed_plan import with_values
from symsim.loading.question import Question, question


def asked(model: str, strategy: str, system: str | None, *settings: str) -> tuple[Question, Answer]:
    plan = question(model, strategy, system, settings)
    return plan, answer(plan.model, plan.plan, machine_of(plan, moments=True), moments=True)


@pytest.fixture(scope="module")
def dense() -> tuple[Question, Answer, Speedups]:
    plan, found = asked("llama3_70b", "tp8_pp4", "h100_sxm", "vp=2", "memory.capacity=84 GiB")
    faster = speedups(plan, found)
    assert faster is not None
    return plan, found, faster


def named(changes: tuple[Repair, ...]) -> list[dict[str, object]]:
    return [dict(n.change) for n in changes]


def test_every_change_is_what_its_plan_answers(dense: tuple[Question, Answer, Speedups]) -> None:
    plan, found, faster = dense
    for change in (*faster.single, *faster.pairs):
        other = with_values(plan, {**plan.plan.values, "microbatches": None, **change.change})
        again = answer(other.model, other.plan, machine_of(other))
        assert change.slower == again.values["time.iteration"] / found.values["time.iteration"] - 1 < 0
        assert broken(other, again) == []


def test_a_change_that_does_not_fit_is_no_improvement(dense: tuple[Question, Answer, Speedups]) -> None:
    _, _, faster = dense
    assert {"tp": 4} in named(faster.unfit) and {"tp": 4} not in named(faster.single)
    assert all(change.lacking for change in faster.unfit)


def test_what_does_not_fit_alone_is_paired_with_what_leaves_room(dense: tuple[Question, Answer, Speedups]) -> None:
    _, _, faster = dense
    assert any(change.change.get("tp") == 4 for change in faster.pairs)


def test_a_pair_is_faster_than_either_of_its_changes(dense: tuple[Question, Answer, Speedups]) -> None:
    _, _, faster = dense
    assert faster.pairs
    for pair in faster.pairs:
        parts = [n.slower for n in faster.single if n.change.items() < pair.change.items()]
        assert all(pair.slower < part for part in parts)  # type: ignore[operator]


@pytest.mark.parametrize(
    "flag", ["sequence_parallel", "fused_cross_entropy", "moe_probs_in_activation", "cuda_graph", *OVERLAPS]
)
def test_a_flag_that_is_off_is_tried_switched_on_and_never_the_reverse(flag: str) -> None:
    plan = "world=16,tp=2,pp=2,ep=2,gbs=64,seq=4096"
    off, on = (question("mixtral_8x7b", plan, "h100_sxm", (f"{flag}={value}",)) for value in ("false", "true"))
    assert {flag: True} in _singles(off, thorough=True)
    assert {flag: False} not in _singles(on, thorough=True)


def test_a_glance_tries_half_and_twice_of_each_size() -> None:
    plan = question("llama3_70b", "world=48,tp=4,pp=6,mbs=2,gbs=96,seq=4096", "h100_sxm")
    changes = list(_singles(plan, thorough=False))
    for name, here in (("tp", 4), ("pp", 6), ("mbs", 2)):
        assert {name: here // 2} in changes and {name: 2 * here} in changes
    assert {"cp": 2} in changes and not any(change.get("cp") == 0 for change in changes)


def test_a_change_shortens_most_what_it_removes_altogether() -> None:
    """Without offloading a step has no item for it."""
    before = Answer({"time.offload": 0.5, "time.bubble": 0.4, "time.forward": 9.0}, 1)
    after = SimpleNamespace(found=Answer({"time.bubble": 0.2, "time.forward": 1.0}, 1))
    assert _shortened(before, after) == "offload"  # type: ignore[arg-type]
    longer = SimpleNamespace(found=Answer({"time.offload": 0.6, "time.bubble": 0.4, "time.forward": 1.0}, 1))
    assert _shortened(before, longer) is None  # type: ignore[arg-type]


def test_the_best_come_first(dense: tuple[Question, Answer, Speedups]) -> None:
    _, _, faster = dense
    for changes in (faster.single, faster.pairs, faster.unfit):
        assert [n.slower for n in changes] == sorted(n.slower for n in changes)  # type: ignore[type-var]


def test_the_size_of_a_step_and_of_the_job_stay(dense: tuple[Question, Answer, Speedups]) -> None:
    _, _, faster = dense
    assert not any({"world", "gbs", "seq"} & change.change.keys() for change in (*faster.single, *faster.unfit))


def test_what_is_not_hidden_is_the_step_without_its_work(dense: tuple[Question, Answer, Speedups]) -> None:
    _, found, faster = dense
    waiting = sum(found.values.get(f"time.{n}", 0.0) for n in BREAKDOWN if n not in COMPUTE)
    assert sum(part.seconds for part in faster.unhidden) == pytest.approx(waiting, rel=1e-3)


@pytest.mark.parametrize(
    ("item", "name"),
    [("reduce", "overlap_grad_reduce"), ("gather", "overlap_param_gather"), ("tensor_parallel", "overlap_tp")],
)
def test_messages_that_nothing_hides_name_what_would(
    dense: tuple[Question, Answer, Speedups], item: str, name: str
) -> None:
    (part,) = (part for part in dense[2].unhidden if part.item == item)
    assert part.answer is not None and dict(part.answer.change) == {name: True}


def test_an_answer_leaves_what_training_computes(dense: tuple[Question, Answer, Speedups]) -> None:
    _, _, faster = dense
    assert any(change.changes_numbers for change in faster.single)
    assert not any(part.answer.changes_numbers for part in faster.unhidden if part.answer is not None)


def test_hidden_messages_are_not_offered_again() -> None:
    plan, found = asked("llama3_70b", "tp8_pp4", "h100_sxm", "overlap_grad_reduce=true")
    faster = speedups(plan, found, thorough=False)
    assert faster is not None
    assert not any("overlap_grad_reduce" in change for change in named(faster.single))


def test_at_a_glance_only_sizes_and_overlap_are_tried() -> None:
    plan, found = asked("llama3_70b", "tp8_pp4", "h100_sxm")
    faster = speedups(plan, found, thorough=False)
    assert faster is not None and not faster.thorough and faster.pairs == ()
    assert {n for change in named(faster.single) for n in change} <= {*SIZES, *OVERLAPS, "vp"}


def test_a_requirement_of_the_strategy_keeps_a_change_out(tmp_path: Path) -> None:
    path = tmp_path / "s.sym"
    path.write_text("strategy s\nworld = 128; tp = 8; pp = 4; gbs = 128; seq = 8192\nrequire vp <= 2\n")
    faster = speedups(*asked("llama3_70b", str(path), "h100_sxm"), thorough=False)
    assert faster is not None
    assert {"vp": 2} in named(faster.single) and {"vp": 4} in named(faster.unfit)


def test_without_a_machine_nothing_is_faster() -> None:
    plan, found = asked("llama3_70b", "tp8_pp4", None)
    assert speedups(plan, found) is None
