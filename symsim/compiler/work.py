"""Pass 5, what a stage does for one micro-batch: FLOPs and bytes sent."""

from __future__ import annotations

from collections.abc import Iterable

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.network import family, sent_bytes
from symsim.compiler.profile import Profile
from symsim.compiler.sharding import step_volumes
from symsim.compiler.simplify import tidy, total
from symsim.compiler.units import Held
from symsim.functions import stage_sum
from symsim.records.graph import PHASES, Graph, Kernel, PhaseName, Unit, Weight
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def published(expression: Expr, vocab: Expr) -> Expr:
    """An amount of one rank, taken for the whole model as published: nothing split, no padding."""
    one = Integer(1)
    whole: dict[Expr, Expr] = {
        symbol(n): one for n in ("tp", "cp", "cp_a2a", "ep", "etp", "mbs", "moe_imbalance", "moe_capacity")
    }
    return expression.xreplace({symbol("V"): vocab, symbol("T"): symbol("seq")}).xreplace(whole)


def _units_of(graph: Graph) -> list[tuple[Expr, Unit]]:
    """Every kind of unit of the model, and how many of it there are."""
    counts: dict[Unit, Expr] = {unit: Integer(1) for unit in (graph.prologue, *graph.after.units)}
    for slot in graph.slots:
        counts[slot.unit] = counts.get(slot.unit, Integer(0)) + slot.repeats
    return [(n, unit) for unit, n in counts.items()]


def parameter_totals(graph: Graph, vocab: Expr) -> tuple[Expr, Expr]:
    """Parameters of the architecture as published, and those that one token uses; a tied weight counts once."""
    weights = [(n, w) for n, w in _weights_of(graph) if not w.added]
    return (
        tidy(total(published(n * w.elements, vocab) for n, w in weights)),
        tidy(total(published(n * w.elements * w.active, vocab) for n, w in weights)),
    )


def _weights_of(graph: Graph) -> list[tuple[Expr, Weight]]:
    """Every weight, and how many of it there are; a tied one is the embedding's."""
    return [(n, w) for n, unit in _units_of(graph) for o in unit.operators for w in o.weights if not w.tied]


def model_totals(graph: Graph, vocab: Expr, ledger: Ledger) -> None:
    """Parameters and model FLOPs of the architecture, whatever the strategy.

    FLOPs count matrix multiplications and attention (full, and what masks and windows leave), without
    what kernels recompute.
    """
    counted = _units_of(graph)
    held, active = parameter_totals(graph, vocab)
    ledger.define("parameters", held, "parameters of the model", "elements", "params")
    ledger.define("active_parameters", active, "parameters that one token uses", "elements", "params")
    every = _weights_of(graph)
    if not all(w.trained for _, w in every):
        trained = tidy(total(published(n * w.elements, vocab) for n, w in every if w.trained))
        meaning = "parameters that are trained, adapters included"
        ledger.define("trained_parameters", trained, meaning, "elements", "params")
    counted_by_megatron = [n * o.work[phase].counted for n, unit in counted for o in unit.operators for phase in PHASES]
    kernels = [(n, phase, k) for n, unit in counted for phase, k in _kernels(unit)]
    seq = symbol("seq")
    tokens = symbol("gbs") * seq
    for name, amounts, meaning in (
        (
            "flops.forward_per_token",
            [n * k.unmasked for n, phase, k in kernels if phase == "forward"],
            "model FLOPs of one token, forward",
        ),
        (
            "flops.per_token",
            [n * k.unmasked for n, _, k in kernels],
            "model FLOPs of one token, forward and backward",
        ),
        ("flops.causal_per_token", [n * k.causal for n, _, k in kernels], "of them under a causal mask"),
    ):
        ledger.define(name, tidy(total(published(a, vocab) / seq for a in amounts)), meaning, "FLOP", "flops")
    ledger.define(
        "flops.megatron_per_token",
        tidy(total(published(a, symbol("V")) / seq for a in counted_by_megatron)),
        "FLOPs of one token as Megatron counts them: half of the pairs, no router, padded vocabulary",
        "FLOP",
        "flops",
    )
    ledger.define(
        "flops.model_per_iteration", tokens * symbol("flops.per_token"), "model FLOPs of one step", "FLOP", "flops"
    )
    ledger.define(
        "flops.causal_per_iteration",
        tokens * symbol("flops.causal_per_token"),
        "model FLOPs of one step under a causal mask",
        "FLOP",
        "flops",
    )
    ledger.define(
        "flops.megatron_per_iteration",
        tokens * symbol("flops.megatron_per_token"),
        "FLOPs of one step as Megatron counts them",
        "FLOP",
        "flops",
    )


