"""Pass 5, what a stage does for one micro-batch: FLOPs, bytes sent, and their time.

An operator's phase takes the longer of its arithmetic and its memory traffic (the roofline), and
its messages on top.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import sympy
from sympy import Expr, Integer, Symbol

from symsim.compiler.ledger import Ledger
from symsim.compiler.network import family, message_time, sent_bytes
from symsim.compiler.profile import Profile
from symsim.compiler.sharding import step_volumes
from symsim.compiler.simplify import tidy, total
from symsim.compiler.stages import virtual_chunks
from symsim.compiler.units import Held
from symsim.elements import QUANTISED_PRECISIONS, element_bytes
from symsim.functions import maximum, minimum, stage_sum, table
from symsim.records.graph import PHASES, Graph, Kernel, Message, Operator, PhaseName, Unit, Work
from symsim.records.strategy import Structure
from symsim.symbols import symbol

EXPOSED_AXES = {"tp": "tp", "cp": "cp", "cp_a2a": "cp", "cp_ring": "cp", "ep": "ep", "etp": "ep"}
"""Message axis → the name under which its exposed time is reported."""


def published(expression: Expr, vocab: Expr) -> Expr:
    """An amount of one rank, taken for the whole model as published: nothing split, no padding."""
    one = Integer(1)
    whole: dict[Expr, Expr] = {
        symbol(n): one for n in ("tp", "cp", "cp_a2a", "ep", "etp", "mbs", "moe_imbalance", "moe_capacity")
    }
    return expression.xreplace({symbol("V"): vocab, symbol("T"): symbol("seq")}).xreplace(whole)


def model_totals(graph: Graph, vocab: Expr, ledger: Ledger) -> None:
    """Parameters and model FLOPs of the architecture, whatever the strategy.

    FLOPs count matrix multiplications and attention (full, and what masks and windows leave), without
    what kernels recompute.
    """
    counted: list[tuple[Expr, Unit]] = [(Integer(1), graph.prologue), (Integer(1), graph.epilogue)]
    counted += [(slot.repeats, slot.unit) for slot in graph.slots]
    weights = [(n, w) for n, unit in counted for o in unit.operators for w in o.weights if not w.tied]
    ledger.define(
        "parameters",
        tidy(total(published(n * w.elements, vocab) for n, w in weights)),
        "parameters of the model",
        "elements",
        "params",
    )
    ledger.define(
        "active_parameters",
        tidy(total(published(n * w.elements * w.active, vocab) for n, w in weights)),
        "parameters that one token uses",
        "elements",
        "params",
    )
    kernels = [(n, phase, k) for n, unit in counted for phase, k in _kernels(unit)]
    seq = symbol("seq")
    tokens = symbol("gbs") * seq
    for name, amounts, meaning in (
        (
            "flops.forward_per_token",
            [n * k.unmasked for n, phase, k in kernels if phase == "forward"],
            "model FLOPs of one token, forward",
        ),
        (
            "flops.per_token",
            [n * k.unmasked for n, _, k in kernels],
            "model FLOPs of one token, forward and backward",
        ),
        ("flops.causal_per_token", [n * k.causal for n, _, k in kernels], "of them under a causal mask"),
    ):
        ledger.define(name, tidy(total(published(a, vocab) / seq for a in amounts)), meaning, "FLOP", "flops")
    ledger.define(
        "flops.model_per_iteration", tokens * symbol("flops.per_token"), "model FLOPs of one step", "FLOP", "flops"
    )
    ledger.define(
        "flops.causal_per_iteration",
        tokens * symbol("flops.causal_per_token"),
        "model FLOPs of one step under a causal mask",
        "FLOP",
        "flops",
    )


def _kernels(unit: Unit) -> Iterable[tuple[PhaseName, Kernel]]:
    return ((phase, k) for o in unit.operators for phase in PHASES for k in o.work[phase].kernels)


def hardware_flops(units: tuple[Held, ...], ledger: Ledger) -> None:
    """FLOPs that the machines execute: padding, recomputation and what kernels repeat included."""
    stage: Expr = Integer(0)
    for held in units:
        each = tidy(total(k.flops for w in held.works for k in w.kernels))
        if each != 0:
            stage += held.passed * ledger.define(
                f"flops.one{held.suffix}", each, f"FLOPs of one {held.title} for one micro-batch", "FLOP", "flops"
            )
    ledger.define("flops.stage", stage, "FLOPs of one rank for one micro-batch", "FLOP", "flops")
    ranks = symbol("world") / symbol("pp")
    for name, masked, meaning in (
        ("flops.recomputed_per_iteration", False, "model FLOPs of one step that run again"),
        ("flops.recomputed_causal_per_iteration", True, "of them under a causal mask"),
    ):
        again = sympy.Add(*(held.passed * _recomputed(held, masked) for held in units))
        whole = symbol("m") * ranks * stage_sum(again) if again != 0 else again
        ledger.define(name, whole, meaning, "FLOP", "flops")
    ledger.define(
        "flops.hardware_per_iteration",
        symbol("m") * ranks * stage_sum(symbol("flops.stage")),
        "FLOPs that all machines execute in one step",
        "FLOP",
        "flops",
    )


def _recomputed(held: Held, masked: bool) -> Expr:
    """Model FLOPs that one unit runs again for one micro-batch: tokens spread evenly over the experts."""
    kernels = (k for o in held.phased.replayed for k in o.work["forward"].kernels)
    even: dict[Expr, Expr] = {symbol(n): Integer(1) for n in ("moe_imbalance", "moe_capacity")}
    return tidy(total((k.causal if masked else k.unmasked).xreplace(even) for k in kernels))


def sent_stream(stream: Expr, structure: Structure, profile: Profile) -> Expr:
    """Bytes of the residual stream that one rank sends on: its part, where tensor-parallel ranks share it out."""
    whole_on_each = profile["p2p_scattered"] and not structure["sequence_parallel"]
    return stream / symbol("tp") if whole_on_each else stream


def messages(units: tuple[Held, ...], stream: Expr, structure: Structure, ledger: Ledger) -> None:
    """Bytes that one rank sends: over each axis for a micro-batch, over dp, edp for a step."""
    for axis in ("tp", "cp", "ep", "etp"):
        stage: Expr = Integer(0)
        for held in units:
            sent = tidy(total(sent_bytes(m) for w in held.works for m in w.messages if family(m) == axis))
            stage += held.passed * sent
        if stage != 0:
            ledger.define(f"sent.{axis}", stage, f"sent over {axis} for one micro-batch", "bytes", "communication")
    ledger.define("sent.pp", stream, "sent to the next stage for one micro-batch, each way", "bytes", "communication")
    for name, volume, meaning in step_volumes(structure, ledger):
        ledger.define(name, volume, meaning, "bytes", "communication")


def step_messages(structure: Structure, ledger: Ledger) -> list[tuple[Message, str]]:
    """Gradient reduction and parameter gathering of one step as they are timed: (message, name of its
    volume). Those that come with every micro-batch are timed once: the rest hides behind compute."""
    zero = int(structure["zero"])  # type: ignore[arg-type]
    out: list[tuple[Message, str]] = []
    for elements, axis in (("P", "dp"), ("P_expert", "edp")):
        if elements not in ledger:
            continue
        held = symbol(elements)
        gradients = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16")) * held
        weights = sympy.sympify(element_bytes("activation", str(structure["precision"]))) * held
        reduce = "reduce_scatter" if zero >= 1 else "all_reduce"
        out.append((Message(reduce, gradients, axis), f"sent.{axis}.gradients"))
        if zero >= 1:
            out.append((Message("all_gather", weights, axis), f"sent.{axis}.parameters"))
    return out


@dataclass(frozen=True, slots=True)
class Spent:
    """``time`` that one unit spends on what the definition ``name`` says: all of it, or what nothing hides."""

    name: str
    operator: Operator
    phase: PhaseName
    time: Expr


@dataclass(frozen=True, slots=True)
class Share:
    """What one operator's phase, or its messages over ``axis``, adds to ``stage.TURN`` or ``stage.TURN.AXIS``."""

    held: Held
    turn: str
    axis: str
    spent: Spent

    @property
    def of_stage(self) -> Expr:
        """Seconds of one micro-batch on the stage."""
        return self.held.passed * self.spent.time


