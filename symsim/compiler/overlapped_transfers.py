"""Transfers during the passes of a micro-batch: overlapped messages, gathered shards, offloading."""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.network import message_time
from symsim.compiler.sharding import Group, gathering_message, gathers_after_step, groups, reducing_messages
from symsim.elements import element_bytes
from symsim.functions import maximum, minimum
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def overlapped(messages: Expr, compute: Expr, tier: str) -> Expr:
    """What messages cost that run while something computes: what sticks out, and the compute that they slow."""
    return maximum(messages - compute, 0) + symbol(f"{tier}.overlap_slowdown") * minimum(messages, compute)


def replica_times(structure: Structure, ledger: Ledger) -> tuple[Expr, Expr]:
    """``reduce`` and ``gather``: the gradients of a stage reduced once, its parameters gathered once."""
    reduce, gather = Integer(0), Integer(0)
    for group in groups(structure, ledger):
        gathered = group.elements if structure["zero"] == 3 else group.trained
        if group.trained != 0:
            gradients = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16")) * group.trained
            for message in reducing_messages(group, gradients, structure):
                reduce += message_time(message, ledger)
        if gathers_after_step(structure) and gathered != 0:
            gather += _gather_time(group, gathered, structure, ledger)
    reduced = ledger.define("reduce", reduce, "gradients of the stage, reduced once", "s", "time")
    return reduced, ledger.define("gather", gather, "parameters of the stage, gathered once", "s", "time")


def _gather_time(group: Group, elements: Expr, structure: Structure, ledger: Ledger) -> Expr:
    weights = sympy.sympify(element_bytes("activation", str(structure["precision"]))) * elements
    return message_time(gathering_message(group, weights), ledger)


def _gathered_again(gathered: Expr, structure: Structure, ledger: Ledger) -> Expr:
    """What the backward pass gathers: the same, without the weights of units that have no backward pass."""
    found = groups(structure, ledger)
    if not any(f"{group.name}_backward" in ledger for group in found):
        return gathered
    again = Integer(0)
    for group in found:
        name = f"{group.name}_backward"
        elements = ledger.value(name) if name in ledger else group.elements
        if elements != 0:
            again += _gather_time(group, elements, structure, ledger)
    meaning = "parameters of the stage's units with a backward pass, gathered once"
    return ledger.define("gather_again", again, meaning, "s", "time")


def shards(turn: str, compute: Expr, structure: Structure, ledger: Ledger) -> Expr:
    """Exposed messages of one pass where shards are made whole for it: ``stage.TURN.shards``.

    zero = 3 gathers weights for the forward and again for the backward pass; from zero = 2 on the backward pass
    reduces gradients. They hide behind the pass as far as the two overlap flags allow.
    """
    zero = int(structure["zero"])  # type: ignore[arg-type]
    if zero < 2:
        return Integer(0)
    reduced, gathered = replica_times(structure, ledger)
    sent = {"overlap_param_gather": gathered if zero == 3 else Integer(0)}
    if turn == "backward":
        sent["overlap_grad_reduce"] = reduced
        if zero == 3:
            sent["overlap_param_gather"] = _gathered_again(gathered, structure, ledger)
    hidden = sympy.Add(*(time for flag, time in sent.items() if structure[flag]))
    exposed = sympy.Add(*(time for flag, time in sent.items() if not structure[flag]))
    if hidden != 0:
        exposed += overlapped(hidden, compute, "network")
    return ledger.define(f"stage.{turn}.shards", exposed, f"exposed messages of shards, {turn}", "s", "time")


def host_transfers(turn: str, compute: Expr, ledger: Ledger) -> Expr:
    """What offloading adds to one pass, ``stage.TURN.offload``: as far as the link to the host is slower than it.

    Activations leave during the forward pass and come back during the backward pass; weights come for both.
    """
    saved, weights = ledger.value("offload.bytes"), ledger.value("host.weights")
    if saved + weights == 0:
        return Integer(0)
    # The link has both directions: what leaves does not wait for what comes.
    moved = saved + weights if turn == "backward" or 0 in (saved, weights) else maximum(saved, weights)
    late = maximum(moved / symbol("host.bandwidth") - compute, 0)
    return ledger.define(f"stage.{turn}.offload", late, f"waits for the host's memory, {turn}", "s", "time")
