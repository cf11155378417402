"""A plan as a strategy file and a model file of SimuMax v1.2."""

from __future__ import annotations

import json
from collections.abc import Mapping

from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.records.model import Value as Dimension

SAID = frozenset(
    {
        "world", "tp", "cp", "pp", "vp", "ep", "etp", "mbs", "gbs", "microbatches", "seq", "sequence_parallel",
        "precision", "grad_dtype", "zero", "recompute", "recompute_layers", "recompute_method", "offload", "schedule",
        "microbatch_group", "first_stage_layers", "last_stage_layers", "embedding_in_split", "loss_in_split",
        "attention", "fused_cross_entropy", "moe_probs_in_activation", "cp_comm", "moe_dispatch",
        "overlap_grad_reduce", "overlap_p2p", "framework", "te_version", "fit", "tokens", "price",
    }
)  # fmt: skip
"""Choices that are written, or looked at here."""

ESTIMATES = {
    "overlap_param_gather": "SimuMax hides no gathering of parameters",
    "overlap_tp": "SimuMax hides no tensor-parallel messages",
    "overlap_moe": "SimuMax hides no messages of experts",
    "cuda_graph": "SimuMax has no launches",
    "moe_imbalance": "SimuMax's experts are balanced",
    "framework_version": "SimuMax has one Megatron",
}
"""Choices that change an estimate alone, and what is said where they are left out."""

MODULES = frozenset({"layernorm", "mla_up_proj", "moe_act", "mlp", "moe"})
"""Regions that ``megatron_recompute_modules`` has."""

OUTPUTS = frozenset({"layernorm", "moe_act"})
"""Those of them that SimuMax does not take together with fp8."""

FAMILIES = ("llama", "moe", "deepseek")


