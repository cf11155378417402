"""Pass 6, what a stage's work for one micro-batch takes: operators, messages, and what the host adds.

An operator's phase takes the longer of its arithmetic and its memory traffic (the roofline), and
its messages on top.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import sympy
from sympy import Expr, Integer

from symsim.compiler.efficiency import Efficiencies
from symsim.compiler.hidden_exchange import hide_behind_partner
from symsim.compiler.in_flight import in_pairs
from symsim.compiler.ledger import Ledger
from symsim.compiler.network import message_time
from symsim.compiler.overlapped_transfers import host_transfers, overlapped, shards
from symsim.compiler.profile import Profile
from symsim.compiler.sharding import trained_elements
from symsim.compiler.simplify import KEPT_FORMS, tidy, total
from symsim.compiler.stages import virtual_chunks
from symsim.compiler.units import Held
from symsim.elements import QUANTISED_PRECISIONS, element_bytes
from symsim.functions import maximum
from symsim.records.graph import PHASES, Kernel, Message, Operator, PhaseName
from symsim.records.strategy import Structure
from symsim.symbols import symbol

EXPOSED_AXES = {"tp": "tp", "cp": "cp", "cp_a2a": "cp", "cp_ring": "cp", "ep": "ep", "etp": "ep"}
"""Message axis → the name under which its exposed time is reported."""

PLAIN = "hbm"
"""The class of traffic that states none."""

TURNS = {"F": ("forward",), "B": ("backward", "recompute")}
"""The two passes of a micro-batch, and what runs in each."""


@dataclass(frozen=True, slots=True)
class Pricing:
    """What the time of an operator depends on besides its work; ``ledger`` is where it is written.

    ``sent`` are the times of messages so far: many are of equal size.
    """

    structure: Structure
    profile: Profile
    efficiencies: Efficiencies
    ledger: Ledger
    sent: dict[Message, Expr] = field(default_factory=dict)

    def message_time(self, message: Message) -> Expr:
        if message not in self.sent:
            self.sent[message] = message_time(message, self.ledger)
        return self.sent[message]


@dataclass(frozen=True, slots=True)
class Share:
    """What one operator's phase, or its messages over ``axis``, adds to ``one.TURN`` or ``one.TURN.AXIS``.

    ``time`` is that of the definition ``name``, or what nothing hides of it.
    """

    held: Held
    turn: str
    axis: str
    operator: Operator
    phase: PhaseName
    name: str
    time: Expr

    @property
    def key(self) -> str:
        return f"{self.turn}.{self.axis}" if self.axis else self.turn

    @property
    def of_stage(self) -> Expr:
        """What it adds to ``stage.TURN`` or ``stage.TURN.AXIS``."""
        return self.held.passed * self.time


def operator_times(units: tuple[Held, ...], pricing: Pricing) -> tuple[tuple[Share, ...], tuple[str, ...]]:
    """Per stage: ``forward``, ``backward``, ``recompute`` and exposed messages, as ``stage.KEY``.

    Gives what they are sums of, and their keys. In pairs of passes messages of experts are exposed as far as the
    partner does not hide them; ``hidden.TURN`` is what it does.
    """
    ledger = pricing.ledger
    sums: dict[str, Expr] = {}
    shares: list[Share] = []
    hidden: dict[str, Expr] = {}
    for held in units:
        own: dict[str, list[Expr]] = {}
        found = [
            share for turn, operator, phase in _turns(held) for share in _of_phase(held, turn, operator, phase, pricing)
        ]
        if in_pairs(pricing.structure):
            found = hide_behind_partner(held, found, hidden, pricing.structure, ledger)
        for share in found:
            own.setdefault(share.key, []).append(share.time)
            shares.append(share)
        for key, times in own.items():
            turn, _, axis = key.partition(".")
            what = f"{axis} messages" if axis else turn
            meaning = f"{what} of one {held.title}" + (f", {turn}" if axis else "")
            each = ledger.define(f"one.{key}{held.suffix}", sympy.Add(*times), meaning, "s", "time.layer")
            sums[key] = sums.get(key, Integer(0)) + held.passed * each
    for key, amount in sums.items():
        turn, _, axis = key.partition(".")
        meaning = (f"{axis} messages, " if axis else "") + f"{turn} of one micro-batch"
        ledger.define(f"stage.{key}", amount, meaning, "s", "time")
    for turn, amount in hidden.items():
        meaning = f"expert messages that the partner of the pass hides, {turn} of one micro-batch"
        ledger.define(f"hidden.{turn}", amount, meaning, "s", "time")
    return tuple(shares), tuple(sums)


def pass_times(units: tuple[Held, ...], keys: tuple[str, ...], pricing: Pricing) -> None:
    """F and B, a micro-batch's two passes through a stage: its operators, and what runs or waits meanwhile."""
    ledger = pricing.ledger
    added = accumulated(pricing)
    for name, turns in TURNS.items():
        parts = [ledger.value(f"stage.{k}") for k in keys if k.partition(".")[0] in turns]
        if name == "B":
            parts.append(added)
        alone = sympy.Add(*parts)
        parts.append(shards(turns[0], alone, pricing.structure, ledger))
        parts.append(host_transfers(turns[0], alone, ledger))
        parts.append(launch_gaps(units, turns, sympy.Add(*parts), pricing))
        whole = ledger.define(name, sympy.Add(*parts), f"{turns[0]} of one micro-batch", "s", "time")
        if in_pairs(pricing.structure):
            meaning = f"{turns[0]} of one micro-batch without a partner"
            ledger.define(f"{name}.alone", whole + ledger.value(f"hidden.{turns[0]}"), meaning, "s", "time")