def _kernels(unit: Unit) -> Iterable[tuple[PhaseName, Kernel]]:
    return ((phase, k) for o in unit.operators for phase in PHASES for k in o.work[phase].kernels)


def hardware_flops(units: tuple[Held, ...], ledger: Ledger) -> None:
    """FLOPs that the machines execute: padding, recomputation and what kernels repeat included."""
    stage: Expr = Integer(0)
    for held in units:
        each = tidy(total(k.flops for w in held.works for k in w.kernels))
        if each != 0:
            stage += held.passed * ledger.define(
                f"flops.one{held.suffix}", each, f"FLOPs of one {held.title} for one micro-batch", "FLOP", "flops"
            )
    ledger.define("flops.stage", stage, "FLOPs of one rank for one micro-batch", "FLOP", "flops")
    ranks = symbol("world") / symbol("pp")
    for name, masked, meaning in (
        ("flops.recomputed_per_iteration", False, "model FLOPs of one step that run again"),
        ("flops.recomputed_causal_per_iteration", True, "of them under a causal mask"),
    ):
        again = sympy.Add(*(held.passed * _recomputed(held, masked) for held in units))
        whole = symbol("m") * ranks * stage_sum(again) if again != 0 else again
        ledger.define(name, whole, meaning, "FLOP", "flops")
    ledger.define(
        "flops.hardware_per_iteration",
        symbol("m") * ranks * stage_sum(symbol("flops.stage")),
        "FLOPs that all machines execute in one step",
        "FLOP",
        "flops",
    )


def _recomputed(held: Held, masked: bool) -> Expr:
    """Model FLOPs that one unit runs again for one micro-batch: tokens spread evenly over the experts."""
    kernels = (k for o in held.phased.replayed for k in o.work["forward"].kernels)
    even: dict[Expr, Expr] = {symbol(n): Integer(1) for n in ("moe_imbalance", "moe_capacity")}
    return tidy(total((k.causal if masked else k.unmasked).xreplace(even) for k in kernels))


def sent_stream(stream: Expr, structure: Structure, profile: Profile) -> Expr:
    """Bytes of the residual stream that one rank sends on: its part, where tensor-parallel ranks share it out."""
    whole_on_each = profile["p2p_scattered"] and not structure["sequence_parallel"]
    return stream / symbol("tp") if whole_on_each else stream


def messages(units: tuple[Held, ...], stream: Expr, predictions: Expr, structure: Structure, ledger: Ledger) -> None:
    """Bytes that one rank sends: over each axis for a micro-batch, over dp, edp for a step."""
    for axis in ("tp", "cp", "ep", "etp"):
        stage: Expr = Integer(0)
        for held in units:
            sent = tidy(total(sent_bytes(m) for w in held.works for m in w.messages if family(m) == axis))
            stage += held.passed * sent
        if stage != 0:
            ledger.define(f"sent.{axis}", stage, f"sent over {axis} for one micro-batch", "bytes", "communication")
    ledger.define("sent.pp", stream, "sent to the next stage for one micro-batch, each way", "bytes", "communication")
    if predictions != 0:
        meaning = "predictions of further tokens sent along to the next stage"
        ledger.define("sent.pp.predictions", predictions * stream, meaning, "bytes", "communication")
    for name, volume, meaning in step_volumes(structure, ledger):
        ledger.define(name, volume, meaning, "bytes", "communication")
