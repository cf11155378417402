"""The time of one message: bytes over a rate, plus a delay, by axis and where its ranks lie.

Ranks are laid out tp fastest, then cp, dp, pp (experts: etp, ep, edp, pp). There are two tiers: an
axis whose ranks lie within ``link.span`` GPUs uses the island's link, any other uses the network as
well. An island holds as many whole ranks of an axis as fit; the islands are filled evenly, so of a
rack of 72 a job of eights uses what it can. docs/network.md says what each figure is fitted to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import sympy
from sympy import Expr, Integer, Symbol

from symsim.compiler.ledger import Ledger
from symsim.compiler.rounding import rounded_down, rounded_up
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


@cache
def axes() -> Mapping[str, Axis]:
    tp, cp, ep, etp, pp = (symbol(n) for n in ("tp", "cp", "ep", "etp", "pp"))
    dp, edp, world = symbol("dp"), symbol("edp"), symbol("world")
    one, inner = Integer(1), symbol("cp_a2a")
    whole = (
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
    return {a.name: a for a in (*whole, *(part for a in whole if a.name in SHARDED for part in _parts(a)))}


SHARDED = ("dp", "edp")
"""Axes over which shards may be spread over a part of the ranks."""


def _parts(axis: Axis) -> Iterator[Axis]:
    """The two ways to go where a set of shards is spread over a part of the ranks, which are neighbours: among those
    that share a set, and among those that hold the same shard.

    Source: PyTorch, torch/distributed/fsdp/_fully_shard (a mesh of replicas and shards, shards innermost);
    Megatron-Core, parallel_state.py (RankGenerator), for instances of the distributed optimizer.
    """
    for (within, across), shard in (
        (BY_SHARD, minimum(symbol("zero_shard"), axis.ranks)),
        (BY_INSTANCE, axis.ranks / symbol("num_distributed_optimizer_instances")),
    ):
        yield Axis(f"{axis.name}{within}", shard, axis.stride, axis.stride * shard)
        yield Axis(f"{axis.name}{across}", axis.ranks / shard, axis.stride * shard, axis.span)


BY_SHARD, BY_INSTANCE = ("_shard", "_replicas"), ("_instance", "_instances")
"""What the two parts of an axis are called, by the choice that makes them."""


_PASSES = {"all_reduce": 2, "all_gather": 1, "reduce_scatter": 1, "all_to_all": 1, "dispatch": 1, "send_receive": 1}
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
    """α–β time of one message, zero on a single rank; what it names is defined in the ledger."""
    spent, named = _priced(message)
    for definition in named:
        ledger.define(*definition)
    return spent


Named = tuple[str, Expr, str, str, str]
"""A definition: what :meth:`Ledger.define` takes."""


class _Names:
    """The definitions of one message, in the order in which they are made."""

    def __init__(self) -> None:
        self.made: dict[str, Named] = {}

    def define(self, name: str, expression: Any, meaning: str, unit: str, part: str) -> Expr:
        """As a ledger does it."""
        formula = sympy.sympify(expression)
        if formula.is_Number:
            return formula
        self.made.setdefault(name, (name, formula, meaning, unit, part))
        return symbol(name)


@lru_cache(maxsize=1024)
def _priced(message: Message) -> tuple[Expr, tuple[Named, ...]]:
    """Kept: the structure of a plan has no say in it, so variants of a model share it."""
    names = _Names()
    spent = _time_of(message, names)
    return spent, tuple(names.made.values())


def _time_of(message: Message, ledger: _Names) -> Expr:
    """α–β time of one message, zero on a single rank.

    An all-reduce takes the faster of its own way (a tree between islands; whatever was measured
    inside one) and of a reduce-scatter and an all-gather round the ring, as NCCL does by size. Until
    its pipeline of chunks is full, which takes ``fill``, a message moves at half its rate.
    """
    axis, collective, volume = axes()[message.axis], message.collective, sent_bytes(message)
    if message.copies is not None:
        return _Way(axis, "dispatch", ledger).dispatched(message.bytes, volume, message.copies)
    way = _Way(axis, collective, ledger)
    sending = volume / way.rate()
    spent = sending + way.delay()
    if collective == "all_reduce":
        halves = [_Way(axis, half, ledger) for half in ("reduce_scatter", "all_gather")]
        spent = minimum(spent, sympy.Add(*(volume / 2 / half.rate() + half.delay() for half in halves)))
    if collective in RING_COLLECTIVES:
        spent += minimum(sending, way.fill())
    return spent


RING_COLLECTIVES = ("all_reduce", "all_gather", "reduce_scatter")


@dataclass(frozen=True, slots=True)
class _Way:
    """One collective over one axis: its rate and its start-up, whatever is sent."""

    axis: Axis
    collective: str
    ledger: _Names

    def rate(self) -> Expr:
        inside = self._inside()
        outside = symbol("network.bandwidth") * self._figure("network", "efficiency")
        if self.collective != "send_receive":
            outside = minimum(inside, outside * self._cards() / self._crowd())
        return self._define("rate", self._either(inside, outside), f"rate of {self.collective} over", "B/s")

    def dispatched(self, size: Expr, volume: Expr, copies: Expr) -> Expr:
        """Two hops: a token crosses once to each island that wants it and spreads there by the link.

        Of the ``ranks`` that a token could go to, ``copies`` are drawn evenly, so that n(1 − (1 − 1/n)^copies) get it;
        likewise of the islands. Both hops run at once, and the longer counts.
        """

        def reached(places: Expr) -> Expr:
            return 1 - (1 - 1 / places) ** copies

        ranks, islands, name = self.axis.ranks, self._islands(), self.axis.name
        share = (islands - 1) * reached(islands) / (ranks * reached(ranks))
        meaning = f"share that crosses for {copies} copies, dispatch over {name}"
        crossing = size * self.ledger.define(f"crossing.{name}.{copies}", share, meaning, "", "time")
        card = symbol("network.bandwidth") * self._figure("network", "efficiency") / self._crowd()
        card = self._define("card", card, "rate of one card, dispatch over", "B/s")
        return maximum(volume / self._inside(), crossing / card) + self.delay()

    def delay(self) -> Expr:
        """Every step of a ring waits for its slowest hop; what was measured of a tree is all of its steps."""
        ranks, steps = self.axis.ranks, self.axis.ranks - 1
        inside, outside = (self._figure(tier, "latency") for tier in ("link", "network"))
        within = inside * steps
        match self.collective:
            case "all_reduce":
                across = outside
            case "all_to_all" | "dispatch":
                across = within + (outside - inside) * (ranks - self._together())
            case _:
                across = outside * steps
        passes = _PASSES[self.collective]
        calls = steps if self.collective == "send_receive" else Integer(1)
        delay = self._either(
            passes * within + calls * self._figure("link", "fixed"),
            passes * across + calls * self._figure("network", "fixed"),
        )
        return self._define("delay", less(1, ranks) * delay, f"start-up of {self.collective} over", "s")

    def fill(self) -> Expr:
        fill = self._either(*(self._figure(tier, "fill") for tier in ("link", "network")))
        return self._define("fill", fill, f"until chunks fill the pipeline of {self.collective} over", "s")

    def _figure(self, tier: str, what: str) -> Expr:
        """A figure of the machine; measured ones depend on the ranks spanned."""
        return table(Symbol(f"{tier}.{self.collective}.{what}"), self._span())

    def _either(self, inside: Expr, outside: Expr) -> Expr:
        return where(at_most(self._span(), symbol("link.span")), inside, outside)

    def _define(self, what: str, expression: Expr, meaning: str, unit: str) -> Expr:
        name = f"{what}.{self.axis.name}.{self.collective}"
        return self.ledger.define(name, expression, f"{meaning} {self.axis.name}", unit, "time")

    def _of_axis(self, what: str, expression: Expr, meaning: str) -> Expr:
        """Where the ranks of the axis lie, the same for every collective; a name of one symbol needs no other."""
        if expression.is_Symbol:
            return expression
        return self.ledger.define(f"{what}.{self.axis.name}", expression, meaning, "", "time")

    def _span(self) -> Expr:
        return self._of_axis("span", self.axis.span, f"GPUs that {self.axis.name} spans")

    def _islands(self) -> Expr:
        fit = maximum(1, rounded_down(symbol("link.span") / self.axis.stride))
        return self._of_axis("islands", rounded_up(self.axis.ranks / fit), f"islands of {self.axis.name}")

    def _together(self) -> Expr:
        """Where ranks do not divide evenly, the island with the fewest sets the pace."""
        together = rounded_down(self.axis.ranks / self._islands())
        return self._of_axis("together", together, f"ranks of {self.axis.name} that share an island")

    def _neighbouring_groups(self) -> Expr:
        if self.axis.stride == 1:
            return Integer(0)
        neighbouring = minimum(self.axis.stride, symbol("link.span")) - 1
        return self._of_axis("neighbours", neighbouring, f"groups of {self.axis.name} next to one in an island")

    def _inside(self) -> Expr:
        """The rate within an island; groups side by side slow down as far as they use the same wires."""
        efficiency, ranks = self._figure("link", "efficiency"), self.axis.ranks
        if self.collective == "all_reduce":
            # A switch that adds up takes a buffer from each GPU once; a ring moves 2·(n − 1)/n of it.
            efficiency = maximum(efficiency, symbol("link.sharp") * 2 * (ranks - 1) / ranks)
        sharing = 1 + table(Symbol(f"link.{self.collective}.shared"), ranks) * self._neighbouring_groups()
        rate = symbol("link.bandwidth") * efficiency / sharing
        return self._define("island", rate, f"rate of {self.collective} within an island, over", "B/s")

    def _cards(self) -> Expr:
        """Network cards that carry what one rank sends.

        A ring enters and leaves an island by the cards of all its ranks there. Of an all-to-all only what is for
        other islands leaves, each rank by its own card. A tree of two islands crosses once instead of twice.
        """
        ranks, together = self.axis.ranks, self._together()
        match self.collective:
            case "all_to_all":
                return maximum(ranks - 1, 1) / maximum(ranks - together, 1)
            case "all_reduce":
                return together * maximum(1, 2 / maximum(self._islands() - 1, 1))
        return together

    def _crowd(self) -> Expr:
        """How much slower the fabric is as more islands meet in it."""
        return self._islands() ** table(Symbol(f"network.{self.collective}.contention"), self._span())
