"""From peak allocated to what the device has to hold (communication library, CUDA context), and what it shows.

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
"""What leads from the peak to what the device holds and shows, in order."""
SUMS = "memory.used"
"""What follows from that."""


def device(profile: Profile, ledger: Ledger) -> None:
    """``device`` is what has to be on the device; ``shown`` is that and what the allocator keeps besides.

    The allocator caches blocks that are free. Where the device is full it gives them back and tries again before it
    reports out of memory, so they are no part of what has to fit. Source: pytorch/pytorch:
    c10/cuda/CUDACachingAllocator.cpp, release_cached_blocks.

    Each communicator of the communication library has buffers of its own. A rank is in one of the whole
    job, one of its copy of the model, and one of each axis of more than one rank; a framework may make
    those of the axes several times. Source: Megatron-Core, parallel_state.py; NVIDIA/nccl issue 986.
    """
    peak, fragmentation = symbol("peak"), symbol("memory.fragmentation")
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
    ledger.define("device", peak + buffers + context, "what the device has to hold", "bytes", PART)
    cached = ledger.define(
        "cached", fragmentation * peak, "cached by the allocator, given back when the device is full", "bytes", PART
    )
    ledger.define("reserved", peak + cached, "peak reserved by the allocator where there is room", "bytes", PART)
    ledger.define(
        "shown", symbol("device") + cached, "what the device shows as used where there is room", "bytes", PART
    )
    ledger.define("overhead", symbol("shown") - peak, "of it, outside of the peak allocated", "bytes", SUMS)
    ledger.define("memory.reserved", stage_max(symbol("reserved")), "reserved on the fullest stage", "bytes", SUMS)
    held = symbol("memory.peak") + buffers + context
    ledger.define("memory.device", held, "held by the device on the fullest stage", "bytes", SUMS)
    ledger.define("memory.cached", fragmentation * symbol("memory.peak"), "cached there", "bytes", SUMS)
    ledger.define("memory.shown", symbol("memory.device") + symbol("memory.cached"), "shown there", "bytes", SUMS)
