"""Pass 7, from stage times to the time of a step: the pipeline, and with its tail the sum of all."""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from symsim.compiler.bubbles import bubble, waiting
from symsim.compiler.ledger import Ledger
from symsim.compiler.network import message_time
from symsim.compiler.stages import Stages
from symsim.functions import less, maximum, stage_max, stage_pick
from symsim.records.graph import Message
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def schedule(structure: Structure, sent: Expr, whole: Expr, held: Stages, predictions: int, ledger: Ledger) -> None:
    """The pipelined part of a step: m micro-batches through the slowest stage, and what that stage waits.

    ``sent``: bytes that a rank sends on; where that is not the ``whole`` that its neighbour needs, the
    neighbour's tensor-parallel ranks gather it. ``predictions`` of further tokens go with the stream from a stage of
    multi-token prediction to the loss; in the bubble their messages count like the others.

    Each schedule's wait, and how exact it is, stands in :mod:`symsim.compiler.bubbles`.
    """
    m = symbol("m")
    spent = message_time(Message("send_receive", symbol("sent.pp"), "pp"), ledger)
    if sent != whole:
        spent += less(1, symbol("pp")) * message_time(Message("all_gather", whole, "tp"), ledger)
    hop = ledger.define("p2p", spent, "one hop to a neighbour", "s", "time")
    meaning = "messages to neighbours for one micro-batch"
    waits = waiting(structure, hop) + _with_predictions(structure, hop, held, predictions, ledger)
    hops = ledger.define("stage.pp", waits, meaning, "s", "time")
    whole = ledger.value("F") + ledger.value("B") + hops
    stage = ledger.define("t", whole, "one micro-batch on the stage", "s", "time")
    slowest = ledger.define("t_max", stage_max(stage), "one micro-batch on the slowest stage", "s", "time")
    waits = ledger.define("time.bubble", bubble(structure, hop, ledger), "pipeline fills and drains", "s", "time")
    ledger.define("time.pipeline", m * slowest + waits, "all micro-batches through all stages", "s", "time")


def _with_predictions(structure: Structure, hop: Expr, held: Stages, predictions: int, ledger: Ledger) -> Expr:
    """What a stage waits more for messages that have predictions with them."""
    if structure["overlap_p2p"] or held.predictions_to == 0:
        return Integer(0)
    longer = message_time(Message("send_receive", (1 + predictions) * symbol("sent.pp"), "pp"), ledger)
    meaning = "what a hop takes more with predictions of further tokens"
    more = ledger.define("p2p.predictions", maximum(longer - hop, 0), meaning, "s", "time")
    links = (held.predictions_from + held.predictions_to) / predictions
    return (1 if structure["schedule"] == "1f1b" else 2) * more * links


def iteration(ledger: Ledger) -> None:
    """The time of a step and its breakdown, which adds up to it.

    Stage times are those of the slowest stage, the tail that of the stage with the longest tail.
    """
    m, stage, end = symbol("m"), symbol("t"), symbol("tail")
    total: Expr = Integer(0)
    for name, parts, meaning in (
        ("forward", ("stage.forward",), "forward compute"),
        ("backward", ("stage.backward",), "backward compute"),
        ("recompute", ("stage.recompute",), "recomputed forward"),
        ("tensor_parallel", tuple(f"stage.{p}.tp" for p in ("forward", "backward", "recompute")), "tp messages"),
        ("context_parallel", tuple(f"stage.{p}.cp" for p in ("forward", "backward", "recompute")), "cp messages"),
        ("expert_parallel", tuple(f"stage.{p}.ep" for p in ("forward", "backward", "recompute")), "ep, etp messages"),
        ("pipeline_parallel", ("stage.pp",), "messages between stages"),
        ("accumulate", ("stage.accumulate",), "gradients added to their buffer"),
        ("shards", ("stage.forward.shards", "stage.backward.shards"), "messages that gather shards"),
        ("offload", ("stage.forward.offload", "stage.backward.offload"), "waits for the host's memory"),
        ("launch", ("stage.forward.launch", "stage.backward.launch"), "the device waits for the host"),
    ):
        picked = sympy.Add(*(stage_pick(symbol(p), stage) for p in parts if p in ledger))
        if picked != 0:
            total += ledger.define(f"time.{name}", m * picked, f"{meaning} on the slowest stage", "s", "time")
    total += symbol("time.bubble")
    for name, part, meaning in (
        ("data_parallel", "stage.dp", "exposed data-parallel messages"),
        ("optimizer", "stage.optimizer", "optimizer step"),
    ):
        if part in ledger:
            total += ledger.define(f"time.{name}", stage_pick(symbol(part), end), meaning, "s", "time")
    nodes = maximum(1, symbol("world") / symbol("gpus_per_node"))
    late = (nodes ** symbol("network.straggler") - 1) * total
    total += ledger.define("time.stragglers", late, "waiting for the slowest of many nodes", "s", "time")
    whole = ledger.define("time.iteration", total, "one step", "s", "time")
    ledger.define("time.bubble_share", symbol("time.bubble") / whole, "share of the step that is bubble", "", "time")


