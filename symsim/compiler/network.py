"""The time of one message: bytes over a rate, plus a delay, by axis and where its ranks lie.

Ranks are laid out tp fastest, then cp, dp, pp (experts: etp, ep, edp, pp). There are two tiers: an
axis whose ranks lie within ``link.span`` GPUs uses the island's link, any other uses the network as
well. An island holds as many whole ranks of an axis as fit; the islands are filled evenly, so of a
rack of 72 a job of eights uses what it can. docs/network.md says what each figure is fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import sympy
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


_PASSES = {"all_reduce": 2, "all_gather": 1, "reduce_scatter": 1, "all_to_all": 1, "send_receive": 1}
"""Times that a buffer travels round the ring (of an all-to-all: that it is sent)."""


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
    return _PASSES[message.collective] * message.bytes * (ranks - 1) / ranks


def message_time(message: Message, ledger: Ledger) -> Expr:
    """α–β time of one message, zero on a single rank.

    An all-reduce is either of its own kind (a tree between islands, and whatever was measured inside
    one) or a reduce-scatter and an all-gather round the ring; NCCL takes the faster by size.
    """
    axis, collective = axes()[message.axis], message.collective
    if collective != "all_reduce":
        return _Lane(axis, collective, ledger).time(sent_bytes(message))
    own = _Lane(axis, collective, ledger).time(sent_bytes(message))
    ring = [_Lane(axis, half, ledger).time(sent_bytes(message) / 2) for half in ("reduce_scatter", "all_gather")]
    return minimum(own, sympy.Add(*ring))


@dataclass(frozen=True, slots=True)
class _Lane:
    """One collective over one axis: its rate and its start-up, whatever is sent."""

    axis: Axis
    collective: str
    ledger: Ledger

    def time(self, volume: Expr) -> Expr:
        """``volume`` is what each rank sends. A pipeline of chunks fills up until it is long enough."""
        return volume / self._rate() + self._delay()

    def _figure(self, tier: str, what: str) -> Expr:
        """An efficiency or latency of the machine; measured ones depend on the ranks spanned."""
        return table(Symbol(f"{tier}.{self.collective}.{what}"), self.axis.span)

    def _either(self, inside: Expr, outside: Expr) -> Expr:
        return where(at_most(self.axis.span, symbol("link.span")), inside, outside)

    def _together(self) -> Expr:
        """Ranks of the axis on one island."""
        fit = maximum(1, sympy.floor(symbol("link.span") / self.axis.stride))
        together = self.axis.ranks / sympy.ceiling(self.axis.ranks / fit)
        name = self.axis.name
        return self.ledger.define(f"together.{name}", together, f"ranks of {name} that share an island", "", "time")

    def _sharing(self) -> Expr:
        """Groups side by side in an island, as far as they use the same wires there."""
        beside = minimum(self.axis.stride, symbol("link.span")) - 1
        return 1 + table(Symbol(f"link.{self.collective}.shared"), self.axis.ranks) * beside

    def _rate(self) -> Expr:
        axis, ranks = self.axis, self.axis.ranks
        inside = symbol("link.bandwidth") * self._figure("link", "efficiency")
        outside = symbol("network.bandwidth") * self._figure("network", "efficiency")
        if self.collective == "send_receive":
            rate = self._either(inside / self._sharing(), outside)
        else:
            together = self._together()
            inside = inside / self._sharing()
            if self.collective == "all_to_all":
                cards = (ranks - 1) / maximum(ranks - together, 1)
            else:
                cards = together
            rate = self._either(inside, minimum(inside, outside * cards))
        meaning = f"rate of {self.collective} over {axis.name}"
        return self.ledger.define(f"rate.{axis.name}.{self.collective}", rate, meaning, "B/s", "time")

    def _delay(self) -> Expr:
        axis, others = self.axis, self.axis.ranks - 1
        inside, outside = self._figure("link", "latency"), self._figure("network", "latency")
        fixed = self._either(self._figure("link", "fixed"), self._figure("network", "fixed"))
        if self.collective == "send_receive":
            delay = others * (self._either(inside, outside) + fixed)
        else:
            together = self._together()
            islands = axis.ranks / together
            hops = self._either(inside * others, outside * (islands - 1) + inside * (axis.ranks - islands))
            delay = less(1, axis.ranks) * (_PASSES[self.collective] * hops + fixed)
        meaning = f"start-up of {self.collective} over {axis.name}"
        return self.ledger.define(f"delay.{axis.name}.{self.collective}", delay, meaning, "s", "time")
