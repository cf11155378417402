"""Optimizer states of whole parameters, dealt out to ranks: the fullest rank has what Megatron's dealing gives it."""

from __future__ import annotations

import random
from collections.abc import Sequence

import pytest

from symsim.analysis.evaluate import answer
from symsim.diagnostics import InputError
from symsim.loading.question import question

DEALT = "optimizer=muon,use_layer_wise_distributed_optimizer=true"
MOE = "moe(hidden=1024,layers=8,heads=16,kv_heads=4,head_dim=64,experts=8,topk=2,expert_ffn=3584,vocab=32000)"

FULLEST = {
    ("qwen3_8b", "world=64"): [8004879872],
    ("qwen3_8b", "world=8"): [14581954048],
    ("qwen3_8b", "world=32,tp=2"): [5683486208],
    ("qwen3_8b", "world=128,tp=4,pp=4"): [2338425856, 503419392, 503419392, 2288094208],
    ("qwen3_8b", "world=6,pp=2"): [16729589760, 16729589760],
    ("qwen3_8b", "world=500"): [7467958272],
    (MOE, "world=16,ep=4"): [745615360],
    (MOE, "world=64,tp=2,ep=4,pp=2"): [284753920, 284753920],
    (MOE, "world=32,tp=4,ep=2,etp=2"): [280584192],
    (MOE, "world=24,ep=8"): [598749184],
    (MOE, "world=48,tp=2,ep=4,etp=2,pp=2"): [299380736, 299380736],
}
"""Bytes on the fullest rank of each stage, counted with LayerWiseDistributedOptimizer.shard_params of megatron-core
0.16.1 on every rank: 8 for each element of a matrix of a layer, 12 for any other."""


def optimizer(model: str, choices: str) -> list[float]:
    asked = question(model, f"{choices},seq=4096,microbatches=8,{DEALT}", None)
    return [float(v) for v in answer(asked.model, asked.plan, None).of_stage("optimizer")]


@pytest.mark.parametrize(("model", "choices"), FULLEST)
def test_the_fullest_rank_is_megatrons(model: str, choices: str) -> None:
    assert optimizer(model, choices) == FULLEST[model, choices]


def dealing(sizes: Sequence[tuple[int, int]], ranks: int) -> list[int]:
    """Bytes of each rank, of parameters with (elements, bytes), dealt one by one."""
    there_and_back = [*range(ranks), *reversed(range(ranks))]
    held = [0] * ranks
    for place, (_, amount) in enumerate(sorted(sizes, key=lambda one: one[0])):
        held[there_and_back[place % len(there_and_back)]] += amount
    return held


@pytest.mark.parametrize("seed", range(12))
def test_any_number_of_ranks_and_layers(seed: int) -> None:
    draw = random.Random(seed)
    ranks, layers, tp = draw.choice((1, 2, 3, 5, 7, 16, 40, 130)), draw.randint(1, 20), draw.choice((1, 2))
    hidden, ffn, vocab = 256, draw.choice((256, 512, 1024)), 128 * draw.choice((2, 8, 64))
    model = f"llama(hidden={hidden},layers={layers},heads=4,kv_heads=2,head_dim=64,ffn={ffn},vocab={vocab})"
    matrices = (2 * hidden * hidden, hidden * hidden, 2 * ffn * hidden, ffn * hidden)
    sizes = [(n // tp, 8 * n // tp) for n in matrices] * layers
    sizes += [(hidden, 12 * hidden)] * (2 * layers + 1) + [(vocab * hidden // tp, 12 * vocab * hidden // tp)] * 2
    assert optimizer(model, f"world={ranks * tp},tp={tp}") == [max(dealing(sizes, ranks))]


def test_all_ranks_hold_whole_gradients_and_weights() -> None:
    asked = question("qwen3_8b", f"world=64,seq=4096,microbatches=1,{DEALT}", None)
    found = answer(asked.model, asked.plan, None)
    assert asked.plan.values["zero"] == 0
    assert found.of_stage("gradients")[0] == 2 * found.of_stage("weights")[0] == 4 * found.of_stage("P")[0]


def test_parameters_arrive_in_flat_copies_after_the_step() -> None:
    asked = question("qwen3_8b", f"world=64,seq=4096,microbatches=1,recompute=full,{DEALT}", None)
    found = answer(asked.model, asked.plan, None)
    copies = float(found.of_stage("weights")[0]) * (1 + float(found.of_stage("deal.share")[0]))
    assert float(found.of_stage("w_dealt")[0]) == pytest.approx(copies)
    assert float(found.of_stage("peak")[0]) >= float(found.of_stage("static")[0]) + copies


@pytest.mark.parametrize("choices", ["zero=1", "offload={optimizer}", "precision=fp16"])
def test_what_megatron_refuses_is_refused(choices: str) -> None:
    with pytest.raises(InputError, match="use_layer_wise_distributed_optimizer does not go with"):
        optimizer("qwen3_8b", f"world=8,{choices}")


def test_several_instances_shard_dense_and_expert_states_over_a_part_of_their_replicas() -> None:
    """Four ranks of data, two of each expert's: with two instances dense states have two shards, experts' one."""
    held = {}
    for instances in (1, 2):
        choices = f"world=8,tp=2,ep=2,etp=2,seq=4096,microbatches=8,num_distributed_optimizer_instances={instances}"
        asked = question(MOE, choices, None)
        found = answer(asked.model, asked.plan, None)
        dense, expert = (float(found.of_stage(n)[0]) for n in ("P", "P_expert"))
        held[instances] = float(found.of_stage("optimizer")[0])
        assert held[instances] == 12 * (dense * instances / 4 + expert * instances / 2)


@pytest.mark.parametrize(
    ("choices", "message"),
    [("ep=8", "does not divide edp"), ("cp=2,tp=4,ep=1", "does not divide dp·cp"), ("zero=0", "does not go with zero")],
)
def test_instances_divide_the_replicas(choices: str, message: str) -> None:
    asked = f"world=8,seq=4096,microbatches=8,num_distributed_optimizer_instances={4 if 'cp' in choices else 2}"
    with pytest.raises(InputError, match=message):
        given = question(MOE, f"{asked},{choices}", None)
        answer(given.model, given.plan, None)
