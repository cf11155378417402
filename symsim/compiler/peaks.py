"""The worst moment of a stage: how far it stands above what is saved, and the buffers that stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr, Integer

from symsim.compiler import paired_layers
from symsim.compiler.freed_memory import freed_in_chunks, in_chunk
from symsim.compiler.in_flight import in_pairs
from symsim.compiler.ledger import Ledger
from symsim.compiler.phases import Phased, phase
from symsim.compiler.profile import Profile
from symsim.compiler.sharding import gathered, reducing
from symsim.compiler.simplify import Bounds, Terms, add, dominates, scale, terms, tidy, total, undominated
from symsim.compiler.units import Held
from symsim.functions import equal, maximum, minimum
from symsim.records.strategy import Structure
from symsim.symbols import symbol

Name = tuple[str, str]
"""Operator and phase of a moment."""


def heights(held: Held, own: Terms, reduced: Expr) -> dict[Name, Terms]:
    """How far each moment stands above what the unit keeps (``own``).

    In a chunk that is recomputed from one input, the units before hold all that they save. While the
    unit runs backward, its gradients (``reduced``) are whole until they are reduced.
    """
    sizes: dict[object, Terms] = {}
    out: dict[Name, Terms] = {}
    before = terms(held.before * sympy.Add(*(t.bytes for t in before_in_chunk(held).kept)))
    for moment in held.phased.moments:
        alive = add(*(sizes.setdefault(t, terms(t.bytes)) for t in moment.alive), before)
        waiting = terms(reduced) if moment.phase == "backward" else {}
        out[moment.operator, moment.phase] = add(alive, terms(moment.workspace), waiting, scale(own, -1))
    return out


def before_in_chunk(held: Held) -> Phased:
    """How the other units of a recomputed chunk hold what they save, once they ran again."""
    return held.phased if held.chunk == 1 else phase(held.part.unit, frozenset(), False)


def present(held: Held, units: tuple[Held, ...], may_be_empty: bool) -> Expr:
    """1 on a stage that holds units of this kind; all stages hold layers where there is one kind of them."""
    certain = held.part.is_layer and sum(h.part.is_layer for h in units) == 1 and not may_be_empty
    return Integer(1) if certain else held.present


def worst_rise(
    units: tuple[Held, ...],
    saved: Mapping[str, Terms],
    still_held: Expr,
    bounds: Bounds,
    may_be_empty: bool,
    structure: Structure,
    profile: Profile,
    ledger: Ledger,
) -> Expr:
    """The largest rise over the units of the stage, less what later units have freed by then.

    ``saved`` is what each unit keeps, by its suffix. A moment before all layers cannot be the worst
    where every stage holds layers that save more.
    """
    candidates: list[Expr] = []
    layers = [h for h in units if h.part.is_layer]
    for position, held in enumerate(units):
        whole = gathered(held, structure, ledger)
        found = heights(held, saved[held.suffix], reducing(held, profile, structure, ledger))
        own = _may_be_largest(found, still_held, bounds)
        if position == 0 and not may_be_empty and whole == 0:
            own = {n: r for n, r in own.items() if not all(dominates(saved[k.suffix], r, bounds) for k in layers)}
        if not any(own.values()):
            continue
        rise = _largest(held, own, still_held, ledger) + whole
        above = _above(rise, held, units, present(held, units, may_be_empty), ledger)
        last = f"while the last {held.title} of the stage runs" if held.part.is_layer else f"in the {held.title}"
        candidates.append(ledger.define(f"rise{held.suffix}", above, f"above S {last}", "bytes", "memory"))
    if in_pairs(structure):
        where = {h.suffix: present(h, units, may_be_empty) for h in layers}
        candidates += paired_layers.rises(units, where, bounds, structure, ledger)
    return maximum(*candidates, 0) if len(candidates) > 1 else maximum(*candidates)


def _may_be_largest(found: Mapping[Name, Terms], still_held: Expr, bounds: Bounds) -> dict[Name, Terms]:
    """The moments that may be the largest when forward passes find ``met`` still held."""
    still = terms(still_held)
    compared = {n: add(rise, still) if n[1] == "forward" else rise for n, rise in found.items()}
    return {n: found[n] for n in undominated(compared, bounds)}


def _above(rise: Expr, held: Held, units: tuple[Held, ...], on_rank: Expr, ledger: Ledger) -> Expr:
    """A unit's rise less what units behind it in its own chunk of the rank have freed by then."""
    freed = freed_in_chunks(held, units, ledger)
    if len(freed) == 1:
        return on_rank * (rise - freed[0])
    chunks = [k for k, count in enumerate(held.in_chunks) if count != 0]
    if on_rank == 1:
        least = [freed[k] for k in chunks]
        return rise - (Integer(0) if 0 in least else minimum(*least))
    return maximum(*(in_chunk(held, k) * (rise - freed[k]) for k in chunks))


