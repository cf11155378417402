"""The document of ``symsim eval --json``: every number is one definition of the cost model."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from symsim.analysis.evaluate import Answer
from symsim.analysis.load import Question
from symsim.machine.bind import Machine
from symsim.units import bytes_text

MEMORY_PARTS = ("weights", "gradients", "optimizer", "activations", "workspace")
BREAKDOWN = (
    "forward",
    "backward",
    "recompute",
    "tensor_parallel",
    "context_parallel",
    "expert_parallel",
    "pipeline_parallel",
    "bubble",
    "data_parallel",
    "optimizer",
)


def document(asked: Question, found: Answer, machine: Machine | None) -> dict[str, Any]:
    """The answer in the form of CONTRACT ``symsim.eval/1``; time and throughput are null without a machine."""
    values = found.values
    peaks = found.of_stage("peak")
    fullest = max(range(found.stages), key=peaks.__getitem__)
    capacity = asked.system.figures["memory.capacity"].value if asked.system else None
    peak = values["memory.peak"]
    fits = None if capacity is None else bool(peak <= capacity)
    return {
        "schema": "symsim.eval/1",
        "model": {
            "name": asked.model.name,
            "parameters": round(values["parameters"]),
            "active_parameters": round(values["active_parameters"]),
        },
        "strategy": _strategy(asked, found),
        "system": asked.system.name if asked.system else None,
        "parameters": {"stages": _parameters(found)},
        "flops": {
            "forward_per_token": _plain(values["flops.forward_per_token"]),
            "model_per_iteration": _plain(values["flops.model_per_iteration"]),
            "hardware_per_iteration": _plain(values["flops.hardware_per_iteration"]),
        },
        "memory": {
            "peak_bytes": _plain(peak),
            "peak_stage": fullest,
            "peak_moment": moment(found, fullest),
            "capacity_bytes": _plain(capacity),
            "fits": fits,
            "stages": _memory_stages(found),
        },
        "time": None if machine is None else _time(found),
        "throughput": None if machine is None else _throughput(found),
        "assumptions": list(assumptions(asked, machine)),
        "warnings": warnings(asked, fits, values.get("memory.device")),
    }


def _parameters(found: Answer) -> list[dict[str, int]]:
    dense = found.of_stage("P")
    expert = found.of_stage("P_expert") if "P_expert" in found.values else [0] * found.stages
    return [{"dense": round(d), "expert": round(e)} for d, e in zip(dense, expert, strict=True)]


def _memory_stages(found: Answer) -> list[dict[str, Any]]:
    names = (*MEMORY_PARTS, "overhead", "peak")
    columns = {n: found.of_stage(n) if n in found.values else [0] * found.stages for n in names}
    return [{n: _plain(columns[n][k]) for n in names} for k in range(found.stages)]


def moment(found: Answer, stage: int) -> str:
    """In words, what runs when a stage's memory is at its peak."""
    rises = [n for n in found.values if n == "rise" or n.startswith("rise_")]
    worst = max(rises, key=lambda n: found.of_stage(n)[stage])
    suffix = worst.removeprefix("rise")
    of_unit = found.of_stage(f"w{suffix}")[stage]
    named = [n for n in found.values if n.startswith("w.") and found.of_stage(n)[stage] == of_unit]
    unit = suffix.removeprefix("_")
    mine = [n for n in named if not unit or n.startswith(f"w.{unit}.")] or named
    operator, _, phase = mine[0].removeprefix("w.").rpartition(".") if mine else (unit or "layer", "", "")
    running = f"{operator} {phase}".strip()
    held = float(found.of_stage("f")[stage])
    return f"{running}, {held:.4g} micro-batch{'es' * (held != 1)} in flight"


def _time(found: Answer) -> dict[str, Any]:
    breakdown = {n: float(found.values[f"time.{n}"]) for n in BREAKDOWN if f"time.{n}" in found.values}
    stages = zip(found.of_stage("F"), found.of_stage("B"), strict=True)
    return {
        "iteration_s": float(found.values["time.iteration"]),
        "breakdown": breakdown,
        "stages": [{"forward_s": float(f), "backward_s": float(b)} for f, b in stages],
    }


