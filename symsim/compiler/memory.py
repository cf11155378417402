"""Pass 4, the bytes that a rank of stage ``i`` holds: parameters, activations, peak."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Expr, Integer

from symsim.compiler import framework, offload, peaks
from symsim.compiler.in_flight import HALVES_APART, LATE_WEIGHTS, Holding, holdings
from symsim.compiler.late_weights import waiting
from symsim.compiler.ledger import Ledger
from symsim.compiler.profile import Profile
from symsim.compiler.simplify import Bounds, Terms, dominates, tidy, total
from symsim.compiler.stages import Part, Stages
from symsim.compiler.units import Held
from symsim.functions import equal, less, maximum, minimum, stage_max, stage_sum
from symsim.records.graph import Weight
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def parameters(stages: Stages, ledger: Ledger) -> None:
    """Elements that one rank of stage ``i`` holds: ``P`` dense and ``P_expert`` expert ones; where some of them are
    frozen, ``P_trained`` and ``P_expert_trained`` are those that are not."""
    for name, expert, meaning in (("P", False, "dense parameters"), ("P_expert", True, "expert parameters")):
        held = [(p, [w for o in p.unit.operators for w in o.weights if w.expert is expert]) for p in stages.parts]
        elements = _elements(held)
        if elements != 0 or not expert:
            ledger.define(name, elements, f"{meaning} of one rank", "elements", "params")
        if not all(w.trained for _, own in held for w in own):
            trained = _elements([(part, [w for w in own if w.trained]) for part, own in held])
            ledger.define(f"{name}_trained", trained, "of them trained", "elements", "params")


def _elements(held: list[tuple[Part, list[Weight]]]) -> Expr:
    elements: Expr = Integer(0)
    for part, own in held:
        elements += part.count * tidy(total(w.elements for w in own if not w.tied))
        elements += part.untied * tidy(total(w.elements for w in own if w.tied))
    return elements


def activations(
    units: tuple[Held, ...],
    stages: Stages,
    stream: Expr,
    bounds: Bounds,
    structure: Structure,
    profile: Profile,
    ledger: Ledger,
) -> None:
    """Saved bytes, what one micro-batch adds at its worst moment, and the peak of the stage.

    ``stream`` is the size of the residual stream.
    """
    moments = holdings(stages.chunks, structure, ledger)
    saved: dict[str, Terms] = {}
    for held in units:
        own = saved[held.suffix] = total(t.bytes for t in held.phased.kept)
        if own:
            meaning = f"saved by one {held.title} for one micro-batch"
            ledger.define(f"A{held.suffix}", tidy(own), meaning, "bytes", "memory")
    copied = offload.activations(units, stages.may_be_empty, ledger)
    one = sympy.Add(*(h.kept_count * ledger.value(f"A{h.suffix}") for h in units))
    ledger.define("S", one, "saved by the stage for one micro-batch", "bytes", "memory")
    if structure["schedule"] in HALVES_APART:
        _wait_for_weights(units, ledger)
    held = _held_at_once(moments, units, saved, stages, bounds, structure, ledger)
    ledger.define("activations", held, "saved activations", "bytes", "memory")
    still_held = handed(stages, stream, structure)
    worst = peaks.worst_rise(units, saved, still_held, bounds, stages.may_be_empty, structure, profile, ledger)
    others = framework.rises(profile, structure, ledger)
    if others:
        worst = maximum(worst, *others)
    others_held = copied + framework.framework_buffers(profile, structure, stages, stream, ledger)
    others_held += _of_framework(stages, units, structure, ledger)
    held_always = others_held + peaks.buffers(units, sent_gradient(stages, stream), stages.may_be_empty, ledger)
    meaning = "buffers, and above S at the worst moment"
    ledger.define("workspace", held_always + worst, meaning, "bytes", "memory")
    _between_steps(units, stages, stream, structure, profile, ledger)
    names = ("weights", "gradients", "optimizer", "activations", "workspace")
    ledger.define("peak", sympy.Add(*(symbol(n) for n in names)), "peak allocated", "bytes", "memory")
    ledger.define("memory.peak", stage_max(symbol("peak")), "peak of the fullest stage", "bytes", "memory")
    if profile["first_rank_reports"]:
        first = stage_sum(equal(symbol("i"), 0) * symbol("peak"))
        ledger.define("memory.reported", first, "peak that the framework logs: on the first stage", "bytes", "memory")


def _of_framework(stages: Stages, units: tuple[Held, ...], structure: Structure, ledger: Ledger) -> Expr:
    """What Megatron holds while it trains and frees before the step ends: a mask, and what the head has put off.

    Source: Megatron-LM d98e8a64dd, pretrain_gpt.py, get_batch: the first and the last stage have a batch. Megatron-Core
    0.16.1, tensor_parallel/layers.py and pipeline_parallel/schedules.py, embedding_activation_buffer,
    grad_output_buffer and drain_embedding_wgrad_compute.
    """
    items: list[Expr] = []
    first, last = stages.parts[0].count, stages.parts[-1].count
    if structure["attention_mask"]:
        mask = symbol("mbs") * symbol("seq") ** 2 / symbol("cp") * minimum(first + last, 1)
        items.append(ledger.define("mask", mask, "mask of the data loader", "bytes", "memory"))
    if structure["defer_embedding_wgrad_compute"]:
        waits = symbol("m")
        if "wgrad_deferral_limit" in structure.symbols:
            waits = minimum(symbol("wgrad_deferral_limit"), waits)
        amount = waits * last * _put_off(units[-1])
        meaning = "inputs and output gradients of the head that wait for its weight gradient"
        items.append(ledger.define("put_off", amount, meaning, "bytes", "memory"))
    return sympy.Add(*items)


def _put_off(head: Held) -> Expr:
    """Bytes that a micro-batch leaves of the product with the vocabulary: its input, and the gradient of its output."""
    return sympy.Add(
        *(o.inputs[0].bytes + o.outputs[0].bytes for o in head.part.unit.operators if o.kind == "vocabulary_linear")
    )


def _between_steps(
    units: tuple[Held, ...], stages: Stages, stream: Expr, structure: Structure, profile: Profile, ledger: Ledger
) -> None:
    """``static``: what a rank holds between two steps, states and buffers and what the framework forgets to free."""
    kept = ledger.value("standing")
    if profile["kept_inputs"]:
        chunks = stages.alike if stages.chunks == 1 else Integer(stages.chunks)
        behind = less(1, symbol("pp")) * (chunks - stages.parts[0].count)
        inputs = 2 * behind * stream
        meaning = "inputs of the last micro-batch and their gradients"
        kept += ledger.define("last_inputs", inputs, meaning, "bytes", "memory")
    if "main_gradients" in ledger:
        kept += symbol("main_gradients")
    ledger.define("static", symbol("states") + kept, "held between steps", "bytes", "memory")


def sent_gradient(stages: Stages, stream: Expr) -> Expr:
    """A stage behind another still holds the gradient that it sent back for the micro-batch before.

    Source: Megatron-Core, pipeline_parallel/schedules.py.
    """
    received = stages.has_previous + stages.predictions_from
    return received * stream if stages.returns_gradient else Integer(0)


def handed(stages: Stages, stream: Expr, structure: Structure) -> Expr:
    """What a stage still holds of the micro-batch before while a forward pass runs: its input, which
    the graph keeps alive as long as its output has a name, and the gradient that came for its output.

    Beside them the gradient that was sent back stays until the next one; see ``sent_gradient``. GPipe runs
    all forward passes first, and so does every schedule that holds all micro-batches at once.
    Source: Megatron-Core, pipeline_parallel/schedules.py.
    """
    if structure["schedule"] == "gpipe":
        return Integer(0)
    received, sent = stages.has_previous + stages.predictions_from, stages.has_next + stages.predictions_to
    held = received + (sent if stages.returns_gradient else 0)
    return less(symbol("f"), symbol("m")) * held * stream


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
    """Only the embedding and what comes after all layers, which one chunk has and the others lack, count apart."""
    amounts: list[Expr] = []
    for held in (h for h in units if not h.part.is_layer):
        flying = moment.embedding if held is units[0] else moment.head
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