def operator_times(
    units: tuple[Held, ...], structure: Structure, profile: Profile, ledger: Ledger
) -> tuple[Share, ...]:
    """Per stage: ``forward``, ``backward``, ``recompute`` and exposed messages; F and B are their sums.

    Gives what each operator adds to them.
    """
    sums: dict[str, Expr] = {}
    shares: list[Share] = []
    for held in units:
        own: dict[str, list[Spent]] = {}
        for turn, operator, phase in _turns(held):
            _collect(own, turn, held.qualified(operator.name), operator, phase, structure, profile, ledger)
        for key, times in own.items():
            turn, _, axis = key.partition(".")
            what = f"{axis} messages" if axis else turn
            meaning = f"{what} of one {held.title}" + (f", {turn}" if axis else "")
            one = sympy.Add(*(spent.time for spent in times))
            each = ledger.define(f"one.{key}{held.suffix}", one, meaning, "s", "time.layer")
            shares += (Share(held, turn, axis, spent) for spent in times)
            sums[key] = sums.get(key, Integer(0)) + held.passed * each
    for key, amount in sums.items():
        turn, _, axis = key.partition(".")
        meaning = (f"{axis} messages, " if axis else "") + f"{turn} of one micro-batch"
        ledger.define(f"stage.{key}", amount, meaning, "s", "time")
    added = accumulated(structure, profile, ledger)
    for name, turns, meaning in (("F", ("forward",), "forward"), ("B", ("backward", "recompute"), "backward")):
        parts = [ledger.value(f"stage.{k}") for k in sums if k.partition(".")[0] in turns]
        if name == "B":
            parts.append(added)
        parts.append(launch_gaps(units, turns, sympy.Add(*parts), structure, profile, ledger))
        ledger.define(name, sympy.Add(*parts), f"{meaning} of one micro-batch", "s", "time")
    return tuple(shares)


