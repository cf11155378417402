"""Pass 4, the bytes that a rank of stage ``i`` holds: states, activations, peak."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

import sympy
from sympy import Expr, Integer

from symsim.compiler import peaks
from symsim.compiler.in_flight import HALVES_APART, LATE_WEIGHTS, Holding, holdings
from symsim.compiler.late_weights import waiting
from symsim.compiler.ledger import Ledger
from symsim.compiler.simplify import Bounds, Terms, dominates, tidy, total
from symsim.compiler.stages import Stages
from symsim.compiler.units import Held
from symsim.elements import element_bytes
from symsim.functions import maximum, minimum, stage_max
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def parameters(stages: Stages, ledger: Ledger) -> None:
    """Elements that one rank of stage ``i`` holds: ``P`` dense and ``P_expert`` expert ones."""
    for name, expert, meaning in (("P", False, "dense parameters"), ("P_expert", True, "expert parameters")):
        elements: Expr = Integer(0)
        for part in stages.parts:
            own = [w for o in part.unit.operators for w in o.weights if w.expert is expert]
            plain = total(w.elements for w in own if not w.tied)
            elements += part.count * tidy(plain)
            elements += part.untied * tidy(total(w.elements for w in own if w.tied))
        if elements != 0 or not expert:
            ledger.define(name, elements, f"{meaning} of one rank", "elements", "params")


def states(structure: Structure, state_bytes: Fraction, ledger: Ledger) -> None:
    """Weights, gradients and optimizer states; each parameter group has its own sharding."""
    zero = int(structure["zero"])  # type: ignore[arg-type]
    grad = element_bytes(str(structure["grad_dtype"]), "bf16")
    weight = element_bytes("activation", str(structure["precision"]))
    groups = [(ledger.value("P"), symbol("dp") * symbol("cp"))]
    if "P_expert" in ledger:
        groups.append((ledger.value("P_expert"), symbol("edp")))
    if "zero_shard" in structure.symbols:
        groups = [(elements, minimum(symbol("zero_shard"), whole)) for elements, whole in groups]
    for name, size, stage, meaning in (
        ("weights", weight, 3, "weights"),
        ("gradients", grad, 2, "gradient buffer"),
        ("optimizer", state_bytes, 1, "optimizer states"),
    ):
        amount = sympy.Add(*(sympy.sympify(size) * e / (shard if zero >= stage else 1) for e, shard in groups))
        ledger.define(name, amount, meaning, "bytes", "memory")
    static = symbol("weights") + symbol("gradients") + symbol("optimizer")
    ledger.define("static", static, "held between steps", "bytes", "memory")


def activations(
    units: tuple[Held, ...],
    stages: Stages,
    stream: Expr,
    bounds: Bounds,
    structure: Structure,
    ledger: Ledger,
) -> None:
    """Saved bytes, what one micro-batch adds at its worst moment, and the peak of the stage.

    ``stream`` is the size of the residual stream: a stage behind another still holds the gradient
    that it sent back for the micro-batch before (Megatron-Core, pipeline_parallel/schedules.py).
    """
    moments = holdings(stages.chunks, structure, ledger)
    saved: dict[str, Terms] = {}
    for held in units:
        own = saved[held.suffix] = total(t.bytes for t in held.phased.kept)
        if own:
            meaning = f"saved by one {held.title} for one micro-batch"
            ledger.define(f"A{held.suffix}", tidy(own), meaning, "bytes", "memory")
    one = sympy.Add(*(h.kept_count * ledger.value(f"A{h.suffix}") for h in units))
    ledger.define("S", one, "saved by the stage for one micro-batch", "bytes", "memory")
    if structure["schedule"] in HALVES_APART:
        _wait_for_weights(units, ledger)
    held = _held_at_once(moments, units, saved, stages, bounds, structure, ledger)
    ledger.define("activations", held, "saved activations", "bytes", "memory")
    worst = peaks.worst_rise(units, saved, bounds, stages.may_be_empty, ledger)
    held_always = peaks.buffers(units, stages.behind * stream, stages.may_be_empty, ledger)
    meaning = "buffers, and above S at the worst moment"
    ledger.define("workspace", held_always + worst, meaning, "bytes", "memory")
    names = ("weights", "gradients", "optimizer", "activations", "workspace")
    ledger.define("peak", sympy.Add(*(symbol(n) for n in names)), "peak allocated", "bytes", "memory")
    ledger.define("memory.peak", stage_max(symbol("peak")), "peak of the fullest stage", "bytes", "memory")


def _held_at_once(
    moments: tuple[Holding, ...],
    units: tuple[Held, ...],
    saved: Mapping[str, Terms],
    stages: Stages,
    bounds: Bounds,
    structure: Structure,
    ledger: Ledger,
) -> Expr:
    """Bytes of all micro-batches in flight, saved or waiting for a weight gradient, at the fullest moment."""
    if stages.chunks > 1:
        chunks = [_saved_by_chunk(k, units, ledger) for k in range(stages.chunks)]
        held = [h.comes * sympy.Add(*(f * s for f, s in zip(h.saved, chunks, strict=True))) for h in moments]
        return maximum(*held) if len(held) > 1 else held[0]
    if stages.alike != 1:
        return _held_by_like_chunks(units, moments[0], ledger)
    if structure["schedule"] in LATE_WEIGHTS:
        return _held_with_late_weights(units, saved, moments, bounds, ledger)
    return moments[0].saved[0] * symbol("S")


def _saved_by_chunk(k: int, units: tuple[Held, ...], ledger: Ledger) -> Expr:
    amount = sympy.Add(*(h.kept_in_chunks[k] * ledger.value(f"A{h.suffix}") for h in units))
    return ledger.define(f"S.{k}", amount, f"saved by chunk {k} for one micro-batch", "bytes", "memory")


def _held_by_like_chunks(units: tuple[Held, ...], moment: Holding, ledger: Ledger) -> Expr:
    """Only the embedding and the head, which one chunk has and the others lack, are counted apart."""
    amounts: list[Expr] = []
    for held, flying in ((units[0], moment.embedding), (units[-1], moment.head)):
        meaning = f"micro-batches in flight in the {held.title}"
        number = flying if flying == 1 else ledger.define(f"f{held.suffix}", flying, meaning, "", "memory")
        amounts.append(number * held.kept_count * ledger.value(f"A{held.suffix}"))
    layers = sympy.Add(*(h.kept_count * ledger.value(f"A{h.suffix}") for h in units if h.part.is_layer))
    return sympy.Add(moment.saved[0] * layers, *amounts)


def _wait_for_weights(units: tuple[Held, ...], ledger: Ledger) -> None:
    """``A.late``, what each unit holds of a micro-batch between the two halves of its backward pass."""
    for held in units:
        own = waiting(held.part.unit)
        if own:
            meaning = f"kept of one {held.title} until its weight gradient"
            ledger.define(f"A.late{held.suffix}", tidy(own), meaning, "bytes", "memory")


def _held_with_late_weights(
    units: tuple[Held, ...], saved: Mapping[str, Terms], moments: tuple[Holding, ...], bounds: Bounds, ledger: Ledger
) -> Expr:
    """The first moment, where units provably keep no more for their weight gradients than they saved."""
    late = sympy.Add(*(h.count * ledger.value(f"A.late{h.suffix}") for h in units))
    no_more = all(h.chunk == 1 and dominates(saved[h.suffix], waiting(h.part.unit), bounds) for h in units)
    meaning = "kept by the stage of one micro-batch until its weight gradient"
    waits = ledger.define("S.late", late, meaning, "bytes", "memory")
    sums = [h.saved[0] * symbol("S") + h.late * waits for h in (moments[:1] if no_more else moments)]
    return maximum(*sums) if len(sums) > 1 else sums[0]