def throughput(precision: str, ledger: Ledger) -> None:
    """Rates in the conventions that people use; utilisation is against the machine's peak in the GEMMs' precision.

    Model FLOPs are those of the architecture, with full or with causal attention. *Recompute* adds the model FLOPs
    that run again. *Executed* are all that the machines do, with padding and what kernels repeat.
    """
    time, world = symbol("time.iteration"), symbol("world")
    peak = symbol(f"matmul.{precision}")
    tokens = ledger.define(
        "throughput.tokens_per_s", symbol("gbs") * symbol("seq") / time, "tokens per second", "1/s", "time"
    )
    ledger.define("throughput.tokens_per_s_per_gpu", tokens / world, "tokens per second and GPU", "1/s", "time")
    meaning = "GPU-hours for a billion tokens; times the price of a GPU-hour it is money"
    ledger.define("cost.gpu_hours", world / tokens * Integer(10**9) / 3600, meaning, "h", "time")
    model, causal = symbol("flops.model_per_iteration"), symbol("flops.causal_per_iteration")
    for rate, share, flops, meaning in (
        ("model_flops_per_gpu", "mfu", model, "model FLOP/s of one GPU, full attention"),
        ("model_flops_per_gpu_causal", "mfu_causal", causal, "model FLOP/s of one GPU, causal attention"),
        (
            "recompute_flops_per_gpu",
            "hfu_recompute",
            model + symbol("flops.recomputed_per_iteration"),
            "model and recomputed FLOP/s of one GPU, full attention",
        ),
        (
            "recompute_flops_per_gpu_causal",
            "hfu_recompute_causal",
            causal + symbol("flops.recomputed_causal_per_iteration"),
            "model and recomputed FLOP/s of one GPU, causal attention",
        ),
        (
            "megatron_flops_per_gpu",
            "mfu_megatron",
            symbol("flops.megatron_per_iteration"),
            "FLOP/s of one GPU as Megatron logs it",
        ),
        ("hardware_flops_per_gpu", "hfu", symbol("flops.hardware_per_iteration"), "executed FLOP/s of one GPU"),
    ):
        found = ledger.define(f"throughput.{rate}", flops / (time * world), meaning, "FLOP/s", "time")
        ledger.define(f"throughput.{share}", found / peak, f"that over the peak: {UTILISATIONS[share]}", "", "time")


UTILISATIONS = {
    "mfu": "model FLOPs utilisation",
    "mfu_causal": "model FLOPs utilisation, causal attention",
    "hfu_recompute": "hardware FLOPs utilisation, model and recomputed FLOPs",
    "hfu_recompute_causal": "hardware FLOPs utilisation, model and recomputed FLOPs, causal attention",
    "mfu_megatron": "model FLOPs utilisation by Megatron's own count",
    "hfu": "hardware FLOPs utilisation, all that is executed",
}
"""What a share of the peak is called, by what is counted."""
