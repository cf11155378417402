"""From peak allocated to what the device shows: fragmentation, communication library, CUDA context.

These need figures of a machine, as times do; the peak itself does not.
"""

from __future__ import annotations

import sympy

from symsim.compiler.ledger import Ledger
from symsim.compiler.network import axes
from symsim.compiler.profile import Profile
from symsim.functions import less, stage_max
from symsim.symbols import symbol

PART = "memory.device"
"""What leads from the peak to what the device shows, in order."""
SUMS = "memory.used"
"""What follows from that."""


def device(profile: Profile, ledger: Ledger) -> None:
    """``reserved`` is what the allocator has taken from the device, ``device`` what the device shows as used.

    Each communicator of the communication library has buffers of its own. A rank is in one of the whole
    job, one of its copy of the model, and one of each axis of more than one rank; a framework may make
    those of the axes several times. Source: Megatron-Core, parallel_state.py; NVIDIA/nccl issue 986.
    """
    peak, fragmentation = symbol("peak"), symbol("memory.fragmentation")
    lost = ledger.define("fragmentation", fragmentation * peak, "reserved and not allocated", "bytes", PART)
    ledger.define("reserved", peak + lost, "peak reserved by the allocator", "bytes", PART)
    named = axes()
    ranks = [named[n].ranks for n in ("tp", "cp", "dp") if n in named] + [symbol("pp")]
    if "P_expert" in ledger:
        ranks += [named["ep"].ranks, named["etp"].ranks]
    sets = sympy.sympify(profile["communicator_sets"])
    model = less(1, symbol("tp") * symbol("pp"))
    count = less(1, symbol("world")) + model + sets * sympy.Add(*(less(1, r) for r in ranks))
    buffers = ledger.define(
        "communication", symbol("memory.communicator") * count, "buffers of the communication library", "bytes", PART
    )
    context = ledger.define("context", symbol("memory.context"), "CUDA context and loaded kernels", "bytes", PART)
    used = symbol("reserved") + buffers + context
    ledger.define("device", used, "what the device shows as used", "bytes", PART)
    ledger.define("overhead", symbol("device") - peak, "of it, outside of the peak allocated", "bytes", SUMS)
    ledger.define("memory.reserved", stage_max(symbol("reserved")), "reserved on the fullest stage", "bytes", SUMS)
    ledger.define("memory.device", stage_max(symbol("device")), "used on the fullest stage", "bytes", SUMS)
