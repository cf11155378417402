"""Pass 4, the bytes that a rank of stage ``i`` holds: parameters, activations, peak."""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from symsim.compiler import offload, peaks
from symsim.compiler.ledger import Ledger
from symsim.compiler.simplify import Bounds, Terms, tidy, total
from symsim.compiler.stages import Stages, virtual_chunks
from symsim.compiler.units import Held
from symsim.functions import less, minimum, stage_max
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def parameters(stages: Stages, ledger: Ledger) -> None:
    """Elements that one rank of stage ``i`` holds: ``P`` dense and ``P_expert`` expert ones."""
    i = symbol("i")
    for name, expert, meaning in (("P", False, "dense parameters"), ("P_expert", True, "expert parameters")):
        elements: Expr = Integer(0)
        for part in stages.parts:
            own = [w for o in part.unit.operators for w in o.weights if w.expert is expert]
            plain = total(w.elements for w in own if not w.tied)
            elements += part.count * tidy(plain)
            elements += part.count * less(0, i) * tidy(total(w.elements for w in own if w.tied))
        if elements != 0 or not expert:
            ledger.define(name, elements, f"{meaning} of one rank", "elements", "params")


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
    in_flight(structure, ledger)
    saved: dict[str, Terms] = {}
    for held in units:
        own = saved[held.suffix] = total(t.bytes for t in held.phased.kept)
        if own:
            meaning = f"saved by one {held.title} for one micro-batch"
            ledger.define(f"A{held.suffix}", tidy(own), meaning, "bytes", "memory")
    copied = offload.activations(units, stages.may_be_empty, ledger)
    one = sympy.Add(*(h.kept_count * ledger.value(f"A{h.suffix}") for h in units))
    ledger.define("S", one, "saved by the stage for one micro-batch", "bytes", "memory")
    ledger.define("activations", ledger.value("f") * ledger.value("S"), "saved activations", "bytes", "memory")
    worst = peaks.worst_rise(units, saved, bounds, stages.may_be_empty, structure, ledger)
    held_always = copied + peaks.buffers(units, less(0, symbol("i")) * stream, stages.may_be_empty, ledger)
    meaning = "buffers, and above S at the worst moment"
    ledger.define("workspace", held_always + worst, meaning, "bytes", "memory")
    names = ("weights", "gradients", "optimizer", "activations", "workspace")
    ledger.define("peak", sympy.Add(*(symbol(n) for n in names)), "peak allocated", "bytes", "memory")
    ledger.define("memory.peak", stage_max(symbol("peak")), "peak of the fullest stage", "bytes", "memory")


def in_flight(structure: Structure, ledger: Ledger) -> None:
    """Micro-batches whose activations stage ``i`` holds at once.

    Source: Narayanan et al. 2021; interleaved: Korthikanti et al. 2022 — the first stage holds
    L·(1 + (p − 1)/(p·v)) layers' worth.
    """
    i, pp, m = symbol("i"), symbol("pp"), symbol("m")
    match structure["schedule"]:
        case "1f1b":
            held = minimum(m, pp - i)
        case "gpipe":
            held = m
        case _:
            vp = virtual_chunks(structure)
            held = minimum(m, (2 * (pp - i - 1) + (vp - 1) * pp + 1) / vp)
    ledger.define("f", held, "micro-batches in flight", "", "memory")
