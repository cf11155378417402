"""Pass 6, from stage times to the time of a step: pipeline, data-parallel tail, optimizer."""

from __future__ import annotations

from fractions import Fraction

import sympy
from sympy import Expr, Integer

from symsim.compiler.bubbles import bubble, waiting
from symsim.compiler.ledger import Ledger
from symsim.compiler.network import message_time
from symsim.compiler.work import step_messages
from symsim.functions import maximum, stage_max, stage_pick
from symsim.records.graph import Message
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def schedule(structure: Structure, stream: Expr, ledger: Ledger) -> None:
    """The pipelined part of a step: m micro-batches through the slowest stage, and what that stage waits.

    Each schedule's wait, and how exact it is, stands in :mod:`symsim.compiler.bubbles`.
    """
    m = symbol("m")
    message = Message("send_receive", stream, "pp")
    hop = ledger.define("p2p", message_time(message, ledger), "one hop to a neighbour", "s", "time")
    meaning = "messages to neighbours for one micro-batch"
    met = ledger.define("stage.pp", waiting(structure, hop), meaning, "s", "time")
    whole = ledger.value("F") + ledger.value("B") + met
    stage = ledger.define("t", whole, "one micro-batch on the stage", "s", "time")
    slowest = ledger.define("t_max", stage_max(stage), "one micro-batch on the slowest stage", "s", "time")
    waits = ledger.define("time.bubble", bubble(structure, hop, ledger), "pipeline fills and drains", "s", "time")
    ledger.define("time.pipeline", m * slowest + waits, "all micro-batches through all stages", "s", "time")


def tail(structure: Structure, optimizer_traffic: Fraction, ledger: Ledger) -> None:
    """What follows the last micro-batch: gradients reduced, optimizer, parameters gathered."""
    zero = int(structure["zero"])  # type: ignore[arg-type]
    reduce, gather = Integer(0), Integer(0)
    for message, _ in step_messages(structure, ledger):
        if message.collective == "all_gather":
            gather += message_time(message, ledger)
        else:
            reduce += message_time(message, ledger)
    reduced = ledger.define("reduce", reduce, "gradient reduction", "s", "time")
    gathered = ledger.define("gather", gather, "parameter gathering", "s", "time")
    if structure["overlap_grad_reduce"]:
        reduced = maximum(reduced - ledger.value("B"), 0)
    if structure["overlap_param_gather"]:
        gathered = maximum(gathered - ledger.value("F"), 0)
    exposed = ledger.define("stage.dp", reduced + gathered, "exposed data-parallel messages", "s", "time")
    shards = [("P", symbol("dp") * symbol("cp")), ("P_expert", symbol("edp"))]
    stepped = sympy.Add(*(ledger.value(e) / (shard if zero >= 1 else 1) for e, shard in shards if e in ledger))
    rate = symbol("hbm.bandwidth") * symbol("hbm.efficiency")
    step = ledger.define(
        "stage.optimizer", sympy.sympify(optimizer_traffic) * stepped / rate, "optimizer step", "s", "time"
    )
    ledger.define("tail", exposed + step, "after the last micro-batch", "s", "time")


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
    ledger.define("time.iteration", total, "one step", "s", "time")


def throughput(precision: str, ledger: Ledger) -> None:
    """Rates in the conventions that people use; MFU is against the machine's peak in the GEMMs' precision."""
    time, world = symbol("time.iteration"), symbol("world")
    peak = symbol(f"matmul.{precision}")
    tokens = symbol("gbs") * symbol("seq")
    for name, amount, meaning, unit in (
        ("throughput.tokens_per_s_per_gpu", tokens / (time * world), "tokens per second and GPU", "1/s"),
        (
            "throughput.model_flops_per_gpu",
            symbol("flops.model_per_iteration") / (time * world),
            "model FLOP/s of one GPU, full attention",
            "FLOP/s",
        ),
        (
            "throughput.model_flops_per_gpu_causal",
            symbol("flops.causal_per_iteration") / (time * world),
            "model FLOP/s of one GPU, causal attention",
            "FLOP/s",
        ),
        ("throughput.mfu", symbol("throughput.model_flops_per_gpu") / peak, "model FLOPs utilisation", ""),
        (
            "throughput.hfu",
            symbol("flops.hardware_per_iteration") / (time * world * peak),
            "hardware FLOPs utilisation",
            "",
        ),
    ):
        ledger.define(name, amount, meaning, unit, "time")
