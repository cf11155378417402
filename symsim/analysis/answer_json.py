"""The document of ``symsim eval --json``: every number is one definition of the cost model."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from symsim.analysis import verdicts
from symsim.analysis.evaluate import Answer
from symsim.analysis.explaining.peak_moment import in_words, peak_moment
from symsim.analysis.fitting.error_bar import error_bar
from symsim.analysis.framework_defaults import left_out
from symsim.analysis.memory_fit import MemoryFit, memory_fit
from symsim.analysis.requirements import broken_requirements
from symsim.analysis.training_run import run_assumptions, run_of
from symsim.elements import QUANTISED_PRECISIONS
from symsim.language.figures import UNMEASURED
from symsim.loading.question import Question
from symsim.machine.bind import Machine
from symsim.records.strategy import ASSUMED_FIGURES, FP8_COPIES
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
    "accumulate",
    "shards",
    "offload",
    "launch",
    "bubble",
    "data_parallel",
    "optimizer",
    "stragglers",
)
"""Items of a step's time, ``time.NAME`` in formulas; they add up to it."""

RATES = ("model_flops_per_gpu", "recompute_flops_per_gpu", "megatron_flops_per_gpu", "hardware_flops_per_gpu")
SHARES = ("mfu", "mfu_causal", "mfu_megatron", "hfu", "hfu_recompute", "hfu_recompute_causal")


def document(asked: Question, found: Answer, machine: Machine | None, defaults: bool = True) -> dict[str, Any]:
    """The answer in the form of CONTRACT ``symsim.eval/1``; time and throughput are null without a machine.

    ``defaults``: among the assumptions are choices that are left out and that the framework would take otherwise, which
    takes an evaluation of each.
    """
    values = found.values
    peaks = found.of_stage("peak")
    fullest = max(range(found.stages), key=peaks.__getitem__)
    fit = memory_fit(asked, values)
    lacking = tuple(broken_requirements(asked))
    memory = {
        "peak_bytes": plain(fit.peak),
        "peak_stage": fullest,
        "peak_moment": in_words(found, peak_moment(found, fullest), fullest),
        **memory_of(fit),
        "host_bytes": plain(values.get("memory.host", 0)),
        "stages": _memory_stages(found),
    }
    time = None if machine is None else _time(asked, found)
    return {
        "schema": "symsim.eval/1",
        "verdict": verdicts.of_plan(memory, time, lacking),
        "model": model_of(asked, found),
        "strategy": strategy_of(asked, found),
        "system": asked.system.name if asked.system else None,
        "parameters": {"stages": _parameters(found)},
        "flops": {
            "forward_per_token": plain(values["flops.forward_per_token"]),
            "model_per_iteration": plain(values["flops.model_per_iteration"]),
            "causal_per_iteration": plain(values["flops.causal_per_iteration"]),
            "megatron_per_iteration": plain(values["flops.megatron_per_iteration"]),
            "recomputed_per_iteration": plain(values["flops.recomputed_per_iteration"]),
            "hardware_per_iteration": plain(values["flops.hardware_per_iteration"]),
        },
        "memory": memory,
        "time": time,
        "throughput": None if machine is None else _throughput(asked, found, machine),
        "documents": _documents(found),
        "run": run_of(asked, found),
        "assumptions": [
            *assumptions(asked, machine),
            *given_back(fit),
            *(left_out(asked, found, machine) if defaults else ()),
        ],
        "warnings": [
            *asked.notes,
            *warnings(asked, fit),
            *slow_link(asked, found, machine),
            *beyond_domain(asked, found, machine),
            *(f"a requirement of the strategy is broken: {text}" for text in lacking),
        ],
    }


def memory_of(fit: MemoryFit) -> dict[str, Any]:
    """What of an answer's memory part says whether the plan fits, and how far its peak may be off."""
    error = fit.error
    return {
        "device_bytes": plain(fit.device),
        "cached_bytes": plain(fit.cached),
        "capacity_bytes": plain(fit.capacity),
        "fit": fit.fit,
        "fits": fit.fits,
        "near_limit": fit.near_limit,
        "error_pct": None if error is None else error.pct,
        "nearest_peaks": []
        if error is None
        else [{"id": p.id, "distance": far, "error_pct": p.error_pct} for p, far in error.nearest],
        "unmeasured": [] if error is None else [verdicts.measured_with(n, w) for n, w in error.unmeasured.items()],
    }


def given_back(fit: MemoryFit) -> list[str]:
    """Cached blocks for which a device that the plan fits has no room."""
    if not fit.fits or fit.device is None or fit.cached is None or fit.capacity is None:
        return []
    short = fit.device + fit.cached - fit.capacity
    return [f"the allocator gives back {bytes_text(short)} of what it would keep cached"] if short > 0 else []


