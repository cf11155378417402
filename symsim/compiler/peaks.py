"""The worst moment of a stage: how far it stands above what is saved, and the buffers that stay."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.phases import phase
from symsim.compiler.simplify import Bounds, Terms, add, dominates, scale, terms, tidy, total, undominated
from symsim.compiler.units import Held
from symsim.functions import less, maximum, minimum

Name = tuple[str, str]
"""Operator and phase of a moment."""


def rises(held: Held, own: Terms, bounds: Bounds) -> dict[Name, Terms]:
    """How far moments stand above what the unit keeps (``own``); only those that may be the largest.

    In a chunk that is recomputed from one input, the units before hold all that they save.
    """
    sizes: dict[object, Terms] = {}
    out: dict[Name, Terms] = {}
    before: Terms = {}
    if held.chunk != 1:
        plain = phase(held.part.unit, frozenset(), False)
        before = terms((held.chunk - 1) * sympy.Add(*(t.bytes for t in plain.kept)))
    for moment in held.phased.moments:
        alive = add(*(sizes.setdefault(t, terms(t.bytes)) for t in moment.alive), before)
        out[moment.operator, moment.phase] = add(alive, terms(moment.workspace), scale(own, -1))
    return undominated(out, bounds)


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
        own = rises(held, saved[held.suffix], bounds)
        if position == 0 and not may_be_empty:
            own = {n: r for n, r in own.items() if not all(dominates(saved[k.suffix], r, bounds) for k in layers)}
        if not any(own.values()):
            continue
        rise = _largest(held, own, ledger)
        certain = held.part.is_layer and len(layers) == 1 and not may_be_empty
        above = _above(rise, held, [h for h in units if h.follows(held)], certain, ledger)
        last = f"while the last {held.title} of the stage runs" if held.part.is_layer else f"in the {held.title}"
        candidates.append(ledger.define(f"rise{held.suffix}", above, f"above S {last}", "bytes", "memory"))
    return maximum(*candidates, 0) if len(candidates) > 1 else maximum(*candidates)


def _above(rise: Expr, held: Held, behind: list[Held], certain: bool, ledger: Ledger) -> Expr:
    """A unit's rise less what units ``behind`` it in its own chunk of the rank have freed by then."""
    freed = [
        sympy.Add(*(h.kept_in_chunks[k] * _freed(h, held, ledger) for h in behind))
        for k, count in enumerate(held.in_chunks)
        if count != 0
    ]
    if len(held.in_chunks) == 1:
        return rise - freed[0] if certain else held.present * (rise - freed[0])
    if certain:
        return rise - (Integer(0) if 0 in freed else minimum(*freed))
    counts = [count for count in held.in_chunks if count != 0]
    present = [less(0, count) if held.part.is_layer else count for count in counts]
    return maximum(*(here * (rise - less_by) for here, less_by in zip(present, freed, strict=True)))


def _freed(behind: Held, running: Held, ledger: Ledger) -> Expr:
    """Of one unit behind a running layer. What waits for a weight gradient is not free yet."""
    saved, late = ledger.value(f"A{behind.suffix}"), ledger.value(f"A.late{behind.suffix}")
    return saved if late == 0 or not running.part.is_layer else maximum(saved - late, 0)


def _largest(held: Held, own: Mapping[Name, Terms], ledger: Ledger) -> Expr:
    """The largest rise of a unit; each moment that may be it has a name."""
    named: list[Expr] = []
    for (operator, phase_name), rise in own.items():
        running = "again" if phase_name == "recompute" else phase_name
        name = f"w.{_recomputed(held)}{held.qualified(operator)}.{phase_name}"
        meaning = f"above S while {operator} runs {running}"
        named.append(ledger.define(name, tidy(rise), meaning, "bytes", "memory"))
    return ledger.define(f"w{held.suffix}", maximum(*named), f"above S while one {held.title} runs", "bytes", "memory")


def _recomputed(held: Held) -> str:
    return "recomputed." if held.suffix.endswith("_recomputed") else ""


def buffers(units: tuple[Held, ...], sent: Expr, may_be_empty: bool, ledger: Ledger) -> Expr:
    """Buffers that stay allocated: one for each name and shape, where any unit of the stage uses it,
    and the gradient ``sent`` back last.
    """
    users: dict[tuple[object, ...], tuple[Expr, list[Expr]]] = {}
    certain = sum(h.part.is_layer for h in units) == 1 and not may_be_empty
    for held in units:
        present = Integer(1) if held.part.is_layer and certain else held.present
        for buffer in (b for o in held.part.unit.operators for b in o.buffers):
            key = (buffer.name.rsplit(".", 1)[-1], buffer.shape)
            users.setdefault(key, (buffer.bytes, []))[1].append(present)
    groups: dict[Expr, list[Expr]] = {}
    for size, presences in users.values():
        where_used = Integer(1) if 1 in presences else maximum(*presences)
        groups.setdefault(where_used, []).append(size)
    amount = sympy.Add(*(used * tidy(total(sizes)) for used, sizes in groups.items()))
    return ledger.define("buffers", amount + sent, "buffers that stay allocated", "bytes", "memory")
