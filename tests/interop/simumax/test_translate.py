"""What a strategy or a model of SimuMax says in symsim's words."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.diagnostics import InputError
from symsim.interop.formats import kind_of, translated
from symsim.language.strategies import Strategy
from tests.interop.foreign import json_file, strategy_in
from tests.models.counting import model_of

SMALL = {"seq_len": 4096, "micro_batch_size": 1, "micro_batch_num": 8}
DENSE = {"hidden_size": 1024, "head_num": 16, "kv_head_num": 4, "head_size": 64, "intermediate_size": 2048,
         "layer_num": 8, "vocab_size": 32000, "use_swiglu": True}  # fmt: skip
LATENT = {"attention_type": "mla", "v_head_dim": 64, "qk_head_dim": 64, "qk_pos_emb_head_dim": 32,
          "kv_lora_rank": 128}  # fmt: skip
EXPERTS = {"expert_num": 8, "topk": 2, "moe_ffn_hidden_size": 512, "moe_shared_expert_intermediate_size": 256}


def text(strategy: dict[str, Any] | None = None, model: dict[str, Any] | None = None, lenient: bool = False) -> str:
    files = [json_file("s.json", {**SMALL, **strategy})] if strategy is not None else []
    files += [json_file("m.json", {**DENSE, **model})] if model is not None else []
    return translated(files, "simumax", lenient).text


def strategy(model: dict[str, Any] | None = None, **keys: Any) -> Strategy:
    return strategy_in(text({"tp_size": 1, **keys}, model))


def dimensions(**keys: Any) -> dict[str, Any]:
    found = model_of(text(model=keys))
    return {"family": found.family, **found.dimensions}


@pytest.mark.parametrize(
    ("keys", "name", "value"),
    [
        ({}, "world", 8),
        ({}, "zero", 1),
        ({}, "sequence_parallel", True),
        ({}, "overlap_grad_reduce", True),
        ({}, "overlap_p2p", False),
        ({"interleaving_size": 2, "pp_size": 2}, "overlap_p2p", True),
        ({"interleaving_size": 2, "pp_size": 4, "pp_comm_async": False}, "overlap_p2p", False),
        ({"interleaving_size": 2, "pp_size": 2}, "vp", 2),
        ({"zero_state": 3}, "zero", 1),
        ({"fp8": True, "dtype": "fp16"}, "precision", "fp8"),
        ({"dtype": "fp16"}, "precision", "fp16"),
        ({"use_fp32_accum_grad": False}, "grad_dtype", "bf16"),
        ({"grad_reduce_in_bf16": True}, "grad_dtype", "bf16"),
        ({"moe_dispatcher_policy": "all2all-seq"}, "moe_dispatch", "all_to_all"),
        ({"use_math_sdp": True}, "attention", "unfused"),
        ({"cp_size": 2, "cp_comm_type": "p2p"}, "cp_comm", "ring"),
        ({"te_version": "2.11.0"}, "te_version", "2.11.0"),
        ({"dispatch_probs": True}, "moe_probs_in_activation", True),
        ({"offload_groupgemm_col_inputs": True}, "offload", frozenset({"expert_fc1"})),
        ({"account_for_loss_in_pipeline_split": True}, "loss_in_split", True),
        ({"pp_size": 4, "num_layers_in_first_pipeline_stage": 3}, "first_stage_layers", 3),
    ],
)
def test_a_key_says(keys: dict[str, Any], name: str, value: object) -> None:
    assert strategy(**keys).values[name] == value


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"recompute_granularity": "full_block"},
        {"recompute_layer_num": 4},
        {"recompute_granularity": "full_block", "recompute_layer_num": 4, "enable_recompute": False},
        {"recompute_granularity": "selective_recompute", "recompute_layer_num": 4},
    ],
)
def test_any_one_of_three_keys_means_no_recomputation(keys: dict[str, Any]) -> None:
    assert "recompute" not in strategy(**keys).values


def full(layers: int) -> dict[str, Any]:
    return {"recompute_granularity": "full_block", "recompute_layer_num": layers}


def test_a_full_block_counts_its_layers() -> None:
    assert strategy(**full(2)).values["recompute_layers"] == 2
    assert "recompute_layers" not in strategy({}, **full(8)).values


def regions(model: dict[str, Any] | None, **keys: Any) -> object:
    given = {"recompute_layer_num": 8, "recompute_granularity": "selective_recompute", **keys}
    return strategy(model, **given).values.get("recompute")


@pytest.mark.parametrize(
    ("model", "keys", "names"),
    [
        ({}, {"recompute_granularity": "sdp_only"}, {"core_attn"}),
        ({}, {"recompute_granularity": "attn_only"}, {"attention"}),
        ({}, {"recompute_granularity": "mlp_only"}, {"mlp"}),
        (EXPERTS, {"recompute_granularity": "mlp_only"}, {"moe"}),
        ({**EXPERTS, "dense_layers": 1}, {"recompute_granularity": "mlp_only"}, {"moe", "mlp"}),
        ({**EXPERTS, **LATENT}, {"attn_recompute": True}, {"mla_up_proj", "core_attn"}),
        ({**EXPERTS, **LATENT}, {"attn_recompute": True, "mla_rms_recompute": True},
         {"mla_up_proj", "core_attn", "layernorm"}),
        ({}, {"mlp_recompute": True}, {"mlp"}),
        (EXPERTS, {"mlp_recompute": True, "mlp_rms_recompute": True},
         {"routed_experts", "layernorm", "shared_experts"}),
        (None, {"megatron_recompute": True, "megatron_recompute_modules": ["moe_act", "mlp"]}, {"moe_act", "mlp"}),
    ],
)  # fmt: skip
def test_regions_follow_from_the_model(model: dict[str, Any] | None, keys: dict[str, Any], names: set[str]) -> None:
    assert regions(model, **keys) == names


def test_regions_of_a_part_of_the_layers_are_refused() -> None:
    with pytest.raises(InputError, match="recompute_layer_num = 3 is less than a chunk"):
        regions({}, pp_size=2, recompute_granularity="sdp_only", recompute_layer_num=3)
    assert regions({}, pp_size=2, recompute_granularity="sdp_only", recompute_layer_num=4) == {"core_attn"}
    ends = {"pp_size": 2, "recompute_granularity": "sdp_only", "num_layers_in_last_pipeline_stage": 2}
    with pytest.raises(InputError, match="is less than a chunk"):
        regions({}, recompute_layer_num=5, **ends)
    assert regions({}, recompute_layer_num=6, **ends) == {"core_attn"}


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"zero_state": 2}, "zero_state = 2 is read as 1"),
        ({"enable_dropout": True}, "enable_dropout has no effect in SimuMax"),
        ({"mem_factor": 0.9}, "--set memory.fragmentation='1/0.9 - 1'"),
        ({"tp_net": "inter_node"}, "the network of a group follows"),
        ({"use_fused_norm": False}, "use_fused_norm = false is left out"),
        ({"use_accm_weight": False}, "use_accm_weight = false is left out"),
        ({"attention_sparse_ratio": 0.3}, "attention_sparse_ratio = 0.3 is left out"),
        ({"recompute_granularity": "sdp_only", "recompute_layer_num": 2}, "in SimuMax in the first 2 of each chunk"),
    ],
)
def test_what_has_no_spelling_is_said(keys: dict[str, Any], note: str) -> None:
    assert any(note in said for said in strategy(**keys).notes)


def test_usual_values_say_nothing() -> None:
    assert strategy(mem_factor=0.94, attention_sparse_ratio=0.5, enable_straggler_model=True).notes == ()


@pytest.mark.parametrize(
    "keys",
    [
        {"seq_len": 4095, "cp_size": 2},
        {"world_size": 12, "tp_size": 8},
        {"world_size": 8, "ep_size": 3},
        {"zero_state": 4},
        {"interleaving_size": 2},
        {"interleaving_size": 2, "pp_size": 2, "pp_comm_async": False},
        {"interleaving_size": 2, "pp_size": 4, "microbatch_group_size_per_vp_stage": 2},
        {"megatron_recompute_modules": ["mlp"]},
        {"megatron_recompute": True},
        {"mla_rms_recompute": True},
        {"cache_groupgemm_col_fp8_inputs": True},
        {"order_of_paralielism": "tp-pp"},
        {"cp_a2a_mode": "none"},
    ],
    ids=str,
)
def test_what_simumax_refuses_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        strategy(**keys)
    assert {(d.code, d.hint) for d in raised.value.diagnostics} == {("E511", "SimuMax itself refuses this file")}


# models


def test_a_dense_model_is_a_llama_without_norms_of_its_own() -> None:
    found = dimensions()
    assert (found["family"], found["tied"], found["norm"], found["qk_norm"]) == ("llama", False, "rms", False)


def test_without_swiglu_the_activation_is_gelu() -> None:
    assert dimensions(use_swiglu=False)["activation"] == "gelu"


def test_the_number_of_experts_decides_not_the_type() -> None:
    assert dimensions(model_type="moe")["family"] == "llama"
    assert dimensions(expert_num=8, topk=2)["expert_ffn"] == DENSE["intermediate_size"]


def test_latent_attention_without_a_rank_of_queries() -> None:
    found = dimensions(**EXPERTS, **LATENT, q_lora_rank=None, dense_layers=1)
    assert (found["family"], found["q_rank"], found["dense_ffn"]) == ("deepseek", 0, DENSE["intermediate_size"])
    assert dimensions(**LATENT)["family"] == "decoder"


def test_latent_keys_of_another_attention_are_unused() -> None:
    assert dimensions(v_head_dim=64, kv_lora_rank=128) == dimensions()


# what a run leaves


def test_a_dump_is_read_without_what_is_derived() -> None:
    derived = {"dp_size": 8, "edp_size": 8, "global_batch_size": 64, "is_recompute": False, "net": "pp_net=auto",
               "parallelism": "seq4096.mbs1", "megatron_recompute_module_set": []}  # fmt: skip
    assert strategy(**derived).values == strategy().values
    padded = {"vocab_size": 32768, "orig_vocab_size": 32000, "param_numel": 1, "layer_elements": 2}
    assert dimensions(**padded)["vocab"] == 32000


def test_an_unknown_key_is_an_error_or_a_remark() -> None:
    with pytest.raises(InputError, match="'tp_sise' is not known here"):
        strategy(tp_sise=2)
    assert "'tp_sise' is not known here" in text({"tp_size": 1, "tp_sise": 2}, lenient=True)


def test_a_missing_dimension_is_an_error() -> None:
    with pytest.raises(InputError, match=r"m\.json has no 'kv_head_num'"):
        translated([json_file("m.json", {k: v for k, v in DENSE.items() if k != "kv_head_num"})], "simumax")


def test_kinds_are_told_apart() -> None:
    assert kind_of(json_file("c.json", {**DENSE, "model_type": "moe"})) is not None
    titles = [getattr(kind_of(json_file("x.json", keys)), "title", None) for keys in (
        {**SMALL, "tp_size": 1}, {**DENSE, "model_type": "moe"}, {"sys_name": "m", "accelerator": {}},
        {"model": "m", "schedule": "1f1b", "candidates": []})]  # fmt: skip
    assert [str(t).partition(" of ")[0] for t in titles] == ["a strategy", "a model", "a machine", "a report"]
