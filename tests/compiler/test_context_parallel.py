"""Exchanges of context parallelism: what they hold and send. Source: TransformerEngine, context_parallel.py."""

from __future__ import annotations

import pytest

from tests.compiler.asking import TOKENS, values

CP = 4
QUERIES, KEYS, HEADS = 512, 256, 8
TOKEN = TOKENS // CP


def workspace(choices: str, phase: str) -> float:
    """What core attention allocates beside its tensors, as the difference to a plan that allocates nothing."""
    return values(f"cp={CP},{choices}")[f"w.attention.context.o.{phase}"]


@pytest.mark.parametrize("name", ["A", "sent.cp", "peak"])
def test_a_hybrid_is_all_to_all_inside_one_group_and_a_ring_of_groups_of_one(name: str) -> None:
    assert values(f"cp={CP},cp_comm=a2a_ring,cp_a2a={CP}")[name] == values(f"cp={CP},cp_comm=a2a")[name]
    assert values(f"cp={CP},cp_comm=a2a_ring,cp_a2a=1")[name] == values(f"cp={CP},cp_comm=ring")[name]


def test_a_hybrid_sends_heads_inside_a_group_and_keys_and_values_around_the_ring() -> None:
    """Forward and backward: q, k, v, o over 2 ranks, then k, v (and their gradients) over one hop of 2."""
    found = values(f"cp={CP},cp_comm=a2a_ring,cp_a2a=2")
    heads = 2 * (QUERIES + 2 * KEYS + QUERIES) * TOKEN / 2
    hop = 2 * 2 * KEYS * TOKEN
    assert found["sent.cp"] == 4 * (2 * heads + hop + 2 * hop)


def test_a_ring_keeps_what_each_step_received_and_gave() -> None:
    step = TOKEN * (2 * 2 * KEYS + 2 * QUERIES + 4 * HEADS)
    found = values(f"cp={CP},cp_comm=ring")
    assert found["w.attention.context.o.forward"] + found["A"] - _alive_forward() == CP * step


def _alive_forward() -> float:
    """Kept and made by the time core attention runs: the stream, the qkv input, q, k, v, output, log-sum-exp."""
    return TOKEN * (2 * 512 + 2 * 512 + 2 * (QUERIES + 2 * KEYS) + 2 * QUERIES + 4 * HEADS)


def test_an_all_gather_keeps_its_output_twice() -> None:
    plain = values(f"cp={CP},cp_comm=ring")["A"]
    assert values(f"cp={CP},cp_comm=all_gather")["A"] == plain + TOKEN * 2 * QUERIES


@pytest.mark.parametrize("exchange", ["ring", "all_gather", "a2a"])
def test_one_rank_exchanges_nothing(exchange: str) -> None:
    assert values(f"cp_comm={exchange}")["peak"] == values("cp_comm=a2a")["peak"]
    assert values(f"cp_comm={exchange}").get("sent.cp", 0) == 0