def _turns(held: Held) -> Iterator[tuple[str, Operator, PhaseName]]:
    """What a unit runs for one micro-batch: in which turn, which operator, which of its phases."""
    for operator in held.part.unit.operators:
        for phase in PHASES:
            yield "forward" if phase == "forward" else "backward", operator, phase
    for operator in held.phased.replayed:
        yield "recompute", operator, "forward"


def launch_gaps(units: tuple[Held, ...], turns: tuple[str, ...], device: Expr, pricing: Pricing) -> Expr:
    """How long the device waits for the host in one pass, which takes ``device`` seconds without waiting.

    The host launches each kernel and message in ``framework.launch``, ahead of the device as long as it can; a
    pass takes the longer of both. Between two passes the host needs ``framework.turn``, in which the device is
    idle. A CUDA graph launches all at once.
    """
    profile, ledger = pricing.profile, pricing.ledger
    idle = virtual_chunks(pricing.structure) * profile.figure("turn")
    if not pricing.structure["cuda_graph"]:
        count = sympy.Add(*(held.passed * _launches(held, turns) for held in units))
        meaning = f"kernels and messages, {turns[0]} of one micro-batch"
        launched = ledger.define(f"launches.{turns[0]}", count, meaning, "", "time")
        idle += maximum(launched * profile.figure("launch") - device, 0)
    meaning = f"the device waits for the host, {turns[0]} of one micro-batch"
    return ledger.define(f"stage.{turns[0]}.launch", idle, meaning, "s", "time")


def _launches(held: Held, turns: tuple[str, ...]) -> int:
    works = [operator.work[phase] for turn, operator, phase in _turns(held) if turn in turns]
    return sum(bool(w.kernels or w.traffic) + len(w.messages) for w in works)


def accumulated(pricing: Pricing) -> Expr:
    """Time to add the gradients of one micro-batch to their buffer, where that is a kernel of its own.

    It reads a gradient in the type of the weights, and reads and writes the buffer. Where GEMMs add to the buffer
    themselves, the traffic is theirs.
    """
    if pricing.profile["gradient_copies"] == "never":
        return Integer(0)
    made = sympy.sympify(element_bytes("activation", str(pricing.structure["precision"])))
    buffer = sympy.sympify(element_bytes(str(pricing.structure["grad_dtype"]), "bf16"))
    elements = trained_elements("P", pricing.ledger) + trained_elements("P_expert", pricing.ledger)
    moved = (made + 2 * buffer) * elements
    rate = symbol("hbm.bandwidth") * symbol("hbm.efficiency")
    meaning = "gradients of one micro-batch added to their buffer"
    return pricing.ledger.define("stage.accumulate", moved / rate, meaning, "s", "time")


