"""What `explain` says of time is the step: it adds up, its limits are the longer sides, and nothing is made up."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from symsim.analysis.evaluate import Answer, answer, evaluator, machine_of
from symsim.analysis.explaining.explain import explanation
from symsim.analysis.explaining.explain_time import Sides, explained_time
from symsim.analysis.sensitivities.buying import FASTER
from symsim.loading.question import Question, question
from symsim.machine.bind import Machine
from tests.properties.points import CASES, Case, legal_sizes, load

PLAN = "world=128,tp=8,pp=4,gbs=128,seq=8192"


def explained(model: str, plan: str, *settings: str) -> tuple[Question, Answer, Machine, dict[str, Any]]:
    asked = question(model, plan, "h100_sxm", settings)
    machine = machine_of(asked, moments=True)
    assert machine is not None
    found = answer(asked.model, asked.plan, machine, moments=True)
    return asked, found, machine, explained_time(asked, found, machine)


def items_of(time: dict[str, Any], operator: str, kind: str) -> dict[tuple[str, str], dict[str, Any]]:
    return {(i["turn"], i["phase"]): i for i in time["items"] if (i["operator"], i["kind"]) == (operator, kind)}


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.model)
def test_what_takes_time_adds_up_to_the_step(case: Case) -> None:
    """And to each item of its breakdown."""
    asked, _, _ = load(case, "h100_sxm")
    machine = machine_of(asked, moments=True)
    assert machine is not None
    compiled = evaluator(asked.model, asked.plan.structure, moments=True)
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 3, seed=31):
        settled = replace(asked, plan=replace(asked.plan, sizes=sizes))
        found = Answer(compiled.scalar(sizes, machine), sizes["pp"])
        time = explained_time(settled, found, machine)
        whole = found.values["time.iteration"]
        assert math.isclose(sum(i["seconds"] for i in time["items"]), whole, rel_tol=1e-9), sizes
        assert math.isclose(sum(i["seconds"] for i in time["kinds"]), whole, rel_tol=1e-9)
        assert math.isclose(sum(i["seconds"] for i in time["limits"]), whole, rel_tol=1e-9)
        assert math.isclose(sum(i["share"] for i in time["items"]), 1)
        for name in {i["item"] for i in time["items"]}:
            own = sum(i["seconds"] for i in time["items"] if i["item"] == name)
            assert math.isclose(own, found.values[f"time.{name}"], rel_tol=1e-9), (name, sizes)


def test_an_operator_takes_the_longer_side_of_its_roofline() -> None:
    """``each_s`` is one pass of it; a step has m of each of the layers of the stage that paces it."""
    _, found, _, time = explained("llama3_70b", PLAN)
    item = items_of(time, "mlp.up", "matmul")["forward", "forward"]
    arithmetic, traffic = (found.values[f"{side}@mlp.up.forward"] for side in ("arithmetic", "traffic"))
    start = found.values["start_up@mlp.up.forward"]
    assert item["each_s"] == arithmetic > traffic + start
    assert item["limit"] == "arithmetic"
    assert item["next"] == {"limit": "traffic", "times": arithmetic / (traffic + start)}
    assert math.isclose(item["seconds"], 32 * 20 * item["each_s"])


@pytest.mark.parametrize("operator", ["attention.output", "mlp.up", "head.logits"])
def test_the_next_limit_binds_at_the_stated_rate(operator: str) -> None:
    """On a machine that is so many times as fast both sides are as long; beyond it the operator gains nothing."""
    asked, _, machine, time = explained("llama3_70b", PLAN)
    item = items_of(time, operator, "matmul")["forward", "forward"]
    times = item["next"]["times"]

    def each(factor: float) -> float:
        values = {**machine.values, "matmul.bf16": machine.values["matmul.bf16"] * factor}
        found = answer(asked.model, asked.plan, replace(machine, values=values), moments=True)
        return float(found.values[f"{operator}.forward"])

    assert math.isclose(each(times), item["each_s"] / times, rel_tol=1e-9)
    assert each(2 * times) == pytest.approx(each(times), rel=1e-9)
    assert each(times / 2) > each(times) * 1.5


def test_short_messages_are_limited_by_their_start() -> None:
    _, _, _, time = explained("llama3_70b", PLAN, "link.bandwidth=450 TB/s")
    item = items_of(time, "mlp.up", "tp")["forward", "forward"]
    assert (item["limit"], item["next"]) == ("start_up", None)
    _, _, _, plain = explained("llama3_70b", PLAN)
    assert items_of(plain, "mlp.up", "tp")["forward", "forward"]["limit"] == "messages"


@pytest.mark.parametrize(
    ("sides", "limit", "following"),
    [
        (Sides(8, 2, 0, 2), "arithmetic", ("traffic", 2)),
        (Sides(8, 1, 0, 3), "arithmetic", ("start_up", 2)),
        (Sides(5, 8, 0, 1), "traffic", ("arithmetic", 2)),
        (Sides(1, 8, 0, 2), "traffic", ("start_up", 4)),
        (Sides(0, 8, 0, 2), "traffic", ("start_up", 4)),
        (Sides(0, 1, 0, 2), "start_up", None),
        (Sides(0, 0, 8, 2), "messages", ("start_up", 4)),
        (Sides(8, 0, 0, 0), "arithmetic", None),
    ],
)
def test_limits_of_an_operator(sides: Sides, limit: str, following: tuple[str, float] | None) -> None:
    assert (sides.limit, sides.following) == (limit, following)


def test_hidden_messages_leave_what_sticks_out() -> None:
    plan = f"{PLAN},zero=1,overlap_grad_reduce=true,overlap_param_gather=true"
    _, found, _, time = explained("llama3_70b", plan)
    reduce, gather = time["hidden"]
    assert (reduce["message"], gather["message"]) == ("reduce", "gather")
    assert reduce["overlapped_s"] < reduce["seconds"] and gather["overlapped_s"] == gather["seconds"]
    assert reduce["margin_s"] == reduce["cover_s"] - reduce["overlapped_s"] > 0
    assert math.isclose(reduce["exposed_s"], reduce["seconds"] - reduce["overlapped_s"])
    assert math.isclose(reduce["exposed_s"] + gather["exposed_s"], found.values["time.data_parallel"])


def test_nothing_hides_unless_the_plan_says_so() -> None:
    _, _, _, time = explained("llama3_70b", f"{PLAN},zero=1")
    assert all(m["overlapped_s"] is None and m["exposed_s"] == m["seconds"] for m in time["hidden"])


def test_stages_are_compared_with_the_one_that_paces() -> None:
    _, found, _, time = explained("llama3_70b", PLAN)
    t = found.of_stage("t")
    assert time["pacing_stage"] == t.index(max(t)) == 3
    assert [s["shorter_by_s"] for s in time["stages"]] == [max(t) - x for x in t]


def test_the_host_limits_a_pass_that_it_cannot_launch_in_time() -> None:
    """Forward passes are shorter than backward ones, so a slow host is late for them first."""
    _, found, _, time = explained("llama3_8b", "world=8,tp=8,gbs=8,seq=2048", "framework.launch=40 us")
    late = {h["turn"]: h["margin_s"] for h in time["host"]}
    assert late["forward"] < 0
    assert math.isclose(found.of_stage("stage.forward.launch")[0], -late["forward"])
    assert next(i for i in time["items"] if i["kind"] == "launch")["limit"] == "host"
    assert explained("llama3_8b", "world=8,tp=8,gbs=8,seq=2048", "framework.launch=0 us")[3]["host"] == []


def test_a_tenth_more_is_the_machine_with_that_figure() -> None:
    _, found, _, time = explained("llama3_70b", PLAN)
    figures = [f["figure"] for f in time["faster"]]
    assert set(figures) == {"matmul.bf16", "hbm.bandwidth", "link.bandwidth", "network.bandwidth"}
    assert [f["change"] for f in time["faster"]] == sorted(f["change"] for f in time["faster"])
    faster = question("llama3_70b", PLAN, "h100_sxm", (f"matmul.bf16={989 * FASTER} TFLOP/s",))
    there = answer(faster.model, faster.plan, machine_of(faster)).values["time.iteration"]
    first = next(f for f in time["faster"] if f["figure"] == "matmul.bf16")
    assert math.isclose(first["iteration_s"], there, rel_tol=1e-12)
    assert math.isclose(first["change"], there / found.values["time.iteration"] - 1, rel_tol=1e-9)


def test_a_precision_of_its_own_for_each_peak() -> None:
    """Under fp8 attention and the head stay in bf16."""
    _, _, _, time = explained("llama3_70b", f"{PLAN},precision=fp8")
    gains = {f["figure"]: f["change"] for f in time["faster"]}
    assert gains["matmul.fp8"] < gains["matmul.bf16"] < 0


def test_time_is_null_without_a_machine() -> None:
    asked = question("llama3_8b", "world=8,tp=8,gbs=8,seq=2048", None)
    found = answer(asked.model, asked.plan, None, moments=True)
    assert explanation(asked, found, of="all")["time"] is None
