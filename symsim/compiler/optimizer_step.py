"""Pass 8, what follows the last micro-batch: gradients reduced, the optimizer's step, parameters gathered."""

from __future__ import annotations

from fractions import Fraction

import sympy
from sympy import Expr, Integer

from symsim.compiler.gradient_buckets import behind_first_stage, last_bucket
from symsim.compiler.ledger import Ledger
from symsim.compiler.network import message_time
from symsim.compiler.overlapped_transfers import overlapped, replica_times
from symsim.compiler.profile import Profile
from symsim.compiler.sharding import groups, step_share
from symsim.compiler.stages import Stages, tied_elements
from symsim.elements import ELEMENT_BYTES, element_bytes
from symsim.functions import less, maximum
from symsim.records.graph import Message
from symsim.records.strategy import Structure
from symsim.symbols import symbol


def tail(stages: Stages, structure: Structure, profile: Profile, optimizer_traffic: Fraction, ledger: Ledger) -> None:
    """What follows the last micro-batch: gradients reduced, optimizer, parameters gathered.

    The gradients of a table of which the last stage holds a copy are added up. What zero = 2 and 3 send with every
    micro-batch is in :mod:`symsim.compiler.overlapped_transfers`.
    """
    tied = tied_elements(stages)
    reduced, gathered = replica_times(structure, ledger)
    zero = int(structure["zero"])  # type: ignore[arg-type]
    if zero >= 2:
        reduced = Integer(0)
    if zero == 3:
        gathered = Integer(0)
    if reduced != 0 and structure["overlap_grad_reduce"]:
        share = last_bucket(stages, structure, profile, ledger)
        last = ledger.define("last_bucket", share, "share of gradients that is ready last", "", "time")
        ready = ledger.define("reduce_early", reduced * (1 - last), "of it, during a backward pass", "s", "time")
        left = overlapped(ready, ledger.value("B"), "network") + reduced * last
        if profile["whole_parameters_in_buckets"]:
            left = maximum(left - behind_first_stage(ledger), 0)
        reduced = ledger.define("stage.dp.reduce", left, "gradient reduction that nothing hides", "s", "time")
    if gathered != 0 and structure["overlap_param_gather"] and zero != 0:
        left = overlapped(gathered, ledger.value("F"), "network")
        gathered = ledger.define("stage.dp.gather", left, "parameter gathering that nothing hides", "s", "time")
    copies: Expr = Integer(0)
    if tied != 0:
        grad = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16"))
        spent = less(1, symbol("pp")) * message_time(Message("all_reduce", grad * tied, "pp"), ledger)
        copies = ledger.define("reduce_tied", spent, "gradients of the tied table added up", "s", "time")
    exposed = ledger.define("stage.dp", reduced + gathered + copies, "exposed data-parallel messages", "s", "time")
    step = ledger.define(
        "stage.optimizer",
        step_time(structure, profile, optimizer_traffic, ledger),
        "optimizer step",
        "s",
        "time",
    )
    ledger.define("tail", exposed + step, "after the last micro-batch", "s", "time")


def step_time(structure: Structure, profile: Profile, optimizer_traffic: Fraction, ledger: Ledger) -> Expr:
    """The optimizer's traffic for the rank's shard, the framework's passes over gradients, and its host's work.

    ``gradient_passes`` read or write the shard's gradients besides the optimizer's own, ``buffer_passes`` the whole
    buffer.
    """
    grad = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16"))
    moved: Expr = Integer(0)
    for group in groups(structure, ledger):
        share = step_share(group, structure, ledger)
        own = sympy.sympify(optimizer_traffic) + ELEMENT_BYTES["fp32"] * sympy.sympify(profile["gradient_passes"])
        moved += own * share + grad * sympy.sympify(profile["buffer_passes"]) * group.trained
    away = ledger.value("offload.step")
    transfers = away / symbol("host.bandwidth") if away != 0 else Integer(0)
    return moved / (symbol("hbm.bandwidth") * symbol("hbm.efficiency")) + transfers + profile.figure("step")
