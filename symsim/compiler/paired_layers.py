"""What two layers hold that run at once, one forward and one backward, of two micro-batches.

Their parts alternate, so that messages of the one overlap with compute of the other. A layer of the stage that has run
forward is saved, one that has run backward is freed: above what the stage holds between two pairs of passes are the
moments of the pair itself.

Source: Megatron-Core 0.16.1, models/common/model_chunk_schedule_plan.py (TransformerLayerSchedulePlan.run).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import sympy
from sympy import Expr, Integer

from symsim.compiler.hidden_exchange import exchanges
from symsim.compiler.ledger import Ledger
from symsim.compiler.liveness import Moment, MomentPhase, Rests
from symsim.compiler.simplify import Bounds, Terms, add, scale, tidy, total, undominated
from symsim.compiler.units import Held
from symsim.functions import maximum
from symsim.records.graph import Operator, Tensor
from symsim.records.strategy import Structure

Part = Literal["attention", "forth", "experts", "back"]
Way = Literal["forward", "backward"]
Name = tuple[str, MomentPhase]
"""Operator and phase of a moment."""

ORDER: tuple[tuple[Way, Part], ...] = (
    ("backward", "back"),
    ("forward", "attention"),
    ("backward", "experts"),
    ("forward", "forth"),
    ("backward", "forth"),
    ("forward", "experts"),
    ("forward", "back"),
    ("backward", "attention"),
)
"""The parts of two layers in the order in which the host runs them."""

WEIGHTS_AFTER: dict[tuple[Way, Part], Part] = {("forward", "forth"): "experts", ("backward", "attention"): "attention"}
"""Step → the part whose delayed weight gradients follow it."""


@dataclass(frozen=True, slots=True)
class _Layer:
    """One kind of layer: its moments by operator and way, and where its parts begin and end."""

    held: Held
    forward: tuple[Moment, ...]
    backward: tuple[tuple[Moment, ...], ...]
    rests: Rests
    parts: dict[Part, range]


def rises(
    units: tuple[Held, ...], present: dict[str, Expr], bounds: Bounds, structure: Structure, ledger: Ledger
) -> list[Expr]:
    """The rise above S of each pair of kinds of layers, defined as ``rise_pair…``.

    ``present``: 1 on stages that hold a kind, by its suffix. What the head saved is free meanwhile, where a rank has
    one chunk: it runs backward before all layers, and forward after them.
    """
    layers = [_layer(h) for h in units if h.part.is_layer]
    ends = [h for h in units if not h.part.is_layer and h.follows(layers[-1].held)]
    alone = structure["schedule"] == "1f1b"
    freed = sympy.Add(*(h.kept_count * ledger.value(f"A{h.suffix}") for h in ends)) if alone else Integer(0)
    late = bool(structure["delay_wgrad_compute"])
    out: list[Expr] = []
    for ahead in layers:
        for behind in layers:
            found = dict(_heights(ahead, behind, late, ledger))
            suffix = "" if len(layers) == 1 else f"{ahead.held.suffix}{behind.held.suffix}"
            named = [
                ledger.define(
                    f"pair{suffix}.{operator}.{how}",
                    tidy(found[operator, how]),
                    f"above S in a pair of layers while {operator} runs {'again' if how == 'recompute' else how}",
                    "bytes",
                    "memory",
                )
                for operator, how in undominated(found, bounds)
            ]
            kinds = {ahead.held.suffix, behind.held.suffix}
            on_rank = sympy.Mul(*(present[k] for k in sorted(kinds)))
            both = f"one {ahead.held.title} runs forward and one {behind.held.title} backward"
            rise = on_rank * (maximum(*named) - freed)
            out.append(ledger.define(f"rise_pair{suffix}", rise, f"above S while {both}", "bytes", "memory"))
    return out


def _layer(held: Held) -> _Layer:
    phased = held.phased
    operators = held.part.unit.operators
    backward: dict[str, tuple[Moment, ...]] = {}
    waiting: list[Moment] = []
    for moment in phased.moments[len(operators) :]:
        waiting.append(moment)
        if moment.phase == "backward":
            backward[moment.operator] = tuple(waiting)
            waiting = []
    in_order = tuple(backward.get(o.name, ()) for o in operators)
    rests = Rests(held.part.unit, phased.lifetimes)
    return _Layer(held, phased.moments[: len(operators)], in_order, rests, _parts(operators))


def _parts(operators: tuple[Operator, ...]) -> dict[Part, range]:
    """Where the parts of a layer lie: a dense one has no messages, and its feed-forward is where experts would be."""
    count, bounds = len(operators), exchanges(operators)
    if bounds is not None:
        first, last = bounds
        ends = (0, first, first + 1, last, count)
    else:
        mlp = next((k for k, o in enumerate(operators) if any(r.name == "mlp" for r in o.regions)), count)
        ends = (0, mlp, mlp, count, count)
    names: tuple[Part, ...] = ("attention", "forth", "experts", "back")
    return {name: range(ends[k], ends[k + 1]) for k, name in enumerate(names)}


def _heights(ahead: _Layer, behind: _Layer, late: bool, ledger: Ledger) -> Iterator[tuple[Name, Terms]]:
    """How far each moment of a pair stands above S, in which the layer that runs backward is saved."""
    own = total(t.bytes for t in behind.held.phased.kept)
    done, left = -1, len(behind.held.part.unit.operators)
    waits: list[int] = []
    reduced = total([ledger.value(f"reducing{behind.held.suffix}")])
    whole = total(ledger.value(f"gathered{layer.held.suffix}") for layer in (ahead, behind))
    for way, part in ORDER:
        if way == "forward":
            meanwhile = (*behind.rests.backward(left - 1), *(behind.rests.late(waits) if late else ()))
            for k in ahead.parts[part]:
                moment = ahead.forward[k]
                yield (moment.operator, "forward"), _above(moment, meanwhile, own, whole)
                done = k
        else:
            resting = ahead.rests.forward(done)
            for k in reversed(behind.parts[part]):
                held = (*resting, *(behind.rests.late(waits) if late else ()))
                for moment in behind.backward[k]:
                    yield (moment.operator, moment.phase), add(_above(moment, held, own, whole), reduced)
                left = k
                waits.append(k)
        if not late:
            waits = []
        elif (way, part) in WEIGHTS_AFTER:
            waits = [k for k in waits if k not in behind.parts[WEIGHTS_AFTER[way, part]]]


def _above(moment: Moment, meanwhile: Iterable[Tensor], own: Terms, whole: Terms) -> Terms:
    tensors = dict.fromkeys((*moment.alive, *meanwhile))
    return add(total([*(t.bytes for t in tensors), moment.workspace]), whole, scale(own, -1))
