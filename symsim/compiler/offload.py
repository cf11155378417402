"""What a strategy keeps in host memory: its size, the bytes that travel, and the link that hides them.

Sources: Megatron-Core, pipeline_parallel/fine_grained_activation_offload.py (saved tensors of a
module leave while the next one runs, and come back while the one behind runs backward);
TransformerEngine, cpu_offload.py (double buffering); Ren et al. 2021 (ZeRO-Offload) and Megatron-Core,
optimizer/cpu_offloading, for optimizer states; Rajbhandari et al. 2021 (ZeRO-Infinity) for weights.
"""

from __future__ import annotations

from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.sharding import away_share, offloaded, stepped
from symsim.compiler.simplify import tidy, total
from symsim.compiler.units import Held
from symsim.functions import maximum, stage_max
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def activations(units: tuple[Held, ...], may_be_empty: bool, ledger: Ledger) -> Expr:
    """Define what leaves for the host; give what is on the device although it leaves.

    Beside the unit that runs, one layer's tensors are on their way: the layer's before, going, or the
    layer's that runs backward next, coming.
    """
    leaving: Expr = Integer(0)
    moving: list[Expr] = []
    alone = sum(h.part.is_layer for h in units) == 1
    for held in units:
        own = total(t.bytes for t in held.phased.offloaded)
        if own:
            meaning = f"offloaded by one {held.title} for one micro-batch"
            each = ledger.define(f"offload.one{held.suffix}", tidy(own), meaning, "bytes", "memory")
            leaving += held.kept_count / held.copies * each
            certain = held.part.is_layer and alone and not may_be_empty
            moving.append(each if certain else held.present * each)
    if not moving:
        return Integer(0)
    # Of two copies of the model that a rank has stages of, a micro-batch passes one.
    meaning = "offloaded by the stage for one micro-batch"
    ledger.define("offload.bytes", leaving, meaning, "bytes", "memory")
    largest = maximum(*moving) if len(moving) > 1 else moving[0]
    return ledger.define("offload.buffer", largest, "saved tensors on their way to or from the host", "bytes", "memory")


def host(structure: Structure, ledger: Ledger) -> None:
    """Host memory of one GPU: offloaded activations of all micro-batches in flight, weights, optimizer.

    Offloaded optimizer states are updated on the host, which has a copy of the gradients for it.
    """
    away = offloaded(structure)
    if not away:
        return
    held = ledger.value("f") * ledger.value("offload.bytes")
    held += ledger.value("host.weights") + ledger.value("host.optimizer")
    if "optimizer" in away:
        gradients, weights = (away_share(structure) * amount for amount in stepped(structure, ledger))
        held += ledger.define("host.gradients", gradients, "gradients in host memory", "bytes", "memory")
        down, up = symbol("host.gradients"), Integer(0) if "weights" in away else weights
        meaning = "gradients to the host and weights back, in one step"
        ledger.define("offload.step", down + up, meaning, "bytes", "communication")
    ledger.define("host", held, "host memory of one GPU of the stage", "bytes", "memory")
    ledger.define("memory.host", stage_max(symbol("host")), "host memory of one GPU, fullest stage", "bytes", "memory")


def bandwidth(ledger: Ledger) -> None:
    """The rate of a GPU's link to the host, each way, at which transfers hide behind compute.

    Activations leave during the forward pass and come back during the backward pass; weights come
    for both. Needs ``F`` and ``B``.
    """
    saved, weights = ledger.value("offload.bytes"), ledger.value("host.weights")
    forward, backward = (
        symbol(p) - ledger.value(f"stage.{t}.offload") for p, t in (("F", "forward"), ("B", "backward"))
    )
    rates = [
        amount / time for amount, time in ((saved, forward), (weights, forward), (saved + weights, backward)) if amount
    ]
    if not rates:
        return
    meaning = "of the link to the host, each way, so that transfers overlap with compute"
    ledger.define("offload.bandwidth", maximum(*rates), meaning, "B/s", "time")
