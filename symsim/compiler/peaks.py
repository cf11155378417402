"""The worst moment of a stage: how far it stands above what is saved, and the buffers that stay."""

from __future__ import annotations

from collections.abc import Mapping

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.phases import phase
from symsim.compiler.sharding import gathered, reducing
from symsim.compiler.simplify import Bounds, Terms, add, dominates, scale, terms, tidy, total, undominated
from symsim.compiler.units import Held
from symsim.functions import maximum
from symsim.records.strategy import Structure

Name = tuple[str, str]
"""Operator and phase of a moment."""


def rises(held: Held, own: Terms, reduced: Expr, bounds: Bounds) -> dict[Name, Terms]:
    """How far moments stand above what the unit keeps (``own``); only those that may be the largest.

    In a chunk that is recomputed from one input, the units before hold all that they save. While the
    unit runs backward, its gradients (``reduced``) are whole until they are reduced.
    """
    sizes: dict[object, Terms] = {}
    out: dict[Name, Terms] = {}
    before: Terms = {}
    if held.chunk != 1:
        plain = phase(held.part.unit, frozenset(), False)
        before = terms((held.chunk - 1) * sympy.Add(*(t.bytes for t in plain.kept)))
    for moment in held.phased.moments:
        alive = add(*(sizes.setdefault(t, terms(t.bytes)) for t in moment.alive), before)
        waiting = terms(reduced) if moment.phase == "backward" else {}
        out[moment.operator, moment.phase] = add(alive, terms(moment.workspace), waiting, scale(own, -1))
    return undominated(out, bounds)


def worst_rise(
    units: tuple[Held, ...],
    saved: Mapping[str, Terms],
    bounds: Bounds,
    may_be_empty: bool,
    structure: Structure,
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
        own = rises(held, saved[held.suffix], reducing(held, structure, ledger), bounds)
        if position == 0 and not may_be_empty and whole == 0:
            own = {n: r for n, r in own.items() if not all(dominates(saved[k.suffix], r, bounds) for k in layers)}
        if not any(own.values()):
            continue
        rise = _largest(held, own, ledger) + whole
        later = sympy.Add(*(h.kept_count * ledger.value(f"A{h.suffix}") for h in units if h.follows(held)))
        certain = held.part.is_layer and len(layers) == 1 and not may_be_empty
        above = rise - later if certain else held.present * (rise - later)
        last = f"while the last {held.title} of the stage runs" if held.part.is_layer else f"in the {held.title}"
        candidates.append(ledger.define(f"rise{held.suffix}", above, f"above S {last}", "bytes", "memory"))
    return maximum(*candidates, 0) if len(candidates) > 1 else maximum(*candidates)


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
