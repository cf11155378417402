"""The time of one collective: bytes over a rate, plus a delay, by axis and where its ranks lie.

Ranks are laid out tp fastest, then cp, dp, pp (experts: etp, ep, edp, pp). An axis whose ranks lie
within ``link.span`` GPUs uses the island's link; any other uses the network. A ring over several
islands crosses each with all the network cards of its ranks there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sympy import Expr, Integer, Symbol

from symsim.compiler.ledger import Ledger
from symsim.functions import at_most, less, maximum, minimum, table, where
from symsim.records.graph import Message
from symsim.symbols import symbol


@dataclass(frozen=True, slots=True)
class Axis:
    """``ranks`` GPUs, ``stride`` apart, within a stretch of ``span`` GPUs."""

    name: str
    ranks: Expr
    stride: Expr
    span: Expr


FAMILY: Mapping[str, str] = {"cp_a2a": "cp", "cp_ring": "cp"}
"""Parts of an axis, and the axis under which they are reported."""


def axes() -> Mapping[str, Axis]:
    tp, cp, ep, etp, pp = (symbol(n) for n in ("tp", "cp", "ep", "etp", "pp"))
    dp, edp, world = symbol("dp"), symbol("edp"), symbol("world")
    one, inner = Integer(1), symbol("cp_a2a")
    return {
        a.name: a
        for a in (
            Axis("tp", tp, one, tp),
            Axis("cp", cp, tp, tp * cp),
            Axis("cp_a2a", inner, tp, tp * inner),
            Axis("cp_ring", cp / inner, tp * inner, tp * cp),
            Axis("etp", etp, one, etp),
            Axis("ep", ep, etp, ep * etp),
            Axis("dp", dp * cp, tp, tp * cp * dp),
            Axis("edp", edp, ep * etp, ep * etp * edp),
            Axis("pp", Integer(2), world / pp, world),
        )
    }


_STEPS = {"all_reduce": 2, "all_gather": 1, "reduce_scatter": 1, "all_to_all": 1, "send_receive": 1}


def family(message: Message) -> str:
    """The axis under which a message is reported."""
    return FAMILY.get(message.axis, message.axis)


def sent_bytes(message: Message) -> Expr:
    """Bytes that each rank sends: of a full buffer of B bytes, B·(n − 1)/n in each pass of a ring.

    Source: NCCL, performance documentation (PERFORMANCE.md).
    """
    ranks = axes()[message.axis].ranks
    if message.collective == "send_receive":
        return message.bytes
    return _STEPS[message.collective] * message.bytes * (ranks - 1) / ranks


def message_time(message: Message, ledger: Ledger) -> Expr:
    """α–β time of one message, zero on a single rank. A send_receive goes from rank to rank."""
    axis = axes()[message.axis]
    rate, delay = _rate(axis, message.collective, ledger), _delay(axis, message.collective, ledger)
    if message.collective == "send_receive":
        return message.bytes / rate + delay
    return _STEPS[message.collective] * message.bytes * (axis.ranks - 1) / axis.ranks / rate + delay


def _figure(place: str, collective: str, what: str, span: Expr) -> Expr:
    """An efficiency or latency of the machine; measured ones depend on the ranks spanned."""
    return table(Symbol(f"{place}.{collective}.{what}"), span)


def _inside(axis: Axis) -> Expr:
    return at_most(axis.span, symbol("link.span"))


def _together(axis: Axis, ledger: Ledger) -> Expr:
    together = maximum(1, minimum(axis.ranks, symbol("link.span") / axis.stride))
    return ledger.define(f"together.{axis.name}", together, f"ranks of {axis.name} that share an island", "", "time")


def _rate(axis: Axis, collective: str, ledger: Ledger) -> Expr:
    inside = symbol("link.bandwidth") * _figure("link", collective, "efficiency", axis.span)
    outside = symbol("network.bandwidth") * _figure("network", collective, "efficiency", axis.span)
    if collective in ("all_reduce", "all_gather", "reduce_scatter"):
        outside = minimum(inside, outside * _together(axis, ledger))
    elif collective == "all_to_all":
        outside = minimum(
            inside, outside * maximum(axis.ranks - 1, 1) / maximum(axis.ranks - _together(axis, ledger), 1)
        )
    name = f"rate.{axis.name}.{collective}"
    meaning = f"rate of {collective} over {axis.name}"
    return ledger.define(name, where(_inside(axis), inside, outside), meaning, "B/s", "time")


def _delay(axis: Axis, collective: str, ledger: Ledger) -> Expr:
    inside = _figure("link", collective, "latency", axis.span)
    outside = _figure("network", collective, "latency", axis.span)
    fixed = where(
        _inside(axis),
        _figure("link", collective, "fixed", axis.span),
        _figure("network", collective, "fixed", axis.span),
    )
    if collective == "send_receive":
        delay = (axis.ranks - 1) * (where(_inside(axis), inside, outside) + fixed)
    else:
        islands = axis.ranks / _together(axis, ledger)
        hops = where(
            _inside(axis), inside * (axis.ranks - 1), outside * (islands - 1) + inside * (axis.ranks - islands)
        )
        delay = less(1, axis.ranks) * (_STEPS[collective] * hops + fixed)
    meaning = f"start-up of {collective} over {axis.name}"
    return ledger.define(f"delay.{axis.name}.{collective}", delay, meaning, "s", "time")
