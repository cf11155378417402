"""The same amounts, opened up by operator: parameters, saved bytes, FLOPs and bytes sent of each."""

from __future__ import annotations

import sympy

from symsim.compiler.ledger import Ledger
from symsim.compiler.network import family, sent_bytes
from symsim.compiler.sharding import unit_volumes
from symsim.compiler.simplify import Terms, tidy, total
from symsim.compiler.units import Held
from symsim.records.graph import PHASES
from symsim.records.strategy import Structure


def details(units: tuple[Held, ...], structure: Structure, ledger: Ledger) -> None:
    """Definitions ``params@attention.qkv``, ``saved@…``, ``flops@…``, ``sent.tp@…``.

    Over the operators of a unit, the saved ones add up to A, the FLOPs to ``flops.one``, the
    parameters to ``params.one`` and the bytes sent to ``sent.tp.one``.
    """
    for held in units:
        _of_unit(held, ledger)
        for name, volume, meaning in unit_volumes(held, structure, ledger):
            ledger.define(name, volume, meaning, "bytes", "communication")
    for held in units:
        saved = saved_by_operator(held)
        for operator in held.part.unit.operators:
            name, kind = operator_name(held, operator.name), operator.kind
            phases = [operator.work[p] for p in PHASES]
            if operator in held.phased.replayed:
                phases.append(operator.work["forward"])
            own_saved = saved.get(name, {})
            flops = total(k.flops for w in phases for k in w.kernels)
            parts = (
                ("params", total(w.elements for w in operator.weights), f"parameters of {kind}", "elements", "params"),
                ("saved", own_saved, f"saved, first needed by {kind}", "bytes", "memory"),
                ("flops", flops, f"{kind}, all phases", "FLOP", "flops"),
            )
            for what, amount, meaning, unit, part in parts:
                if amount:
                    ledger.define(f"{what}@{name}", tidy(amount), meaning, unit, f"{part}.operator")
            for axis in ("tp", "cp", "ep", "etp"):
                sent = total(sent_bytes(m) for w in phases for m in w.messages if family(m) == axis)
                if sent:
                    meaning = f"sent over {axis} by {kind}"
                    ledger.define(f"sent.{axis}@{name}", tidy(sent), meaning, "bytes", "communication.operator")


def saved_by_operator(held: Held) -> dict[str, Terms]:
    """Bytes that one unit saves for one micro-batch, by the operator that first needs them."""
    saved: dict[str, list[sympy.Expr]] = {}
    for tensor in held.phased.kept:
        saved.setdefault(operator_name(held, held.phased.holder[tensor]), []).append(tensor.bytes)
    return {name: total(amounts) for name, amounts in saved.items()}


def operator_name(held: Held, operator: str) -> str:
    """An operator as it is written after ``saved@``."""
    again = held.phased.recomputed and held.part.count != held.part.recomputed
    return f"recomputed.{held.qualified(operator)}" if again else held.qualified(operator)


def _of_unit(held: Held, ledger: Ledger) -> None:
    """``params.one`` and ``sent.tp.one``: of one layer, or of the embedding or head."""
    operators = held.part.unit.operators
    weights = total(w.elements for o in operators for w in o.weights)
    if weights:
        ledger.define(
            f"params.one{held.suffix}", tidy(weights), f"parameters of one {held.title}", "elements", "params"
        )
    for axis in ("tp", "cp", "ep", "etp"):
        sent = total(sent_bytes(m) for w in held.works for m in w.messages if family(m) == axis)
        if sent:
            meaning = f"sent over {axis} by one {held.title} for one micro-batch"
            ledger.define(f"sent.{axis}.one{held.suffix}", tidy(sent), meaning, "bytes", "communication")
