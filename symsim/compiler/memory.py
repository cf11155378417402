"""Pass 4, the bytes that a rank of stage ``i`` holds: states, activations, workspace, peak."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.liveness import Moment
from symsim.compiler.phases import Phased, phase
from symsim.compiler.simplify import Bounds, Terms, add, dominates, scale, terms, tidy, total, undominated
from symsim.compiler.stages import Part, Stages
from symsim.elements import element_bytes
from symsim.functions import less, maximum, minimum, stage_max
from symsim.records.graph import Operator
from symsim.records.strategy import Structure
from symsim.symbols import symbol


@dataclass(frozen=True, slots=True)
class Held:
    """One way in which a stage holds units of a kind: ``count`` of them, each ordered in this way.

    ``chunk`` units in a row are recomputed from one kept input (Megatron's uniform method).
    """

    part: Part
    count: Expr
    phased: Phased
    suffix: str
    title: str
    chunk: Expr


def qualified(held: Held, operator: Operator) -> str:
    """An operator's name in formulas: with its unit's, where the model has several."""
    unit = held.part.unit.name
    return operator.name if not held.suffix or operator.name.startswith(f"{unit}.") else f"{unit}.{operator.name}"


def held_units(stages: Stages, structure: Structure) -> tuple[Held, ...]:
    """Units as they run under the strategy's recomputation; partly recomputed kinds come twice."""
    chosen = structure["recompute"]
    regions = chosen if isinstance(chosen, frozenset) else frozenset()
    kinds = [p for p in stages.parts if p.is_layer]
    out: list[Held] = []
    for part in stages.parts:
        name = part.unit.name
        suffix = "" if part.is_layer and len(kinds) == 1 else f"_{name}"
        title = "layer" if part.is_layer and len(kinds) == 1 else f"{name} layer" if part.is_layer else name
        if part.recomputed != 0:
            whole = phase(part.unit, frozenset(), True)
            both = part.recomputed != part.count
            uniform = structure["recompute_method"] == "uniform" and "recompute_layers" in structure.symbols
            chunk = symbol("recompute_layers") if uniform else Integer(1)
            out.append(
                Held(
                    part,
                    part.recomputed,
                    whole,
                    suffix + ("_recomputed" if both else ""),
                    f"recomputed {title}" if both else title,
                    chunk,
                )
            )
        if part.recomputed != part.count:
            out.append(
                Held(part, part.count - part.recomputed, phase(part.unit, regions, False), suffix, title, Integer(1))
            )
    return tuple(out)


def parameters(stages: Stages, ledger: Ledger) -> None:
    """Elements that one rank of stage ``i`` holds: ``P`` dense and ``P_expert`` expert ones."""
    i = symbol("i")
    for name, expert, meaning in (("P", False, "dense parameters"), ("P_expert", True, "expert parameters")):
        elements: Expr = Integer(0)
        for part in stages.parts:
            own = [w for o in part.unit.operators for w in o.weights if w.expert is expert]
            plain = total(w.elements for w in own if not w.tied)
            elements += _times(part.count, tidy(plain))
            elements += _times(part.count * less(0, i), tidy(total(w.elements for w in own if w.tied)))
        if elements != 0 or not expert:
            ledger.define(name, elements, f"{meaning} of one rank", "elements", "params")


def states(structure: Structure, state_bytes: Fraction, ledger: Ledger) -> None:
    """Weights, gradients and optimizer states; each parameter group has its own sharding."""
    zero = int(structure["zero"])  # type: ignore[arg-type]
    grad = element_bytes(str(structure["grad_dtype"]), "bf16")
    weight = element_bytes("activation", str(structure["precision"]))
    groups = [(ledger.value("P"), symbol("dp") * symbol("cp"))]
    if "P_expert" in ledger:
        groups.append((ledger.value("P_expert"), symbol("edp")))
    if "zero_shard" in structure.symbols:
        groups = [(elements, minimum(symbol("zero_shard"), whole)) for elements, whole in groups]
    for name, size, stage, meaning in (
        ("weights", weight, 3, "weights"),
        ("gradients", grad, 2, "gradient buffer"),
        ("optimizer", state_bytes, 1, "optimizer states"),
    ):
        amount = sympy.Add(*(sympy.sympify(size) * e / (shard if zero >= stage else 1) for e, shard in groups))
        ledger.define(name, amount, meaning, "bytes", "memory")


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
    rises: dict[str, dict[str, Terms]] = {}
    for held in units:
        own = total(t.bytes for t in held.phased.kept)
        saved[held.suffix] = own
        rises[held.suffix] = undominated(_rises(held, own), bounds)
        if own:
            ledger.define(
                f"A{held.suffix}", tidy(own), f"saved by one {held.title} for one micro-batch", "bytes", "memory"
            )
    one = sympy.Add(*(_times(_kept_count(h), ledger.value(f"A{h.suffix}")) for h in units))
    ledger.define("S", one, "saved by the stage for one micro-batch", "bytes", "memory")
    ledger.define("activations", ledger.value("f") * ledger.value("S"), "saved activations", "bytes", "memory")
    workspace = _workspace(units, saved, rises, bounds, stages.may_be_empty, ledger)
    sent = less(0, symbol("i")) * stream
    held = _buffers(units, stages, sent, ledger)
    ledger.define("workspace", held + workspace, "buffers, and above S at the worst moment", "bytes", "memory")
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
            vp = symbol("vp") if "vp" in structure.symbols else Integer(int(structure.get("vp") or 1))  # type: ignore[arg-type]
            held = minimum(m, (2 * (pp - i - 1) + (vp - 1) * pp + 1) / vp)
    ledger.define("f", held, "micro-batches in flight", "", "memory")


def _kept_count(held: Held) -> Expr:
    return held.count if held.chunk == 1 else sympy.ceiling(held.count / held.chunk)


def _rises(held: Held, own: Terms) -> dict[str, Terms]:
    """How far each moment stands above what the unit keeps for the backward pass.

    In a chunk that is recomputed from one input, the units before hold all that they save.
    """
    sizes: dict[object, Terms] = {}
    out: dict[str, Terms] = {}
    before: Terms = {}
    if held.chunk != 1:
        plain = phase(held.part.unit, frozenset(), False)
        before = terms((held.chunk - 1) * sympy.Add(*(t.bytes for t in plain.kept)))
    for moment in held.phased.moments:
        alive = add(*(sizes.setdefault(t, terms(t.bytes)) for t in moment.alive), before)
        out[_name(moment)] = add(alive, terms(moment.workspace), scale(own, -1))
    return out


def _name(moment: Moment) -> str:
    return f"{moment.operator} {moment.phase}"


def _workspace(
    units: tuple[Held, ...],
    saved: Mapping[str, Terms],
    rises: Mapping[str, Mapping[str, Terms]],
    bounds: Bounds,
    may_be_empty: bool,
    ledger: Ledger,
) -> Expr:
    """The largest rise over the units of the stage, less what later units hold by then not yet.

    At the last unit of a kind, the units behind it have freed what they saved.
    """
    candidates: list[Expr] = []
    layer_kinds = [h for h in units if h.part.is_layer]
    for position, held in enumerate(units):
        own = rises[held.suffix]
        if not held.part.is_layer and position == 0 and not may_be_empty:
            own = {n: r for n, r in own.items() if not all(dominates(saved[k.suffix], r, bounds) for k in layer_kinds)}
        if not any(own.values()):
            continue
        rise = _worst(held, own, ledger)
        later = sympy.Add(*(_times(_kept_count(h), ledger.value(f"A{h.suffix}")) for h in units if _follows(h, held)))
        present = Integer(1) if held.part.is_layer and len(layer_kinds) == 1 and not may_be_empty else _some(held)
        above = _times(present, rise - later)
        meaning = (
            f"above S while the last {held.title} of the stage runs"
            if held.part.is_layer
            else f"above S in the {held.title}"
        )
        candidates.append(ledger.define(f"rise{held.suffix}", above, meaning, "bytes", "memory"))
    return maximum(*candidates, 0) if len(candidates) > 1 else maximum(*candidates)


def _worst(held: Held, own: Mapping[str, Terms], ledger: Ledger) -> Expr:
    """The largest rise of a unit; each moment that may be the largest has a name."""
    named: list[Expr] = []
    for moment, rise in own.items():
        operator, _, phase_name = moment.rpartition(" ")
        where_ = f"w.{_full_name(held, operator)}.{phase_name}"
        meaning = f"above S while {operator} runs {_ADVERB[phase_name]}"
        named.append(ledger.define(where_, tidy(rise), meaning, "bytes", "memory") if len(own) > 1 else tidy(rise))
    return ledger.define(f"w{held.suffix}", maximum(*named), f"above S while one {held.title} runs", "bytes", "memory")


_ADVERB = {"forward": "forward", "recompute": "again", "backward": "backward"}


def _full_name(held: Held, operator: str) -> str:
    prefix = held.suffix.removeprefix("_")
    return operator if not prefix or operator.startswith(f"{prefix}.") else f"{prefix}.{operator}"


def _buffers(units: tuple[Held, ...], stages: Stages, sent: Expr, ledger: Ledger) -> Expr:
    """Buffers that stay allocated: one for each name and shape, where any unit of the stage uses it,
    and the gradient ``sent`` back last."""
    users: dict[tuple[object, ...], tuple[Expr, list[Expr]]] = {}
    single = sum(h.part.is_layer for h in units) == 1 and not stages.may_be_empty
    for held in units:
        present = Integer(1) if held.part.is_layer and single else _some(held)
        for buffer in (b for o in held.part.unit.operators for b in o.buffers):
            key = (buffer.name.rsplit(".", 1)[-1], buffer.shape)
            users.setdefault(key, (buffer.bytes, []))[1].append(present)
    groups: dict[Expr, list[Expr]] = {}
    for size, presences in users.values():
        where_used = Integer(1) if 1 in presences else maximum(*presences)
        groups.setdefault(where_used, []).append(size)
    amount = sympy.Add(*(_times(used, tidy(total(sizes))) for used, sizes in groups.items()))
    return ledger.define("buffers", amount + sent, "buffers that stay allocated", "bytes", "memory")


def _follows(later: Held, held: Held) -> bool:
    """Whether units of the one kind all stand behind those of the other.

    Of one kind, the recomputed ones are the first of a stage.
    """
    if later.part is held.part:
        return later.phased.recomputed < held.phased.recomputed
    return later.part.segments[0] > held.part.segments[1]


def _some(held: Held) -> Expr:
    return less(0, held.count) if held.part.is_layer else held.count


def _times(count: Expr, amount: Expr) -> Expr:
    """A product that keeps a sum as one factor."""
    if count == 1 or amount == 0:
        return amount
    return sympy.Mul(count, amount, evaluate=False) if amount.is_Number and count.is_Number else count * amount
