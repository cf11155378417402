"""The worst moment of a stage: how far it stands above what is saved, and the buffers that stay."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.phases import Phased, phase
from symsim.compiler.simplify import Bounds, Terms, add, dominates, scale, terms, tidy, total, undominated
from symsim.compiler.units import Held
from symsim.functions import maximum

Name = tuple[str, str]
"""Operator and phase of a moment."""


def heights(held: Held, own: Terms) -> dict[Name, Terms]:
    """How far each moment stands above what the unit keeps (``own``).

    In a chunk that is recomputed from one input, the units before hold all that they save.
    """
    sizes: dict[object, Terms] = {}
    out: dict[Name, Terms] = {}
    before = terms((held.chunk - 1) * sympy.Add(*(t.bytes for t in before_in_chunk(held).kept)))
    for moment in held.phased.moments:
        alive = add(*(sizes.setdefault(t, terms(t.bytes)) for t in moment.alive), before)
        out[moment.operator, moment.phase] = add(alive, terms(moment.workspace), scale(own, -1))
    return out


def before_in_chunk(held: Held) -> Phased:
    """How the other units of a recomputed chunk hold what they save, once they ran again."""
    return held.phased if held.chunk == 1 else phase(held.part.unit, frozenset(), False)


def present(held: Held, units: tuple[Held, ...], may_be_empty: bool) -> Expr:
    """1 on a stage that holds units of this kind; all stages hold layers where there is one kind of them."""
    certain = held.part.is_layer and sum(h.part.is_layer for h in units) == 1 and not may_be_empty
    return Integer(1) if certain else held.present


def freed_behind(held: Held, units: tuple[Held, ...], ledger: Ledger) -> Expr:
    """What later units saved and have freed when this one runs."""
    return sympy.Add(*(h.kept_count * ledger.value(f"A{h.suffix}") for h in units if h.follows(held)))


def worst_rise(
    units: tuple[Held, ...], saved: Mapping[str, Terms], bounds: Bounds, may_be_empty: bool, ledger: Ledger
) -> Expr:
    """The largest rise over the units of the stage, less what later units have freed by then.

    ``saved`` is what each unit keeps, by its suffix. A moment before all layers cannot be the worst
    where every stage holds layers that save more.
    """
    candidates: list[Expr] = []
    layers = [h for h in units if h.part.is_layer]
    for position, held in enumerate(units):
        own = undominated(heights(held, saved[held.suffix]), bounds)
        if position == 0 and not may_be_empty:
            own = {n: r for n, r in own.items() if not all(dominates(saved[k.suffix], r, bounds) for k in layers)}
        if not any(own.values()):
            continue
        rise = _largest(held, own, ledger)
        above = present(held, units, may_be_empty) * (rise - freed_behind(held, units, ledger))
        last = f"while the last {held.title} of the stage runs" if held.part.is_layer else f"in the {held.title}"
        candidates.append(ledger.define(f"rise{held.suffix}", above, f"above S {last}", "bytes", "memory"))
    return maximum(*candidates, 0) if len(candidates) > 1 else maximum(*candidates)


def _largest(held: Held, own: Mapping[Name, Terms], ledger: Ledger) -> Expr:
    """The largest rise of a unit; each moment that may be it has a name."""
    named: list[Expr] = []
    for (operator, phase_name), rise in own.items():
        name = f"w.{moment_name(held, operator, phase_name)}"
        meaning = f"above S while {operator} runs {running(phase_name)}"
        named.append(ledger.define(name, tidy(rise), meaning, "bytes", "memory"))
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
    return [
        Buffer(name, Integer(1) if 1 in presences else maximum(*presences), size)
        for name, size, presences in users.values()
    ]


def buffers(units: tuple[Held, ...], sent: Expr, may_be_empty: bool, ledger: Ledger) -> Expr:
    """All buffers, and the gradient ``sent`` back last."""
    groups: dict[Expr, list[Expr]] = {}
    for buffer in buffers_of(units, may_be_empty):
        groups.setdefault(buffer.used, []).append(buffer.size)
    amount = sympy.Add(*(used * tidy(total(sizes)) for used, sizes in groups.items()))
    return ledger.define("buffers", amount + sent, "buffers that stay allocated", "bytes", "memory")
