"""What waits for what in a pipelined step."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.simulator.events import DeadlockError, events_of
from symsim.simulator.held import bytes_of_passes
from symsim.simulator.orders import orders_of
from symsim.simulator.passes import Pass
from symsim.simulator.run import Run, run

UNITS = {"F": 1.0, "B": 2.0, "W": 1.0}


def ran(schedule: str, p: int, m: int, blocking: bool = False, hop: float = 0.0, vp: int = 1) -> Run:
    chunks = 2 if schedule in ("zb_v", "dualpipe") else vp
    times: Any = {kind: [[t] * chunks] * p for kind, t in UNITS.items()}
    return run(events_of(orders_of(schedule, p, m, vp), schedule, blocking), times, hop)


def at(found: Run, kind: str, rank: int, micro_batch: int, chunk: int = 0) -> tuple[float, float]:
    for event, start, end in zip(found.events, found.starts, found.ends, strict=True):
        if (event.kind, event.rank, event.micro_batch, event.chunk) == (kind, rank, micro_batch, chunk):
            return start, end
    raise AssertionError(f"{kind} {micro_batch} never runs on rank {rank}")


def test_a_forward_pass_waits_for_the_message_of_the_rank_before() -> None:
    assert at(ran("1f1b", 2, 1, hop=0.5), "F", 1, 0) == (1.5, 2.5)


def test_an_overlapped_message_leaves_its_rank_free() -> None:
    assert at(ran("1f1b", 2, 2, hop=0.5), "F", 0, 1) == (1.0, 2.0)


def test_a_blocking_message_keeps_its_rank_until_it_is_there() -> None:
    assert at(ran("1f1b", 2, 2, blocking=True, hop=0.5), "F", 0, 1) == (1.5, 2.5)


def test_a_blocking_message_waits_for_the_rank_that_takes_it() -> None:
    """Rank 1 still runs micro-batch 0 forward and backward when rank 0 has micro-batch 1 ready."""
    found = ran("gpipe", 3, 3, blocking=True, hop=0.5)
    sent = [(e.rank, e.micro_batch, s) for e, s in zip(found.events, found.starts, strict=True) if e.kind == "send"]
    ready = at(found, "F", 0, 1)[1]
    assert min(s for rank, one, s in sent if (rank, one) == (0, 1)) > ready


def test_1f1b_meets_a_neighbour_once_for_a_forward_and_a_backward_pass() -> None:
    """A rank in the middle takes F + B + 2 hops for a micro-batch."""
    found = ran("1f1b", 3, 20, blocking=True, hop=0.5)
    assert at(found, "B", 1, 12)[1] - at(found, "B", 1, 11)[1] == 3 + 2 * 0.5


def test_interleaving_meets_both_neighbours_at_once() -> None:
    found = ran("interleaved", 4, 16, blocking=True, hop=0.5, vp=2)
    last = [at(found, "B", 1, one, chunk=0)[1] for one in (5, 6)]
    assert last[1] - last[0] == 3 + 0.5


def test_no_message_to_oneself() -> None:
    """The last rank of ZB-V has both stages of the turn."""
    found = ran("zb_v", 2, 3, hop=0.5)
    assert at(found, "F", 1, 0, chunk=1)[0] == at(found, "F", 1, 0)[1]


def test_ranks_that_wait_for_each_other_are_found() -> None:
    orders = [[Pass("B", 0, 0), Pass("F", 0, 0)], [Pass("F", 0, 0), Pass("B", 0, 0)]]
    with pytest.raises(DeadlockError, match="1f1b: 6 passes and messages never run"):
        events_of(orders, "1f1b")


def test_bytes_of_passes() -> None:
    order = [Pass("F", 0, 0), Pass("F", 1, 0), Pass("B", 1, 0), Pass("W", 1, 0), Pass("B", 0, 0), Pass("W", 0, 0)]
    assert bytes_of_passes(order, (10, 4), (7, 1)) == [(10, 10), (14, 14), (14, 11), (11, 10), (10, 7), (7, 0)]
    assert bytes_of_passes(order[:3], (10, 4), (7, 1))[-1] == (14, 10)