def weight_grad_time(units: tuple[Held, ...], ledger: Ledger) -> None:
    """``W``: the part of B that is weight gradients, which some schedules run apart."""
    total: Expr = Integer(0)
    for held in units:
        own = (ledger.value(f"{held.qualified(o.name)}.weight_grad") for o in held.part.unit.operators)
        each = sympy.Add(*own)
        if each != 0:
            meaning = f"weight gradients of one {held.title}"
            total += held.passed * ledger.define(f"one.weight_grad{held.suffix}", each, meaning, "s", "time.layer")
    ledger.define("W", total, "weight gradients of one micro-batch, a part of B", "s", "time")


def _of_phase(held: Held, turn: str, operator: Operator, phase: PhaseName, pricing: Pricing) -> Iterator[Share]:
    """The time of one phase, and that of its messages over each axis."""
    work, structure, ledger = operator.work[phase], pricing.structure, pricing.ledger
    name = f"{held.qualified(operator.name)}.{phase}"
    precision = kernel_precision(operator, structure)
    shares = pricing.efficiencies.define(name, work.kernels, phase, precision, ledger)
    arithmetic = sympy.Add(*(_kernel_time(k, precision, s) for k, s in zip(work.kernels, shares, strict=True)))
    alone = arithmetic == 0 and phase != "weight_grad"
    unfused = pricing.profile.figure("traffic") if alone else Integer(1)
    traffic = {rate: _traffic_time(rate, amount, unfused) for rate, amount in work.traffic.items()}
    compute = roofline(arithmetic, traffic)
    if compute != 0:
        compute = ledger.define(name, compute, f"{operator.kind}, {phase}", "s", "time.operator")
        yield Share(held, turn, "", operator, phase, name, compute)
    by_axis: dict[str, list[Expr]] = {}
    for message in work.messages:
        by_axis.setdefault(EXPOSED_AXES[message.axis], []).append(pricing.message_time(message))
    for axis, times in by_axis.items():
        spent = ledger.define(f"{name}.{axis}", sympy.Add(*times), f"messages of {operator.kind}", "s", "time.operator")
        hidden = bool(structure["overlap_moe"] if axis == "ep" else structure["overlap_tp"] if axis == "tp" else False)
        exposed = overlapped(spent, compute, "link") if hidden else spent
        yield Share(held, turn, axis, operator, phase, f"{name}.{axis}", exposed)


def kernel_precision(operator: Operator, structure: Structure) -> str:
    """The strategy's precision; where that is narrower than 16 bits, only of GEMMs with a quantised weight."""
    precision = str(structure["precision"])
    as_it_is = precision not in QUANTISED_PRECISIONS or any(w.quantised for w in operator.weights)
    return precision if as_it_is else "bf16"


def roofline(arithmetic: Expr, traffic: Mapping[str, Expr]) -> Expr:
    """The longer of arithmetic and memory traffic; what moves data also pays a latency.

    ``traffic`` is by class. Traffic of a class of its own, where there is arithmetic, is that of other kernels before
    or after the product (a softmax): it is added.
    """
    own = sympy.Add(*traffic.values()) if arithmetic == 0 else traffic.get(PLAIN, Integer(0))
    others = Integer(0) if arithmetic == 0 else sympy.Add(*(t for rate, t in traffic.items() if rate != PLAIN))
    if others != 0:
        others += symbol("hbm.latency")
    if own == 0:
        return arithmetic + others
    own += symbol("hbm.latency")
    return (own if arithmetic == 0 else maximum(arithmetic, own)) + others


def _kernel_time(kernel: Kernel, precision: str, efficiency: Expr) -> Expr:
    return _time_at(kernel.flops, kernel.rate, precision, efficiency)


@lru_cache(maxsize=KEPT_FORMS)
def _time_at(flops: Expr, kind: str, precision: str, efficiency: Expr) -> Expr:
    """``sustained``: the clock that long runs keep, over that of the benchmark that gave the efficiency."""
    rate = symbol(f"matmul.{precision}") * symbol(f"{kind}.sustained")
    return tidy(total([flops])) / (rate * efficiency)


@lru_cache(maxsize=KEPT_FORMS)
def _traffic_time(rate: str, amount: Expr, unfused: Expr) -> Expr:
    """``unfused``: traffic over that of fused kernels, for traffic of no class of its own."""
    time = tidy(total([amount])) / (symbol("hbm.bandwidth") * symbol(f"{rate}.efficiency"))
    return unfused * time if rate == PLAIN else time