def model_of(asked: Question, found: Answer) -> dict[str, Any]:
    """Name and sizes of the model; ``trained_parameters``, adapters included, where some weights are frozen."""
    out = {
        "name": asked.model.name,
        "parameters": round(found.values["parameters"]),
        "active_parameters": round(found.values["active_parameters"]),
    }
    if "trained_parameters" in found.values:
        out["trained_parameters"] = round(found.values["trained_parameters"])
    return out


def _documents(found: Answer) -> dict[str, Any] | None:
    """Documents of a step and how much of it is padding, where the strategy has their lengths."""
    if "documents" not in found.values:
        return None
    rate = found.values.get("throughput.document_tokens_per_s")
    return {
        "count": float(found.values["documents"]),
        "padded_tokens": float(found.values.get("padded_tokens", 0)),
        "tokens_per_s": None if rate is None else float(rate),
    }


def _parameters(found: Answer) -> list[dict[str, int]]:
    dense = found.of_stage("P")
    expert = found.of_stage("P_expert") if "P_expert" in found.values else [0] * found.stages
    return [{"dense": round(d), "expert": round(e)} for d, e in zip(dense, expert, strict=True)]


def _memory_stages(found: Answer) -> list[dict[str, Any]]:
    names = (*MEMORY_PARTS, "overhead", "peak", "device")
    columns = {n: found.of_stage(n) if n in found.values else [0] * found.stages for n in names}
    return [{n: plain(columns[n][k]) for n in names} for k in range(found.stages)]


def _time(asked: Question, found: Answer) -> dict[str, Any]:
    breakdown = {n: float(found.values[f"time.{n}"]) for n in BREAKDOWN if f"time.{n}" in found.values}
    stages = zip(found.of_stage("F"), found.of_stage("B"), strict=True)
    bar = error_bar(asked)
    return {
        "iteration_s": float(found.values["time.iteration"]),
        "error_pct": None if bar is None else bar.pct,
        "nearest_cases": []
        if bar is None
        else [{"id": c.id, "distance": far, "error_pct": c.error_pct} for c, far in bar.nearest],
        "comparable": bar is not None and bar.incomparable is None,
        "incomparable": "no run was measured" if bar is None else bar.incomparable,
        "widened_by": [] if bar is None else list(bar.widened_by),
        "breakdown": breakdown,
        "bubble_share": float(found.values["time.bubble_share"]),
        "pacing_stage": pacing_stage(found),
        "stages": [{"forward_s": float(f), "backward_s": float(b)} for f, b in stages],
    }


def pacing_stage(found: Answer) -> int:
    """The first stage that takes longest for a micro-batch: the one that formulas pick."""
    times = found.of_stage("t")
    return max(range(found.stages), key=times.__getitem__)


def _throughput(asked: Question, found: Answer, machine: Machine) -> dict[str, Any]:
    values = found.values
    out = {n: float(values[f"throughput.{n}"]) for n in ("tokens_per_s", "tokens_per_s_per_gpu", *SHARES)}
    for rate in RATES:
        for name in (rate, f"{rate}_causal"):
            if f"throughput.{name}" in values:
                out[name.replace("flops", "tflops")] = float(values[f"throughput.{name}"]) / 1e12
    precision = str(asked.plan.values["precision"])
    return {**out, "peak": {"precision": precision, "tflops": machine.values[f"matmul.{precision}"] / 1e12}}


def strategy_of(asked: Question, found: Answer) -> dict[str, Any]:
    """Every choice, settled."""
    out: dict[str, Any] = {}
    for name, value in asked.plan.values.items():
        out[name] = sorted(value) if isinstance(value, frozenset) else plain(value)
    return {
        **out,
        "dp": plain(found.values["dp"]),
        "edp": plain(found.values["edp"]),
        "microbatches": plain(found.values["m"]),
    }


def plain(value: Any) -> Any:
    """Whole numbers as integers, fractions as floats."""
    if isinstance(value, bool) or value is None or isinstance(value, str | int):
        return value
    if isinstance(value, Fraction | float):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) < 2**63 else number
    return value