def _turns(held: Held) -> Iterator[tuple[str, Operator, PhaseName]]:
    """What a unit runs for one micro-batch: in which turn, which operator, which of its phases."""
    for operator in held.part.unit.operators:
        for phase in PHASES:
            yield "forward" if phase == "forward" else "backward", operator, phase
    for operator in held.phased.replayed:
        yield "recompute", operator, "forward"


def launch_gaps(
    units: tuple[Held, ...],
    turns: tuple[str, ...],
    device: Expr,
    structure: Structure,
    profile: Profile,
    ledger: Ledger,
) -> Expr:
    """How long the device waits for the host in one pass, which takes ``device`` seconds without waiting.

    The host launches each kernel and message in ``framework.launch``, ahead of the device as long as it can; a
    pass takes the longer of both. Between two passes the host needs ``framework.turn``, in which the device is
    idle. A CUDA graph launches all at once.
    """
    chunks = virtual_chunks(structure)
    idle = chunks * profile.figure("turn")
    if not structure["cuda_graph"]:
        count = sympy.Add(*(held.passed * _launches(held, turns) for held in units))
        launched = ledger.define(
            f"launches.{turns[0]}", count, f"kernels and messages, {turns[0]} of one micro-batch", "", "time"
        )
        idle += maximum(launched * profile.figure("launch") - device, 0)
    meaning = f"the device waits for the host, {turns[0]} of one micro-batch"
    return ledger.define(f"stage.{turns[0]}.launch", idle, meaning, "s", "time")


def _launches(held: Held, turns: tuple[str, ...]) -> int:
    works = [operator.work[phase] for turn, operator, phase in _turns(held) if turn in turns]
    return sum(bool(w.kernels or w.traffic) + len(w.messages) for w in works)