def _largest(held: Held, own: Mapping[Name, Terms], still_held: Expr, ledger: Ledger) -> Expr:
    """The largest rise of a unit; each moment that may be it has a name."""
    named: list[Expr] = []
    if any(phase_name == "forward" for _, phase_name in own) and still_held != 0:
        meaning = "held of the micro-batch before while a forward pass runs"
        still_held = ledger.define("handed", still_held, meaning, "bytes", "memory")
    for (operator, phase_name), rise in own.items():
        name = f"w.{moment_name(held, operator, phase_name)}"
        meaning = f"above S while {operator} runs {running(phase_name)}"
        above = tidy(rise) + still_held if phase_name == "forward" else tidy(rise)
        named.append(ledger.define(name, above, meaning, "bytes", "memory"))
    return ledger.define(f"w{held.suffix}", maximum(*named), f"above S while one {held.title} runs", "bytes", "memory")


def moment_name(held: Held, operator: str, phase_name: str) -> str:
    """``mlp.up.backward``, with the kind of layer in front where there are several."""
    recomputed = "recomputed." if held.suffix.endswith("_recomputed") else ""
    return f"{recomputed}{held.qualified(operator)}.{phase_name}"


def running(phase_name: str) -> str:
    """How an operator runs in a phase: forward, again, backward."""
    return "again" if phase_name == "recompute" else phase_name


@dataclass(frozen=True, slots=True)
class Buffer:
    """A buffer that stays allocated on stages where ``used`` is 1; named after its first user."""

    name: str
    used: Expr
    size: Expr


def buffers_of(units: tuple[Held, ...], may_be_empty: bool) -> list[Buffer]:
    """Buffers that stay allocated: one for each name and shape, where any unit of the stage uses it."""
    users: dict[tuple[object, ...], tuple[str, Expr, list[Expr]]] = {}
    for held in units:
        where = present(held, units, may_be_empty)
        for buffer in (b for o in held.part.unit.operators for b in o.buffers):
            key = (buffer.name.rsplit(".", 1)[-1], buffer.shape)
            users.setdefault(key, (held.qualified(buffer.name), buffer.bytes, []))[2].append(where)
    out: list[Buffer] = []
    seen: dict[tuple[object, ...], Expr] = {}
    for shape, (name, size, presences) in users.items():
        used = Integer(1) if 1 in presences else maximum(*presences)
        alone = sympy.Mul(*(1 - _coincide(other, shape) * where for other, where in seen.items()))
        out.append(Buffer(name, used * alone, size))
        seen[shape] = used
    return out


def buffers(units: tuple[Held, ...], sent: Expr, may_be_empty: bool, ledger: Ledger) -> Expr:
    """All buffers, and the gradient ``sent`` back last."""
    groups: dict[Expr, list[Expr]] = {}
    for buffer in buffers_of(units, may_be_empty):
        groups.setdefault(buffer.used, []).append(buffer.size)
    amount = sympy.Add(*(used * tidy(total(sizes)) for used, sizes in groups.items()))
    standing = ledger.define("standing", amount, "buffers that stay allocated", "bytes", "memory")
    return ledger.define(
        "buffers", standing + sent, "buffers, and the gradient that was sent back last", "bytes", "memory"
    )


def _coincide(one: tuple[object, ...], other: tuple[object, ...]) -> Expr:
    """1 where two buffers of one name have one shape because etp is tp, 0 where they never do so."""
    tp, etp = symbol("tp"), symbol("etp")
    swapped = tuple(size.xreplace({etp: tp}) for size in other[1])  # type: ignore[attr-defined]
    return equal(tp, etp) if one[0] == other[0] and swapped == one[1] else Integer(0)