def _throughput(found: Answer) -> dict[str, float]:
    values = found.values
    return {
        "tokens_per_s_per_gpu": float(values["throughput.tokens_per_s_per_gpu"]),
        "model_tflops_per_gpu": float(values["throughput.model_flops_per_gpu"]) / 1e12,
        "model_tflops_per_gpu_causal": float(values["throughput.model_flops_per_gpu_causal"]) / 1e12,
        "mfu": float(values["throughput.mfu"]),
        "hfu": float(values["throughput.hfu"]),
    }


def _strategy(asked: Question, found: Answer) -> dict[str, Any]:
    out: dict[str, Any] = {}
    for name, value in asked.plan.values.items():
        out[name] = sorted(value) if isinstance(value, frozenset) else _plain(value)
    return {
        **out,
        "dp": _plain(found.values["dp"]),
        "edp": _plain(found.values["edp"]),
        "microbatches": _plain(found.values["m"]),
    }


def _plain(value: Any) -> Any:
    """Whole numbers as integers, fractions as floats."""
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Fraction | float):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < 2**63 else number
    return value


WITHOUT_EFFECT: dict[str, tuple[object, str]] = {
    "moe_dispatch": ("all_to_all", "all_to_all is used"),
    "cuda_graph": (False, "launch gaps are not modelled"),
}
"""Choices that no formula uses yet: their default, and what is done instead."""


def assumptions(asked: Question, machine: Machine | None) -> tuple[str, ...]:
    """What an answer takes for granted."""
    values = asked.plan.values
    out: list[str] = []
    if "experts" in asked.model.dimensions:
        share = values["moe_imbalance"]
        even = "the routed tokens are spread evenly over the experts"
        out.append(even if share == 1 else f"the busiest expert has {share} times the mean of the tokens")
    beside = "CUDA context, communication library and fragmentation are not in it"
    out.append(f"peak allocated: {beside}" + ("" if machine is None else " but stated beside it, as overhead"))
    if values["framework"] != "megatron":
        out.append(f"framework = {values['framework']}: what its profile does not state is as in Megatron")
    for name, (default, instead) in WITHOUT_EFFECT.items():
        if values[name] != default:
            out.append(f"{name} = {values[name]} has no effect yet: {instead}")
    if values["zero"] in (2, 3):
        out.append(
            f"zero = {values['zero']}: the shards are counted; messages and time are those of zero = 1"
            + (", the gathered layer is not held" if values["zero"] == 3 else "")
        )
    if values["schedule"] in ("zb_v", "dualpipe"):
        out.append(f"schedule = {values['schedule']}: delayed weight gradients stand below the peak")
    if values["schedule"] == "dualpipe":
        out.append("schedule = dualpipe: gradients are exchanged between the two copies of the model in no time")
    if machine is not None:
        out.append(f"machine figures of {machine.name}: see its system file for each source")
        out += machine.assumptions
    return tuple(out)


def warnings(asked: Question, fits: bool | None, device: float | None) -> list[str]:
    """``device``: what the fullest device would show as used, where a machine is given."""
    values = asked.plan.values
    out: list[str] = []
    if fits is False:
        out.append("the peak is above the memory of the machine")
    elif device is not None and asked.system is not None:
        short = device - asked.system.figures["memory.capacity"].value
        if short > 0:
            out.append(f"the peak fits, but with the overhead beside it the machine lacks {bytes_text(short)}")
    dims = asked.model.dimensions
    if "experts" not in dims and (values["ep"], values["etp"]) != (1, 1):
        out.append("the model has no experts: ep and etp change nothing")
    if "experts" in dims and isinstance(values["tp"], int) and values["tp"] > 1 and not values["sequence_parallel"]:
        out.append("experts with tp > 1 need sequence_parallel in Megatron")
    return out
