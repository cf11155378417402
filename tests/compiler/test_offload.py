"""Offloading: what leaves the device, what is on its way, what the host holds, what the link must do."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.loading.question import question
from tests.compiler.asking import PLAN, SMALL, values

LAYERS = 4


@pytest.mark.parametrize("regions", ["{mlp}", "{core_attn}", "{attention, mlp, layernorm}"])
def test_what_leaves_and_what_stays_is_all_that_was_saved(regions: str) -> None:
    plain, found = values(""), values(f"offload={regions}")
    assert found["offload.one"] > 0
    assert found.get("A", 0) + found["offload.one"] == plain["A"]
    assert found["offload.bytes"] == LAYERS * found["offload.one"]


def test_a_tensor_that_another_operator_saves_too_stays() -> None:
    """Queries, keys, values and the log-sum-exp leave with core attention; its output, which the
    projection behind it saves, does not."""
    queries_keys_values, lse = 2 * (512 + 256 + 256), 4 * 8
    assert values("offload={core_attn}")["offload.one"] == 2048 * (queries_keys_values + lse)


def test_the_output_of_attention_leaves_where_both_that_save_it_are_offloaded() -> None:
    """Megatron's --offload-modules core_attn attn_proj."""
    both = values("offload={core_attn, attn_proj}")["offload.one"]
    assert both == values("offload={core_attn}")["offload.one"] + 2048 * 2 * 512


EXPERTS = "moe(hidden=512, layers=4, heads=8, kv_heads=4, head_dim=64, expert_ffn=1024, experts=8, topk=2, vocab=1024)"
ROUTED = 2048 * 2
"""Copies of tokens that the experts of a rank work on."""


def test_with_the_first_gemm_of_the_experts_leaves_what_it_multiplies() -> None:
    """Megatron's --offload-modules expert_fc1."""
    assert values("offload={expert_fc1}", EXPERTS)["offload.one"] == ROUTED * 2 * 512


def test_recomputed_experts_keep_what_enters_them_alone() -> None:
    found = values("", EXPERTS)["A"] - values("recompute={routed_experts}", EXPERTS)["A"]
    assert found == ROUTED * 2 * (2 * 1024 + 1024)  # inputs of the activation and of the second GEMM


def test_one_layers_tensors_are_on_their_way_beside_the_layer_that_runs() -> None:
    plain, found = values(""), values("offload={mlp}")
    one = found["offload.one"]
    assert found["offload.buffer"] == one
    assert found["w"] == plain["w"] + one  # of the layer that runs, above what stays of it
    assert plain["S"] - found["S"] == found["offload.bytes"] == LAYERS * one
    worst = [max(v["rise"], v["rise_head"], 0) for v in (plain, found)]
    assert found["workspace"] - plain["workspace"] == worst[1] - worst[0] + one


def test_the_host_holds_every_micro_batch_in_flight() -> None:
    found = values("offload={mlp},pp=4")
    assert found["f"] == 4
    assert found["host"] == 4 * found["offload.bytes"]


def test_of_two_copies_of_the_model_a_micro_batch_leaves_one() -> None:
    """DualPipe has p − i micro-batches in the stage of one copy and i + 1 in that of the other."""
    one_way, both_ways = values("offload={mlp},pp=4"), values("offload={mlp},pp=4,schedule=dualpipe")
    assert both_ways["offload.bytes"] == one_way["offload.bytes"]
    assert both_ways["host"] == 5 * one_way["offload.bytes"]


def test_what_recomputation_drops_does_not_leave() -> None:
    found = values("offload={mlp},recompute={mlp}")
    assert "offload.one" in found
    assert found["offload.one"] == 2048 * 2 * 512  # the input of the region


def test_inputs_of_recomputed_layers_leave_with_the_region_that_takes_them() -> None:
    found = values("offload={layernorm},recompute=full")
    assert found["offload.one"] == 2048 * 2 * 512
    assert found.get("A", 0) == 0


def test_optimizer_states_leave_and_the_host_gets_a_copy_of_the_gradients() -> None:
    plain, found = values(""), values("offload={optimizer}")
    assert found["optimizer"] == 0
    assert found["host"] == plain["optimizer"] + 4 * plain["P"] / 8
    assert found["offload.step"] == (4 + 2) * plain["P"] / 8
    assert plain["peak"] - found["peak"] == plain["optimizer"]


def test_offloaded_weights_are_on_the_device_while_their_unit_runs() -> None:
    plain, found = values(""), values("offload={weights}")
    layer = 512 * 1024 + 512 * 512 + 512 * 2048 + 1024 * 512 + 2 * 512
    assert found["weights"] == 0
    assert found["gathered"] == 2 * layer
    assert found["host"] == plain["weights"]


def test_a_plan_that_offloads_nothing_has_no_formula_of_it() -> None:
    assert not [n for n in values("") if n.startswith(("offload", "host", "memory.host"))]


def test_the_link_must_carry_a_layers_tensors_in_the_time_of_the_layer() -> None:
    asked = question(SMALL, f"world=8,{PLAN},offload={{mlp, weights}}", "h100_sxm")
    found = answer(asked.model, asked.plan, machine_of(asked))
    saved, weights, forward, backward, rate = (
        found.of_stage(n)[0] for n in ("offload.bytes", "host.weights", "F", "B", "offload.bandwidth")
    )
    forward -= found.of_stage("stage.forward.offload")[0]
    backward -= found.of_stage("stage.backward.offload")[0]
    assert rate == pytest.approx(max(saved / forward, weights / forward, (saved + weights) / backward))