def accumulated(structure: Structure, profile: Profile, ledger: Ledger) -> Expr:
    """Time to add the gradients of one micro-batch to their buffer, where that is a kernel of its own.

    It reads a gradient in the type of the weights, and reads and writes the buffer. Where GEMMs add to the buffer
    themselves, the traffic is theirs.
    """
    if profile["gradients_beside"] == "never":
        return Integer(0)
    made = sympy.sympify(element_bytes("activation", str(structure["precision"])))
    buffer = sympy.sympify(element_bytes(str(structure["grad_dtype"]), "bf16"))
    elements = ledger.value("P") + ledger.value("P_expert")
    moved = (made + 2 * buffer) * elements
    rate = symbol("hbm.bandwidth") * symbol("hbm.efficiency")
    return ledger.define(
        "stage.accumulate", moved / rate, "gradients of one micro-batch added to their buffer", "s", "time"
    )


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


def _collect(
    own: dict[str, list[Spent]],
    turn: str,
    name: str,
    operator: Operator,
    phase: PhaseName,
    structure: Structure,
    profile: Profile,
    ledger: Ledger,
) -> None:
    work = operator.work[phase]
    name = f"{name}.{phase}"
    precision = kernel_precision(operator, structure)
    compute = roofline(work, phase, precision, profile)
    if compute != 0:
        compute = ledger.define(name, compute, f"{operator.kind}, {phase}", "s", "time.operator")
        own.setdefault(turn, []).append(Spent(name, operator, phase, compute))
    by_axis: dict[str, list[Expr]] = {}
    for message in work.messages:
        by_axis.setdefault(EXPOSED_AXES[message.axis], []).append(message_time(message, ledger))
    for axis, times in by_axis.items():
        spent = ledger.define(f"{name}.{axis}", sympy.Add(*times), f"messages of {operator.kind}", "s", "time.operator")
        hidden = bool(structure["overlap_moe"] if axis == "ep" else structure["overlap_tp"] if axis == "tp" else False)
        exposed = overlapped(spent, compute, "link") if hidden else spent
        own.setdefault(f"{turn}.{axis}", []).append(Spent(f"{name}.{axis}", operator, phase, exposed))


def overlapped(messages: Expr, compute: Expr, tier: str) -> Expr:
    """What messages cost that run while something computes: what sticks out, and the compute that they slow."""
    return maximum(messages - compute, 0) + symbol(f"{tier}.overlap_slowdown") * minimum(messages, compute)


def kernel_precision(operator: Operator, structure: Structure) -> str:
    """The strategy's precision; where that is narrower than 16 bits, only of GEMMs with a quantised weight."""
    precision = str(structure["precision"])
    as_it_is = precision not in QUANTISED_PRECISIONS or any(w.quantised for w in operator.weights)
    return precision if as_it_is else "bf16"


def roofline(work: Work, phase: PhaseName, precision: str, profile: Profile) -> Expr:
    """The longer of arithmetic and memory traffic; a memory-bound kernel also pays a latency.

    ``framework.traffic`` is the traffic of a framework's element-wise kernels over that of fused ones.
    """
    arithmetic = sympy.Add(*(_kernel_time(k, phase, precision) for k in work.kernels))
    alone = arithmetic == 0
    unfused = profile.figure("traffic") if alone and phase != "weight_grad" else Integer(1)
    traffic = sympy.Add(*(_traffic_time(rate, amount, unfused) for rate, amount in work.traffic.items()))
    if traffic == 0:
        return arithmetic
    traffic += symbol("hbm.latency")
    return traffic if alone else maximum(arithmetic, traffic)


def _kernel_time(kernel: Kernel, phase: PhaseName, precision: str) -> Expr:
    efficiency = table(Symbol(f"{kernel.rate}.{phase}.efficiency"), *kernel.shape)
    efficiency *= symbol(f"{kernel.rate}.sustained")
    if precision in QUANTISED_PRECISIONS:
        efficiency *= symbol("matmul.fp8_relative_efficiency")
    return tidy(total([kernel.flops])) / (symbol(f"matmul.{precision}") * efficiency)


def _traffic_time(rate: str, amount: Expr, unfused: Expr) -> Expr:
    """``unfused``: traffic over that of fused kernels, for traffic of no class of its own."""
    time = tidy(total([amount])) / (symbol("hbm.bandwidth") * symbol(f"{rate}.efficiency"))
    return unfused * time if rate == "hbm" else time
