"""What a framework holds besides states, saved activations and the workspace of operators.

Each item is there only where the profile states the fact behind it (``models/library/frameworks.sym``).
"""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from symsim.compiler.dealt_parameters import dealt
from symsim.compiler.ledger import Ledger
from symsim.compiler.profile import Profile
from symsim.compiler.sharding import gradients_away, groups, offloaded, trained_elements
from symsim.compiler.simplify import tidy, total
from symsim.compiler.stages import Stages
from symsim.elements import ELEMENT_BYTES, element_bytes
from symsim.functions import less, maximum, minimum
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def framework_buffers(profile: Profile, structure: Structure, stages: Stages, stream: Expr, ledger: Ledger) -> Expr:
    """Bytes that stay allocated, as the sum of named items; 0 where the framework holds nothing more.

    ``stream`` is the size of the residual stream between stages; needs the micro-batches in flight, ``f``.
    """
    weight = sympy.sympify(element_bytes("activation", str(structure["precision"])))
    zero = int(structure["zero"])  # type: ignore[arg-type]
    items: list[Expr] = []
    if profile["reduction_copy"] and zero == 0:
        buckets = sympy.Add(*(weight * g.trained * less(1, g.ranks) for g in groups(structure, ledger)))
        items.append(
            ledger.define("buckets", buckets, "buckets of all gradients for their reduction", "bytes", "memory")
        )
    if profile["late_sequences"] and zero > 0:
        late = sympy.sympify(profile["late_sequences"]) * less(1, symbol("dp") * symbol("cp")) * symbol("S")
        items.append(
            ledger.define("late", late / symbol("mbs"), "saved tensors that are freed late", "bytes", "memory")
        )
    kept = _kept_gradients(profile, structure, ledger)
    if kept != 0:
        items.append(ledger.define("narrow_gradients", kept, "gradients besides their buffer", "bytes", "memory"))
    if profile["gradient_bucket"] and zero >= 2:
        several = 2 if zero == 2 and structure["overlap_grad_reduce"] else 1
        bucket = several * weight * sympy.sympify(profile["gradient_bucket"])
        items.append(ledger.define("bucket", bucket, "bucket in which gradients are reduced", "bytes", "memory"))
    if profile["kept_outputs"]:
        sent = ledger.value("f") * (stages.has_next + stages.predictions_to) * stream
        items.append(ledger.define("outputs", sent, "outputs that the next stage has", "bytes", "memory"))
    if profile["embedding_copy"]:
        first = stages.parts[0]
        table = tidy(total(w.elements for o in first.unit.operators for w in o.weights))
        copy = sympy.sympify(profile["embedding_copy"]) * less(1, symbol("pp")) * first.count * table
        items.append(ledger.define("embedding_copy", copy, "copies of the embedding's table", "bytes", "memory"))
    return sympy.Add(*items)


def _kept_gradients(profile: Profile, structure: Structure, ledger: Ledger) -> Expr:
    """Bytes of gradients in the type of the weights that stay besides a wider buffer, or besides a shard of it."""
    zero = int(structure["zero"])  # type: ignore[arg-type]
    if profile["gradient_copies"] != "kept" or zero == 3:
        return Integer(0)
    weight = sympy.sympify(element_bytes("activation", str(structure["precision"])))
    if zero == 2:
        if gradients_away(profile, structure):
            return Integer(0)
        return weight * sympy.Add(*(group.trained / group.shard for group in groups(structure, ledger)))
    other_optimizer = structure["precision"] == "fp16" or "optimizer" in offloaded(structure)
    wider = _narrow(structure) and not other_optimizer
    return weight * (trained_elements("P", ledger) + trained_elements("P_expert", ledger)) if wider else Integer(0)


def rises(profile: Profile, structure: Structure, ledger: Ledger) -> list[Expr]:
    """Moments outside of the layers that may be the worst, above the activations in flight."""
    found = (make(profile, structure, ledger) for make in (rise_of_gradients, rise_of_step, rise_of_dealt))
    return [rise for rise in found if rise is not None]


def rise_of_gradients(profile: Profile, structure: Structure, ledger: Ledger) -> Expr | None:
    """How far the end of a backward pass stands above the activations in flight.

    The micro-batch is gone and its gradients, in the type of the weights, are all there: they are
    added to the wider buffer afterwards. ``None`` where the framework adds them one by one, or the
    buffer is of that type.
    """
    if profile["gradient_copies"] != "after_backward" or not _narrow(structure):
        return None
    weight = element_bytes("activation", str(structure["precision"]))
    elements = trained_elements("P", ledger) + trained_elements("P_expert", ledger)
    whole = ledger.define(
        "w_gradients", sympy.sympify(weight) * elements, "gradients before they are accumulated", "bytes", "memory"
    )
    return ledger.define("rise_gradients", whole - symbol("S"), "above S after a backward pass", "bytes", "memory")


def rise_of_step(profile: Profile, structure: Structure, ledger: Ledger) -> Expr | None:
    """How far the optimizer step stands above the activations in flight, of which it has none.

    The shard of the gradients is made flat and then fp32, where it is not already a part of a buffer. None where the
    step is made on the host.
    """
    made, fp32 = element_bytes(str(structure["grad_dtype"]), "bf16"), ELEMENT_BYTES["fp32"]
    zero = int(structure["zero"])  # type: ignore[arg-type]
    flat = made == fp32 and zero == 1 and structure["precision"] != "fp16"
    if not profile["step_copies"] or zero == 0 or flat or "optimizer" in offloaded(structure):
        return None
    size = sympy.sympify(made + (fp32 if made < fp32 else 0))
    elements = sympy.Add(*(group.trained / group.shard for group in groups(structure, ledger)))
    if profile["step_group"] and zero == 3:
        elements = minimum(sympy.sympify(profile["step_group"]), elements)
    whole = ledger.define("w_step", size * elements, "flat and fp32 gradients of the shard", "bytes", "memory")
    above = whole - symbol("activations")
    return ledger.define("rise_step", above, "above f·S in the optimizer step", "bytes", "memory")


def rise_of_dealt(profile: Profile, structure: Structure, ledger: Ledger) -> Expr | None:
    """How far the end of the step is above the activations in flight, where whole parameters were dealt out.

    The parameters of the rank are made flat, and those of all ranks arrive in flat copies: first dense ones, then
    experts'. Source: Megatron-Core 0.16.1, optimizer/layer_wise_optimizer.py (allgather_params).
    """
    if not dealt(structure):
        return None
    weight = sympy.sympify(element_bytes("activation", str(structure["precision"])))
    own = 1 + ledger.value("deal.share")
    copies = [weight * own * less(1, group.ranks) * group.trained for group in groups(structure, ledger)]
    most = maximum(*copies) if len(copies) > 1 else copies[0]
    whole = ledger.define("w_dealt", most, "flat copies of the parameters of all ranks", "bytes", "memory")
    above = whole - symbol("activations")
    return ledger.define("rise_dealt", above, "above f·S after the optimizer step", "bytes", "memory")


def _narrow(structure: Structure) -> bool:
    """Whether gradients are made in a type narrower than that of their buffer."""
    made = element_bytes("activation", str(structure["precision"]))
    return made < element_bytes(str(structure["grad_dtype"]), "bf16")
