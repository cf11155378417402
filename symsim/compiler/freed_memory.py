"""What units behind another one saved and have freed when that one is at its worst, going backward."""

from __future__ import annotations

import sympy
from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.units import Held
from symsim.functions import at_most, less, maximum, minimum, where
from symsim.symbols import symbol

PART = "memory.moment"
"""Part of the definitions that only an explanation of the peak needs."""

Units = tuple[Held, ...]


def freed_in_chunks(running: Held, units: Units, ledger: Ledger) -> tuple[Expr, ...]:
    """Bytes, for each chunk of the rank."""
    later = [h for h in units if h.follows(running)]
    return tuple(
        sympy.Add(*(h.kept_in_chunks[k] * _freed_by_one(h, running, ledger) for h in later))
        for k in range(len(running.in_chunks))
    )


def _freed_by_one(later: Held, running: Held, ledger: Ledger) -> Expr:
    """Of one unit after a running layer. What waits for a weight gradient is not free yet."""
    saved, late = ledger.value(f"A{later.suffix}"), ledger.value(f"A.late{later.suffix}")
    return saved if late == 0 or not running.part.is_layer else maximum(saved - late, 0)


def in_chunk(held: Held, k: int) -> Expr:
    """1 where a chunk of the rank holds such units."""
    return less(0, held.in_chunks[k]) if held.part.is_layer else held.in_chunks[k]


def count_of_later(other: Held, running: Held, units: Units, ledger: Ledger) -> Expr:
    """How many units of another kind are through when this kind is at its worst.

    Of several chunks that is the one in which the least has been freed.
    """
    if not other.follows(running):
        return Integer(0)
    if len(running.in_chunks) == 1:
        return other.kept_count
    return sympy.Add(*(_least_freed(running, k, units, ledger) * n for k, n in enumerate(other.kept_in_chunks)))


def _least_freed(running: Held, k: int, units: Units, ledger: Ledger) -> Expr:
    """1 where chunk ``k`` is the first of those in which the least has been freed.

    Each comparison has a name: written out, they would grow with the fourth power of the chunks.
    """
    unit = running.suffix.removeprefix("_") or "layer"
    name = f"least@{unit}@{k}"
    if name not in ledger:
        _compare_chunks(running, unit, units, ledger)
    return symbol(name)


def _compare_chunks(running: Held, unit: str, units: Units, ledger: Ledger) -> None:
    chosen: Expr = Integer(0)
    amounts: list[Expr] = []
    for k, amount in enumerate(freed_in_chunks(running, units, ledger)):
        known = where(in_chunk(running, k), amount, symbol("S"))
        meaning = f"freed in chunk {k} when its last {running.title} runs; S where it has none"
        amounts.append(ledger.define(f"freed@{unit}@{k}", known, meaning, "bytes", PART))
    least = ledger.define(f"freed@{unit}", minimum(*amounts), "the least of them", "bytes", PART)
    for k, amount in enumerate(amounts):
        first = at_most(amount, least) * (1 - chosen)
        meaning = f"1 where chunk {k} is the first of those with the least"
        chosen += ledger.define(f"least@{unit}@{k}", first, meaning, "", PART)


def saved_by_later(running: Held, units: Units, ledger: Ledger) -> Expr:
    """Bytes that the units that are through had saved."""
    return sympy.Add(*(count_of_later(h, running, units, ledger) * ledger.value(f"A{h.suffix}") for h in units))


def late_weights_of_later(running: Held, units: Units, ledger: Ledger) -> Expr:
    """Bytes of them that wait for a weight gradient."""
    parts = (
        count_of_later(h, running, units, ledger) * (ledger.value(f"A{h.suffix}") - _freed_by_one(h, running, ledger))
        for h in units
    )
    return sympy.Add(*parts)
