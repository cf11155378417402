"""Laws that the time of a step obeys on any machine, under any plan."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from symsim.analysis.answer_json import BREAKDOWN
from symsim.analysis.evaluate import Evaluator, evaluator, machine_of
from symsim.loading.question import Question, question
from symsim.machine.bind import Machine
from tests.properties.points import CASES, Case, legal_sizes, load

pytestmark = pytest.mark.slow

EXACT = 1e-9

TIMED = (
    Case("llama3_8b", "schedule=gpipe,zero=0,framework=nanotron"),
    Case("llama3_8b", "schedule=zb_h1,overlap_grad_reduce=true,zero=1"),
    Case("llama3_8b", "schedule=dualpipe,overlap_p2p=true,zero=1"),
    Case("gpt3_175b", "framework=deepspeed,zero=1,overlap_grad_reduce=true,precision=fp16"),
    Case("mixtral_8x7b", "framework=torchtitan,zero=2,overlap_moe=true,cp_comm=all_gather"),
    Case("deepseek_v2_lite", "recompute={mla_up_proj},overlap_param_gather=true,zero=1,cuda_graph=true"),
    Case("qwen3_next_80b_a3b", "zero=3,overlap_tp=true,framework=fsdp"),
    Case("deepseek_v3", "precision=fp8,moe_dispatch=deepep,overlap_moe=true,zero=1"),
    Case(
        "mixtral_8x7b",
        "overlap_moe_expert_parallel_comm=true,delay_wgrad_compute=true,ep=2,vp=2,overlap_grad_reduce=true",
    ),
)
"""Beside those of memory: frameworks, schedules, what overlaps, and what is dispatched how."""

ALL = (*CASES, *TIMED)

cases = pytest.mark.parametrize("case", ALL, ids=lambda c: f"{c.model}-{c.choices[:24]}")
machines = pytest.mark.parametrize(
    ("case", "system"),
    [
        (case, s)
        for case in ALL
        for s in ("h100_sxm", "b200", "a100_pcie")
        if s != "a100_pcie" or "fp8" not in case.choices
    ],
    ids=lambda x: x if isinstance(x, str) else f"{x.model}-{x.choices[:24]}",
)
"""One from its data sheet, one with tables, one whose boxes share their links; an A100 has no fp8."""

HOST = {"framework.launch": 6e-6, "framework.turn": 5e-4, "framework.step": 1e-2}
"""Seconds of a host that is slow enough to be felt; profiles may state none."""
LOSSES = {"network.overlap_slowdown": 0.2, "link.overlap_slowdown": 0.1, "network.straggler": 0.01}
"""Shares that a machine may lose."""

RATES = ("bandwidth",)
SHARES = ("efficiency", "sustained", "level")
TIMES = ("latency", "fixed", "fill")
PEAKS = ("bf16", "fp16", "fp32", "fp8", "mxfp8", "nvfp4")


def timed(case: Case, system: str) -> tuple[Question, Evaluator, Machine]:
    """A plan on a machine that also loses what shipped ones may not state."""
    asked, compiled, machine = load(case, system)
    assert machine is not None
    losses = {n: v for n, v in {**HOST, **LOSSES}.items() if n in machine.values}
    return asked, compiled, replace(machine, values={**machine.values, **losses})


def sizes_of(asked: Question, compiled: Evaluator, count: int, seed: int) -> Iterator[dict[str, int]]:
    return legal_sizes(compiled, dict(asked.plan.sizes), count, seed)


def time_of(compiled: Evaluator, sizes: dict[str, Any], machine: Machine) -> float:
    return float(compiled.scalar(sizes, machine)["time.iteration"])


def last(name: str) -> str:
    return name.rpartition(".")[2]


def changed(machine: Machine, change: Callable[[str, float], float]) -> Machine:
    """A machine whose figures and tables are those of another, changed by their names."""

    def lookup(name: str, *dimensions: Any) -> Any:
        return change(name, machine.lookup(name, *dimensions))

    return replace(machine, values={n: change(n, v) for n, v in machine.values.items()}, lookup=lookup)


@machines
def test_the_breakdown_adds_up(case: Case, system: str) -> None:
    asked, compiled, machine = timed(case, system)
    for sizes in sizes_of(asked, compiled, 15, seed=21):
        values = compiled.scalar(sizes, machine)
        parts = [values[f"time.{n}"] for n in BREAKDOWN if f"time.{n}" in values]
        assert math.isclose(sum(parts), values["time.iteration"], rel_tol=EXACT), sizes
        assert all(part >= -EXACT * values["time.iteration"] for part in parts), sizes


@machines
def test_twice_a_rate_or_a_share_never_makes_a_step_slower(case: Case, system: str) -> None:
    asked, compiled, machine = timed(case, system)
    tables = compiled.program.tables
    better = [n for n in (*machine.values, *tables) if last(n) in (*RATES, *SHARES, *PEAKS)]
    assert len(better) > 10
    for sizes in sizes_of(asked, compiled, 4, seed=22):
        here = time_of(compiled, sizes, machine)
        for name in better:
            faster = changed(machine, lambda n, v, name=name: 2 * v if n == name else v)  # type: ignore[misc]
            assert time_of(compiled, sizes, faster) <= here * (1 + EXACT), (name, sizes)


@machines
def test_a_machine_of_k_times_every_rate_is_faster_by_k(case: Case, system: str) -> None:
    asked, compiled, machine = timed(case, system)
    k = random.Random(f"{case.model}{system}").uniform(1.5, 4)

    def scaled(name: str, value: float) -> float:
        if last(name) in (*RATES, *PEAKS):
            return value * k
        return value / k if last(name) in TIMES or name in HOST else value

    faster = changed(machine, scaled)
    for sizes in sizes_of(asked, compiled, 8, seed=23):
        here, there = (compiled.scalar(sizes, m) for m in (machine, faster))
        for name in {"time.iteration", "time.bubble", "time.optimizer", "time.data_parallel"} & {*here}:
            assert math.isclose(there[name] * k, here[name], rel_tol=EXACT, abs_tol=1e-15), (name, sizes)


@cases
def test_time_grows_with_sequences_of_a_micro_batch_and_their_tokens(case: Case) -> None:
    """At the same number of micro-batches."""
    asked, compiled, machine = timed(case, "h100_sxm")
    for sizes in sizes_of(asked, compiled, 8, seed=24):
        here = time_of(compiled, sizes, machine)
        assert time_of(compiled, {**sizes, "mbs": 2 * sizes["mbs"], "gbs": 2 * sizes["gbs"]}, machine) >= here, sizes
        assert time_of(compiled, {**sizes, "seq": 2 * sizes["seq"]}, machine) >= here, sizes


@cases
def test_more_micro_batches_of_the_same_size_take_longer(case: Case) -> None:
    asked, compiled, machine = timed(case, "h100_sxm")
    for sizes in sizes_of(asked, compiled, 8, seed=25):
        times = [time_of(compiled, {**sizes, "gbs": sizes["gbs"] * n}, machine) for n in (1, 2, 3, 8)]
        assert times == sorted(times), sizes


GROWING = (
    ("llama3_8b", ""),
    ("gpt3_175b", "schedule=zb_h1"),
    ("mixtral_8x7b", "framework=nanotron,zero=1"),
    ("mamba2_2_7b", "recompute=full"),
)


@pytest.mark.parametrize(("model", "choices"), GROWING)
def test_time_grows_with_layers(model: str, choices: str) -> None:
    plan = f"world=8,pp=2,gbs=16,seq=4096,{choices}".removesuffix(",")
    times = []
    for layers in (8, 16, 32):
        asked = question(model, plan, "h100_sxm", (f"layers={layers}",))
        machine = machine_of(asked)
        assert machine is not None
        times.append(time_of(evaluator(asked.model, asked.plan.structure), dict(asked.plan.sizes), machine))
    assert times[0] < times[1] < times[2]


RECOMPUTED = (
    ("llama3_8b", "core_attn", "zero=1"),
    ("gpt3_175b", "mlp", "schedule=zb_h2"),
    ("mixtral_8x7b", "moe_act", "overlap_moe=true,overlap_tp=true"),
    ("deepseek_v2_lite", "mla_up_proj", "schedule=gpipe,zero=0"),
    ("qwen3_next_80b_a3b", "layernorm", "zero=3,overlap_grad_reduce=true,overlap_param_gather=true"),
)


@pytest.mark.parametrize(("model", "region", "choices"), RECOMPUTED)
def test_recomputation_never_makes_a_step_faster(model: str, region: str, choices: str) -> None:
    """Under no schedule, whatever overlaps: what hides behind more compute takes that compute."""
    found: dict[str, tuple[Evaluator, Machine]] = {}
    plain, base, machine = timed(Case(model, choices), "h100_sxm")
    for recompute in ("{" + region + "}", "full"):
        _, compiled, other = timed(Case(model, f"{choices},recompute={recompute}"), "h100_sxm")
        found[recompute] = compiled, other
    for sizes in sizes_of(plain, base, 10, seed=26):
        here = time_of(base, sizes, machine)
        for recompute, (compiled, other) in found.items():
            assert time_of(compiled, sizes, other) >= here * (1 - EXACT), (recompute, sizes)
