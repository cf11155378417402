"""Messages of experts that the compute of another micro-batch hides, where two passes run layer by layer at once.

Source: Megatron-Core 0.16.1, models/common/model_chunk_schedule_plan.py (TransformerLayerSchedulePlan.run) and
models/gpt/fine_grained_callables.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sympy import Expr, Integer

from symsim.compiler.ledger import Ledger
from symsim.compiler.overlapped_transfers import overlapped
from symsim.compiler.units import Held
from symsim.records.graph import Operator
from symsim.records.strategy import Structure

if TYPE_CHECKING:
    from symsim.compiler.operator_times import Share

BEHIND = {
    ("forth", "forward"): ("experts", "backward"),
    ("forth", "backward"): ("experts", "forward"),
    ("back", "forward"): ("others", "backward"),
    ("back", "backward"): ("others", "forward"),
}
"""What runs in the partner while messages go (forth: tokens to their experts, back: results to their tokens)."""


def exchanges(operators: tuple[Operator, ...]) -> tuple[int, int] | None:
    """The positions of the operators that send tokens to their experts and back; none in a dense layer."""
    found = [k for k, o in enumerate(operators) if any(m.axis == "ep" for m in o.work["forward"].messages)]
    return (found[0], found[-1]) if len(found) > 1 else None


def hide_behind_partner(
    held: Held, shares: list[Share], hidden: dict[str, Expr], structure: Structure, ledger: Ledger
) -> list[Share]:
    """Shares of a unit whose messages of experts take what the partner's compute does not hide.

    The partner is a layer of the same kind. Messages among the ranks of an expert are part of its compute. Weight
    gradients of the experts run before gradients of tokens travel, or with ``delay_wgrad_compute`` while they do. What
    is hidden on a stage is added to ``hidden``, by turn.
    """
    bounds = exchanges(held.part.unit.operators)
    if bounds is None:
        return shares
    operators = held.part.unit.operators
    inside = {o.name for o in operators[bounds[0] + 1 : bounds[1]]}
    ways = {operators[bounds[0]].name: "forth", operators[bounds[1]].name: "back"}
    compute: dict[tuple[str, str], Expr] = {}
    for share in shares:
        if share.axis or share.turn == "recompute":
            continue
        part = "experts" if share.operator.name in inside else "others"
        late = part == "experts" and share.phase == "weight_grad" and bool(structure["delay_wgrad_compute"])
        key = (part, "forward" if late else share.turn)
        compute[key] = compute.get(key, Integer(0)) + share.time
    meanwhile = {}
    for (part, turn), time in compute.items():
        meaning = f"{part} of one {held.title} during the partner's messages, {turn}"
        meanwhile[part, turn] = ledger.define(f"during.{part}.{turn}{held.suffix}", time, meaning, "s", "time.layer")
    out: list[Share] = []
    for share in shares:
        way = ways.get(share.operator.name)
        if share.axis != "ep" or share.turn == "recompute" or way is None:
            out.append(share)
            continue
        left = overlapped(share.time, meanwhile.get(BEHIND[way, share.turn], Integer(0)), "link")
        spent = held.passed * (share.time - left)
        hidden[share.turn] = hidden.get(share.turn, Integer(0)) + spent
        out.append(replace(share, time=left))
    return out
