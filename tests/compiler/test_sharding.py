"""ZeRO and FSDP: shards, what is whole only for a moment, and the messages of a step."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.compiler.pipeline import compile_cost
from symsim.loading.question import question
from symsim.symbols import symbol
from tests.compiler.asking import PLAN, SMALL, values

LAYER = 512 * 1024 + 512 * 512 + 512 * 2048 + 1024 * 512 + 2 * 512
RANKS = 8
WITHOUT_RANKS = "tp=4,pp=2"
"""On 8 GPUs: no data parallelism is left."""


def test_stages_shard_optimizer_gradients_and_weights_in_turn() -> None:
    none = values("zero=0")
    for stage, sharded in enumerate(
        [(), ("optimizer",), ("optimizer", "gradients"), ("optimizer", "gradients", "weights")]
    ):
        found = values(f"zero={stage}")
        for name in ("weights", "gradients", "optimizer"):
            assert found[name] == none[name] / (RANKS if name in sharded else 1)


def test_stage_3_gathers_the_layer_that_runs() -> None:
    assert values("zero=3")["gathered"] == 2 * LAYER
    assert values("zero=3,overlap_param_gather=true")["gathered"] == 2 * 2 * LAYER


def test_gradients_of_the_layer_that_runs_backward_are_whole() -> None:
    for stage in (2, 3):
        assert values(f"zero={stage}")["reducing"] == 4 * LAYER
        assert values(f"zero={stage},overlap_grad_reduce=true")["reducing"] == 2 * 4 * LAYER
    assert "reducing" not in values("zero=1")


def test_the_worst_moment_has_the_gathered_layer_and_its_gradients() -> None:
    """The worst moment of a layer is a backward one here, and stays the same."""
    plain, sharded = values("zero=1"), values("zero=3")
    assert sharded["w"] == plain["w"] + sharded["reducing"]
    assert sharded["rise"] - plain["rise"] == sharded["reducing"] + sharded["gathered"]


@pytest.mark.parametrize("stage", [1, 2, 3])
def test_one_rank_shards_and_gathers_nothing(stage: int) -> None:
    assert values(f"zero={stage},{WITHOUT_RANKS}")["peak"] == values(f"zero=0,{WITHOUT_RANKS}")["peak"]


def test_stage_3_gathers_weights_of_each_micro_batch_forward_and_backward() -> None:
    once, each = values("zero=1"), values("zero=3")
    assert once["m"] == each["m"] == 8
    assert each["sent.dp.parameters"] == 2 * each["m"] * once["sent.dp.parameters"]
    assert values("zero=2")["sent.dp.parameters"] == once["sent.dp.parameters"]


def test_from_stage_2_on_gradients_are_reduced_in_each_micro_batch() -> None:
    once = values("zero=1")["sent.dp.gradients"]
    assert once == 4 * values("")["P"] * (RANKS - 1) / RANKS
    assert [values(f"zero={stage}")["sent.dp.gradients"] for stage in (2, 3)] == [8 * once, 8 * once]


def test_hybrid_shards_reduce_over_their_replicas_once_more() -> None:
    """Shards over 4 of 8 ranks: a reduce-scatter over 4, an all-reduce of the shard over 2."""
    found = values("zero=1,zero_shard=4")
    gradients = 4 * found["P"]
    assert found["sent.dp.gradients"] == gradients * 3 / 4 + 2 * (gradients / 4) * 1 / 2
    assert found["sent.dp.parameters"] == 2 * found["P"] * 3 / 4


def test_quantised_copies_are_made_anew_of_gathered_weights() -> None:
    found = values("zero=3,precision=mxfp8")
    assert found["weights"] == 2 * found["P"] / RANKS
    matrices = LAYER - 2 * 512
    assert found["gathered"] == 2 * LAYER + 2 * 33 / 32 * matrices


@pytest.mark.parametrize("choices", ["", "overlap_param_gather=true,overlap_grad_reduce=true", "precision=fp8", "pp=2"])
def test_more_sharding_never_raises_the_peak_but_by_what_is_whole_for_a_moment(choices: str) -> None:
    plans = [values(f"zero={stage},{choices}") for stage in range(4)]
    for less, more in pairwise(plans):
        whole = sum(amount for name, amount in more.items() if name.startswith(("gathered", "reducing")))
        assert more["memory.peak"] <= less["memory.peak"] + whole


def test_messages_of_its_units_are_those_of_a_micro_batch() -> None:
    asked = question(SMALL, f"world={RANKS},{PLAN},zero=3", None)
    cost = compile_cost(asked.model, asked.plan.structure, details=True)
    formulas = {d.name: d.expression for d in cost.definitions}
    known = {symbol(n): v for n, v in values("zero=3").items() if n not in formulas or n in ("dp", "V")}
    known |= {symbol("tp"): 1, symbol("cp"): 1, symbol("V"): 1024}
    for what in ("gradients", "parameters"):
        layers = 4 * formulas[f"sent.dp.{what}.one"]
        ends = formulas[f"sent.dp.{what}.one_embedding"] + formulas[f"sent.dp.{what}.one_head"]
        assert (layers + ends).subs(known) * 8 == values("zero=3")[f"sent.dp.{what}"]


def test_weights_that_are_gathered_anew_keep_no_quantised_copy() -> None:
    """With zero = 3 each micro-batch gathers bf16 weights; with zero = 1 the copies of fp8 stay beside them."""
    assert values("precision=fp8,zero=3")["weights"] == values("zero=3")["weights"]
    assert values("precision=fp8,zero=1")["weights"] > values("zero=1")["weights"]


def test_shards_of_neighbours_are_gathered_within_an_island() -> None:
    """Eight ranks of one box share a set: weights come over NVLink, gradients of a shard cross the network."""
    names = ("gather", "reduce", "rate.dp_shard.all_gather", "rate.dp_replicas.all_reduce")
    asked = question(SMALL, f"world=64,{PLAN},zero=1,zero_shard=8", "h100_sxm")
    found = dict(answer(asked.model, asked.plan, machine_of(asked)).values)
    gather, reduce, inside, outside = (one(found[name]) for name in names)
    assert inside > 5 * outside
    assert 2 * one(found["P"]) * 7 / 8 / inside < gather < 2 * one(found["P"]) * 7 / 8 / outside
    assert reduce > 4 * one(found["P"]) / 8 * 2 * 7 / 8 / outside


def one(value: Any) -> float:
    """A number of a run, or of its one stage."""
    return float(value[0] if isinstance(value, list) else value)
