"""The closed forms of what is in flight are what the passes of each schedule, run one by one, hold."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest

from symsim.compiler.in_flight import holdings
from symsim.compiler.ledger import Ledger, free_names
from symsim.emit.code import Compiled, compile_scalar
from symsim.emit.program import assemble
from symsim.loading.plan import structure_of
from symsim.records.cost import CostModel
from symsim.records.strategy import CHOICES
from symsim.simulator.events import events_of
from symsim.simulator.held import held_while_running
from symsim.simulator.orders import ORDERS, dualpipe, interleaved, orders_of, zb_v
from symsim.simulator.passes import Order

pytestmark = pytest.mark.slow

RANKS = range(1, 9)
PARTS = ("late", "embedding", "head", "comes")


class Form:
    """The holdings of one schedule as a function of p, m and the size of a group."""

    def __init__(self, schedule: str, vp: int = 1, chunks: int = 1, grouped: bool = False) -> None:
        chosen = {"schedule": schedule, "vp": vp, "microbatch_group": 10**6 if grouped else None}
        structure = structure_of({n: chosen.get(n, c.default) for n, c in CHOICES.items()})
        ledger = Ledger()
        self.chunks = chunks
        self.moments = holdings(chunks, structure, ledger)
        self.vp = vp
        for k, moment in enumerate(self.moments):
            for c, amount in enumerate(moment.saved):
                ledger.define(f"{k}.{c}", amount, "", "", "memory")
            for part in PARTS:
                ledger.define(f"{k}.{part}", getattr(moment, part), "", "", "memory")
        program = assemble(CostModel("", ledger.definitions, (), (*{"pp", *free_names(ledger.definitions)},)))
        wanted = [n for n in program.outputs if n[0].isdigit()]
        self.names = wanted
        self.compiled: Compiled = compile_scalar(program, [program.outputs[n].register for n in wanted])

    def at(self, p: int, m: int, group: int | None = None) -> list[dict[str, Any]]:
        """For each rank, every amount by its name."""
        given = {"pp": p, "m": m, "vp": self.vp, "microbatch_group": group}
        found = self.compiled.run([given[n] for n in self.compiled.inputs], lambda *_: 0)
        spread = [v if isinstance(v, list) else [v] * p for v in found]
        return [{n: v[i] for n, v in zip(self.names, spread, strict=True)} for i in range(p)]

    def most(self, amounts: dict[str, Any], saved: tuple[int, ...], late: int = 0) -> int:
        """Bytes at the fullest of the moments."""
        return max(
            amounts[f"{k}.comes"] * sum(amounts[f"{k}.{c}"] * size for c, size in enumerate(saved))
            + amounts[f"{k}.late"] * late
            for k in range(len(self.moments))
        )


def simulated(order: Order, saved: tuple[int, ...], late: tuple[int, ...]) -> int:
    """Bytes at the fullest pass."""
    return max(
        sum(n * size for n, size in zip(held, saved, strict=True))
        + sum(n * size for n, size in zip(waiting, late, strict=True))
        for held, waiting in held_while_running(order, len(saved))
    )


def sizes(chunks: int) -> Iterator[tuple[int, ...]]:
    """What chunks save: all alike, each alone, and at random."""
    yield (1,) * chunks
    for c in range(chunks):
        yield tuple(int(c == k) for k in range(chunks))
    draw = random.Random(chunks)
    for _ in range(4):
        yield tuple(draw.choice((0, 1, 2, 5, 10, 11, 12)) for _ in range(chunks))


@pytest.mark.parametrize("schedule", ["1f1b", "gpipe"])
def test_one_chunk(schedule: str) -> None:
    form = Form(schedule)
    for p in RANKS:
        for m in range(1, 4 * p + 2):
            for i, found in enumerate(form.at(p, m)):
                order = ORDERS[schedule](p, i, m)
                assert form.most(found, (1,)) == simulated(order, (1,), (0,)), (p, i, m)


@pytest.mark.parametrize("schedule", ["zb_h1", "zb_h2"])
def test_weight_gradients_run_late(schedule: str) -> None:
    form = Form(schedule)
    for p in RANKS:
        for m in range(1, 4 * p + 2):
            for i, found in enumerate(form.at(p, m)):
                order = ORDERS[schedule](p, i, m)
                for saved, late in ((10, 0), (10, 9), (10, 10), (10, 13), (1, 40)):
                    assert form.most(found, (saved,), late) == simulated(order, (saved,), (late,)), (p, i, m)


def test_zb_v() -> None:
    """What waits for its weight gradient is at most what was saved."""
    form = Form("zb_v", chunks=2)
    for p in RANKS:
        for m in range(1, 4 * p + 2):
            for i, found in enumerate(form.at(p, m)):
                order = zb_v(p, i, m)
                for saved in sizes(2):
                    for late in ((0, 0), saved):
                        assert form.most(found, saved) == simulated(order, saved, late), (p, i, m, saved)


def test_dualpipe() -> None:
    form = Form("dualpipe", chunks=2)
    for p in RANKS[1::2]:
        for m in range(2 * p, 6 * p, 2):
            for i, found in enumerate(form.at(p, m)):
                order = dualpipe(p, i, m)
                for saved in sizes(2):
                    for late in ((0, 0), saved):
                        assert form.most(found, saved) == simulated(order, saved, late), (p, i, m, saved)


def interleavings(vp: int) -> Iterator[tuple[int, int, int]]:
    """Ranks, micro-batches and groups that the schedule takes."""
    for p in RANKS[1:]:
        for group in sorted({p, p + 1, p + 2, 2 * p - 1, 2 * p, 2 * p + 3}):
            for m in (*range(group, 2 * group + 2), 3 * group - 1, 3 * group, 4 * group + p):
                rest = m % group
                if rest == 0 or rest >= p:
                    yield p, m, group


@pytest.mark.parametrize("vp", [2, 3, 4])
def test_interleaved_chunks_that_are_alike(vp: int) -> None:
    """What all chunks save, and beside it what only the first, or only the last, has."""
    plain, grouped = Form("interleaved", vp), Form("interleaved", vp, grouped=True)
    for p, m, group in interleavings(vp):
        ranks = grouped.at(p, m, group)
        assert group != p or [{n: r[n] for n in r} for r in plain.at(p, m)] == ranks
        for i, found in enumerate(ranks):
            order = interleaved(p, i, m, vp, group)
            each = 10**6
            alike = (each,) * vp
            assert found["0.0"] * vp * each == simulated(order, alike, (0,) * vp), (p, i, m, group)
            if i == 0:
                first = simulated(order, (each + 1, *alike[1:]), (0,) * vp) % each
                assert found["0.embedding"] == first, (p, m, group)
            if i == p - 1:
                assert found["0.head"] == simulated(order, (*alike[1:], each + 1), (0,) * vp) % each, (p, m, group)


@pytest.mark.parametrize("vp", [2, 3, 4])
def test_interleaved_chunks_that_differ(vp: int) -> None:
    form = Form("interleaved", vp, vp, grouped=True)
    for p, m, group in interleavings(vp):
        for i, found in enumerate(form.at(p, m, group)):
            order = interleaved(p, i, m, vp, group)
            for saved in sizes(vp):
                assert form.most(found, saved) == simulated(order, saved, (0,) * vp), (p, i, m, group, saved)


@pytest.mark.parametrize("schedule", ["1f1b", "gpipe", "zb_h1", "zb_h2", "zb_v", "dualpipe"])
def test_ranks_that_run_these_orders_come_to_their_end(schedule: str) -> None:
    """The orders are possible: no rank waits for ever."""
    for p in RANKS[1::2] if schedule == "dualpipe" else RANKS:
        for m in range(2 * p, 4 * p, 2) if schedule == "dualpipe" else range(1, 3 * p):
            assert events_of(orders_of(schedule, p, m), schedule).events


@pytest.mark.parametrize("vp", [2, 3, 4])
def test_interleaved_ranks_come_to_their_end(vp: int) -> None:
    for p, m, group in islice(interleavings(vp), 0, None, 5):
        orders = orders_of("interleaved", p, m, vp, group)
        assert events_of(orders, "interleaved").events
        assert events_of(orders, "interleaved", blocking=True).events


def test_the_first_stage_of_korthikanti() -> None:
    """Interleaved 1F1B holds L·(1 + (p − 1)/(p·v)) layers on the first stage."""
    for p in RANKS[1:]:
        for v in (2, 3, 4):
            layers = p * v * 5
            found = Form("interleaved", v).at(p, 4 * p)[0]["0.0"]
            assert found * layers / p == pytest.approx(layers * (1 + (p - 1) / (p * v)))