def export(asked: Settled) -> Export:
    """The strategy and the model.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("SimuMax", asked)
    words.estimates(ESTIMATES)
    strategy = {**_sizes(words), **_recomputation(words), **_kernels(words)}
    model = _model(words)
    words.others(SAID)
    words.finish()
    parts = Part("strategy", ".json", _text(strategy)), Part("model", ".json", _text(model))
    return Export(parts, words.left_out)


def _text(values: Mapping[str, object]) -> str:
    return json.dumps(values, indent=4) + "\n"


def _sizes(words: Expressed) -> dict[str, object]:
    values = words.asked.values
    words.need("schedule", "1f1b", "interleaved", reason="it has 1F1B and interleaved stages")
    words.need("zero", 0, 1, reason="zero_state 2 and 3 are computed as 1 there")
    interleaved = values["vp"] != 1
    if interleaved and not values["overlap_p2p"] and values["pp"] == 2:
        words.refuse("overlap_p2p", "virtual chunks on two stages need pp_comm_async there", "--set overlap_p2p=true")
    if not interleaved and values["overlap_p2p"]:
        words.leave_out("overlap_p2p", "without virtual chunks pp_comm_async has no effect in SimuMax")
    if values["cp"] == 1:
        words.leave_out("cp_comm")
    else:
        words.need("cp_comm", "a2a", "all_gather", reason="it has a2a and all_gather")
    if words.asked.model.largest("experts") == 0:
        words.leave_out("moe_dispatch")
    else:
        words.need("moe_dispatch", "all_to_all", reason="it has all2all alone")
    words.need("framework", "megatron", reason="it computes Megatron alone")
    return {
        "seq_len": values["seq"],
        "micro_batch_size": values["mbs"],
        "micro_batch_num": values["microbatches"],
        "world_size": values["world"],
        "tp_size": values["tp"],
        "cp_size": values["cp"],
        "pp_size": values["pp"],
        "ep_size": values["ep"],
        "etp_size": values["etp"],
        "cp_comm_type": values["cp_comm"] if values["cp"] != 1 else "a2a",
        "moe_dispatcher_policy": "all2all",
        "enable_sequence_parallel": values["sequence_parallel"],
        "interleaving_size": values["vp"],
        "microbatch_group_size_per_vp_stage": values["microbatch_group"],
        "pp_comm_async": values["overlap_p2p"],
        "num_layers_in_first_pipeline_stage": values["first_stage_layers"],
        "num_layers_in_last_pipeline_stage": values["last_stage_layers"],
        "account_for_embedding_in_pipeline_split": values["embedding_in_split"],
        "account_for_loss_in_pipeline_split": values["loss_in_split"],
        "zero_state": values["zero"],
        "overlap_grad_reduce": values["overlap_grad_reduce"],
    }


def _kernels(words: Expressed) -> dict[str, object]:
    values = words.asked.values
    words.need("precision", "bf16", "fp16", "fp32", "fp8", reason="it has bf16, fp16, fp32 and fp8")
    words.need("grad_dtype", "fp32", "bf16", reason="its gradients are fp32 or bf16")
    fp8 = values["precision"] == "fp8"
    return {
        "dtype": "bf16" if fp8 else values["precision"],
        "fp8": fp8,
        "grad_reduce_in_bf16": values["grad_dtype"] == "bf16",
        "use_flash_sdp": values["attention"] == "flash",
        "use_math_sdp": values["attention"] == "unfused",
        "cross_entropy_loss_fusion": values["fused_cross_entropy"],
        "dispatch_probs": values["moe_probs_in_activation"],
        "te_version": values["te_version"],
    }


def _recomputation(words: Expressed) -> dict[str, object]:
    """Regions are recomputed in as many layers as the model has: in all of every chunk."""
    values, layers = words.asked.values, words.asked.layers()
    regions, of_chunk = values["recompute"], values["recompute_layers"]
    written: dict[str, object] = {"enable_recompute": regions != "none", "recompute_layer_num": layers}
    if values["recompute_method"] == "uniform" and of_chunk not in (None, 1):
        words.refuse("recompute_method", "it keeps the input of every layer")
    elif values["recompute_method"] == "uniform":
        of_chunk = None
        words.leave_out("recompute_method")
        words.leave_out("recompute_layers")
    if regions == "none":
        written = {"enable_recompute": False}
    elif regions == "full":
        written |= {"recompute_granularity": "full_block", "recompute_layer_num": of_chunk or layers}
    elif regions == frozenset({"core_attn"}):
        written |= {"recompute_granularity": "sdp_only"}
    elif regions == frozenset({"attention"}):
        written |= {"recompute_granularity": "attn_only"}
    elif isinstance(regions, frozenset) and regions <= MODULES and not (regions & OUTPUTS and _is_fp8(words)):
        written |= {
            "recompute_granularity": "selective_recompute",
            "megatron_recompute": True,
            "megatron_recompute_modules": sorted(regions),
        }
    elif isinstance(regions, frozenset) and regions <= MODULES:
        words.refuse("recompute", f"it has no {' and '.join(sorted(OUTPUTS))} with fp8")
    else:
        words.refuse("recompute", f"it has full, core_attn or attention alone, or some of {', '.join(sorted(MODULES))}")
    if values["offload"] == frozenset({"expert_fc1"}) and regions != "full":
        written["offload_groupgemm_col_inputs"] = True
    else:
        words.need("offload", "none", reason="it has expert_fc1 alone, and not with recompute = full")
    return written


def _is_fp8(words: Expressed) -> bool:
    return words.asked.values["precision"] == "fp8"


def _model(words: Expressed) -> dict[str, object]:
    model = words.asked.model
    if model.family not in FAMILIES or model.own is not None:
        words.refuse_model(f"its layers are those of {', '.join(FAMILIES)}")
        return {}
    dimensions: Mapping[str, Dimension] = model.dimensions
    words.leave_out("max_positions")
    for name, value in _ONE_VALUE.items():
        words.need_dimension(name, value, "its layers have none" if not value else f"it has {value} alone")
    if dimensions["activation"] not in ("swiglu", "gelu"):
        words.refuse_dimension("activation", dimensions["activation"], "it has swiglu and gelu")
    written: dict[str, object] = {
        "model_name": model.name,
        "hidden_size": dimensions["hidden"],
        "head_num": dimensions["heads"],
        "layer_num": dimensions["layers"],
        "vocab_size": dimensions["vocab"],
        "use_swiglu": dimensions["activation"] == "swiglu",
    }
    if model.family == "deepseek":
        written |= {
            "attention_type": "mla",
            "kv_head_num": dimensions["heads"],
            "head_size": dimensions["value_dim"],
            "q_lora_rank": dimensions["q_rank"] or None,
            "kv_lora_rank": dimensions["kv_rank"],
            "qk_head_dim": dimensions["nope_dim"],
            "qk_pos_emb_head_dim": dimensions["rope_dim"],
            "v_head_dim": dimensions["value_dim"],
        }
    else:
        written |= {"kv_head_num": dimensions["kv_heads"], "head_size": dimensions["head_dim"]}
    if model.family == "llama":
        return {**written, "intermediate_size": dimensions["ffn"]}
    if dimensions["experts"] == 1:
        words.refuse_dimension("experts", 1, "one expert is a dense model there")
    return {
        **written,
        "intermediate_size": dimensions["dense_ffn"],
        "expert_num": dimensions["experts"],
        "topk": dimensions["topk"],
        "moe_ffn_hidden_size": dimensions["expert_ffn"],
        "moe_shared_expert_intermediate_size": dimensions["shared_ffn"] or None,
        "dense_layers": dimensions["dense_layers"],
    }


_ONE_VALUE: Mapping[str, Dimension] = {
    "tied": False,
    "norm": "rms",
    "positions": "rope",
    "bias": False,
    "qkv_bias": False,
    "mlp_bias": False,
    "qk_norm": False,
    "window": 0,
    "shared_gate": False,
    "mtp_layers": 0,
    "embedding_norm": False,
}
"""Dimensions that SimuMax's layers have no choice of."""