def assumptions(asked: Question, machine: Machine | None) -> tuple[str, ...]:
    """What an answer takes for granted."""
    values = asked.plan.values
    out = list(asked.model.notes)
    if asked.model.largest("experts"):
        share = values["moe_imbalance"]
        even = "the routed tokens are spread evenly over the experts"
        out.append(even if share == 1 else f"the busiest expert has {share} times the mean of the tokens")
    if values["lengths"] is not None:
        out.append(documents_assumed(bool(values["packed"])))
    left_out = "CUDA context, communication library and fragmentation are not in it"
    out.append(f"peak allocated: {left_out}" + ("" if machine is None else " but stated separately, as overhead"))
    if values["framework"] != "megatron":
        out.append(f"framework = {values['framework']}: what its profile does not state is as in Megatron")
    if values["te_version"] is None and values["framework"] == "megatron":
        out.append("no te_version: what TransformerEngine keeps for itself, up to a few GiB, is not counted")
    if values["offload"] != "none":
        out.append("offload: transfers overlap with compute where the link to the host has offload.bandwidth")
    if values["precision"] in QUANTISED_PRECISIONS:
        out.append(f"precision = {values['precision']}: attention, norms, embedding, router and head stay in bf16")
    if values["precision"] == "fp8" and machine is None:
        out.append(f"no machine: a weight has {ASSUMED_FIGURES[FP8_COPIES]} fp8 copies, as on Hopper")
    if values["schedule"] in ("zb_v", "dualpipe"):
        out.append(
            f"schedule = {values['schedule']}: what waits for delayed weight gradients is assumed to be below the peak"
        )
    if values["schedule"] == "dualpipe":
        out.append("schedule = dualpipe: gradients are exchanged between the two copies of the model in no time")
    if machine is not None:
        out.append(f"machine figures of {machine.name}: see its system file for each source")
        if asked.system is not None and UNMEASURED in asked.system.figures:
            out.append(
                f"{machine.name}: kernels and messages are borrowed from other machines, as its system file says"
            )
        out += run_assumptions(asked)
        out += machine.assumptions
        out += _ideal(asked, machine)
    return tuple(out)


def documents_assumed(packed: bool) -> str:
    """What an answer takes for granted of documents in sequences."""
    if not packed:
        return "lengths: each document is padded to seq, and padding is computed like any token"
    return (
        "lengths: every micro-batch and every rank of cp and dp has the mean of the documents, whole, and each attends "
        "to itself alone"
    )


def _ideal(asked: Question, machine: Machine) -> list[str]:
    """What the machine's file does not state, where the plan would feel it."""
    assert asked.system is not None
    stated = asked.system.figures
    late = "network.straggler" not in stated and asked.plan.sizes["world"] > machine.values["gpus_per_node"]
    free = any(n.endswith(OVERLAP) and n not in stated for n in machine.values)
    if late and free:
        return ["no stragglers and no cost of overlap are assumed"]
    return ["no stragglers are assumed"] * late + ["no cost of overlap is assumed"] * free


OVERLAP = ".overlap_slowdown"
"""Figures of what messages cost the compute that they hide behind."""


def slow_link(asked: Question, found: Answer, machine: Machine | None) -> list[str]:
    """A link to the host that does not hide what is offloaded."""
    if machine is None or asked.system is None or "offload.bandwidth" not in found.values:
        return []
    link, needed = asked.system.figures.get("host.bandwidth"), max(found.of_stage("offload.bandwidth"))
    if link is None or needed <= link.value:
        return []
    return [f"the link to the host ({link.value / 1e9:.3g} GB/s) does not hide offloading ({needed / 1e9:.3g} GB/s)"]


def beyond_domain(asked: Question, found: Answer, machine: Machine | None) -> list[str]:
    """Experts whose dispatcher crosses NVLink domains although not every build of it can.

    Source: DeepEP, branch hybrid-ep, docs/README_Hybrid-EP.md: RDMA between nodes came later than NVLink.
    """
    if machine is None or asked.plan.values["moe_dispatch"] != "hybridep" or "islands.ep" not in found.values:
        return []
    domains, span = found.values["islands.ep"], machine.values["link.span"]
    if not isinstance(domains, int | float | Fraction) or domains <= 1:
        return []
    where = f"ep = {plain(asked.plan.values['ep'])} lies on {plain(domains)} NVLink domains of {plain(span)}"
    return [f"{where}: HybridEP crosses them only where it was built for several nodes (deepep crosses them)"]


def warnings(asked: Question, fit: MemoryFit) -> list[str]:
    """What is wrong with a plan besides the strategy's own requirements."""
    values = asked.plan.values
    out: list[str] = []
    if fit.device is not None and fit.capacity is not None and fit.device > fit.capacity:
        if fit.peak > fit.capacity:
            out.append(f"the peak is above the memory of the machine by {bytes_text(fit.peak - fit.capacity)}")
        else:
            short = bytes_text(fit.device - fit.capacity)
            out.append(f"the peak fits, but with communication library and context the machine lacks {short}")
    experts = asked.model.largest("experts")
    if not experts and (values["ep"], values["etp"]) != (1, 1):
        out.append("the model has no experts: ep and etp change nothing")
    if values["framework"] == "deepspeed" and values["zero"] in (2, 3) and values["pp"] != 1:
        out.append("DeepSpeed's pipelines refuse zero = 2 and 3")
    if experts and isinstance(values["tp"], int) and values["tp"] > 1 and not values["sequence_parallel"]:
        out.append("experts with tp > 1 need sequence_parallel in Megatron")
    return out
