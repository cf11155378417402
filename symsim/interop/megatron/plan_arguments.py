"""A settled plan as arguments of Megatron-LM's parser: the inverse of ``formats/megatron/strategy.sym``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symsim.interop.exports import Expressed
from symsim.interop.megatron.arguments import ENVIRONMENT

SAID = frozenset(
    {
        "world", "tp", "cp", "pp", "vp", "ep", "etp", "mbs", "gbs", "microbatches", "seq", "sequence_parallel",
        "precision", "grad_dtype", "fp8_params", "optimizer", "main_params_dtype", "exp_avg_dtype", "exp_avg_sq_dtype",
        "zero", "num_distributed_optimizer_instances", "use_layer_wise_distributed_optimizer", "recompute",
        "recompute_layers", "recompute_method", "offload", "schedule", "microbatch_group", "first_stage_layers",
        "last_stage_layers", "embedding_in_split", "loss_in_split", "layout", "attention", "dropout",
        "fused_cross_entropy", "cuda_graph", "moe_probs_in_activation", "cp_comm", "cp_a2a", "moe_dispatch",
        "moe_capacity", "overlap_grad_reduce", "overlap_param_gather", "overlap_tp", "overlap_p2p",
        "overlap_moe_expert_parallel_comm", "delay_wgrad_compute", "framework", "transformer_impl",
        "first_last_layers_bf16", "num_layers_at_start_in_bf16", "num_layers_at_end_in_bf16", "attention_kernel",
        "distribute_saved_activations", "min_offloaded_tensor_size", "optimizer_offload_fraction", "ddp_bucket_size",
        "deterministic", "attention_mask", "cross_entropy_fusion_impl", "moe_grouped_gemm",
        "defer_embedding_wgrad_compute", "wgrad_deferral_limit",
        "gradient_accumulation_fusion", "cublas_workspace", "vocab_multiple", "fit", "tokens", "price",
    }
)  # fmt: skip
"""Choices that are written, or looked at here."""

ESTIMATES = {
    "overlap_moe": "Megatron hides no messages of experts behind the kernel of their own operator",
    "moe_imbalance": "Megatron's experts get what the router gives them",
    "framework_version": "the version of Megatron is the one that runs",
    "te_version": "the version of TransformerEngine is the one that runs",
}
"""Choices that change an estimate alone, and what is said where they are left out."""

MODULES = frozenset({"core_attn", "moe_act", "layernorm", "mla_up_proj", "mlp", "moe", "shared_experts"})
"""Regions that ``--recompute-modules`` has."""
OFFLOADED = frozenset({"attn_norm", "qkv_linear", "core_attn", "attn_proj", "mlp_norm", "expert_fc1", "moe_act"})
"""Regions that ``--offload-modules`` has."""
KERNELS = {"cudnn": "fused", "flash_attn": "flash", "auto": "auto"}
EXCHANGES = {"ring": "p2p", "a2a": "a2a", "all_gather": "allgather", "a2a_ring": "a2a+p2p"}
SHARDING = {2: "optim_grads", 3: "optim_grads_params"}
RECIPES = {"fp8": "delayed", "mxfp8": "mxfp8"}


def plan_arguments(words: Expressed) -> dict[str, Any]:
    """Name of the parser → value, of all that the plan says; ``env`` has variables of the environment."""
    words.estimates(ESTIMATES)
    out = {
        **_sizes(words),
        **_placement(words),
        **_numbers(words),
        **_optimizer(words),
        **_recomputation(words),
        **_experts(words),
        **_kernels(words),
    }
    words.others(SAID)
    return out


def _sizes(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    words.need("framework", "megatron", reason="it runs Megatron alone")
    out: dict[str, Any] = {
        "tensor_model_parallel_size": values["tp"],
        "context_parallel_size": values["cp"],
        "pipeline_model_parallel_size": values["pp"],
        "micro_batch_size": values["mbs"],
        "global_batch_size": values["gbs"],
        "seq_length": values["seq"],
    }
    if out["global_batch_size"] is None and isinstance(values["microbatches"], int):
        out["global_batch_size"] = values["microbatches"] * words.asked.size("mbs") * words.asked.dp
    if values["tp"] == 1:
        words.leave_out("sequence_parallel")
    out["sequence_parallel"] = bool(values["sequence_parallel"]) and values["tp"] != 1
    if values["cp"] == 1:
        words.leave_out("cp_comm")
        words.leave_out("cp_a2a")
    else:
        out["cp_comm_type"] = [EXCHANGES[str(values["cp_comm"])]]
        if values["cp_comm"] == "a2a_ring" and isinstance(values["cp_a2a"], int):
            out["hierarchical_context_parallel_sizes"] = [values["cp_a2a"], words.asked.size("cp") // values["cp_a2a"]]
    return out


def _placement(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    words.need("schedule", "1f1b", "interleaved", reason="it has 1F1B and interleaved stages")
    interleaved = values["vp"] != 1
    if not interleaved:
        words.leave_out("microbatch_group")
        reason = "Megatron overlaps messages between stages with virtual chunks alone"
        words.leave_out("overlap_p2p", reason if values["overlap_p2p"] else "")
    out: dict[str, Any] = {
        "decoder_first_pipeline_num_layers": values["first_stage_layers"],
        "decoder_last_pipeline_num_layers": values["last_stage_layers"],
        "account_for_embedding_in_pipeline_split": values["embedding_in_split"],
        "account_for_loss_in_pipeline_split": values["loss_in_split"],
        "pipeline_model_parallel_layout": values["layout"],
    }
    if interleaved and values["pp"] == 2 and not values["overlap_p2p"]:
        words.refuse("overlap_p2p", "virtual chunks on two stages need it there", "--set overlap_p2p=true")
    if interleaved:
        out["overlap_p2p_comm"] = values["overlap_p2p"]
        out["microbatch_group_size_per_vp_stage"] = values["microbatch_group"]
        if values["layout"] is None:
            out["num_virtual_stages_per_pipeline_rank"] = values["vp"]
    return out


def _numbers(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    precision, gradients = str(values["precision"]), values["grad_dtype"]
    low = precision in ("fp8", "mxfp8")
    out: dict[str, Any] = {
        "bf16": low or precision in ("bf16", "nvfp4"),
        "fp16": precision == "fp16",
        "fp8": "hybrid" if low else None,
        "fp8_param_gather": bool(values["fp8_params"]) and low,
        "fp4": "e2m1" if precision == "nvfp4" else None,
    }
    if values["first_last_layers_bf16"]:
        names = ("first_last_layers_bf16", "num_layers_at_start_in_bf16", "num_layers_at_end_in_bf16")
        out |= {name: values[name] for name in names}
    if low:
        out["fp8_recipe"] = RECIPES[precision]
    if values["fp8_params"] and not low:
        words.refuse("fp8_params", f"{precision} has no weights in fp8")
    if precision == "mxfp8" and values["fp8_params"]:
        out["reuse_grad_buf_for_mxfp8_param_ag"] = True
    if precision == "fp16":
        words.need("grad_dtype", "fp16", "fp32", reason="gradients under fp16 are fp16 or fp32")
        out["accumulate_allreduce_grads_in_fp32"] = gradients == "fp32"
    elif precision == "fp32":
        words.need("grad_dtype", "fp32", reason="gradients under fp32 are fp32")
    else:
        words.need("grad_dtype", "fp32", "bf16", reason="gradients under bf16 are fp32 or bf16")
        out["grad_reduce_in_bf16"] = gradients == "bf16"
    return out


def _optimizer(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    words.need("optimizer", "adam", "sgd", "muon", reason="it has adam, sgd and muon")
    layer_wise = bool(values["use_layer_wise_distributed_optimizer"])
    zero = int(str(values["zero"]))
    if layer_wise:
        words.need("optimizer", "muon", reason="adam and sgd are not dealt out by whole parameters there")
    elif zero and values["optimizer"] == "muon":
        words.refuse("zero", "muon deals out whole parameters there", "--set use_layer_wise_distributed_optimizer=true")
    out: dict[str, Any] = {"optimizer": values["optimizer"], "use_distributed_optimizer": layer_wise or zero == 1}
    if zero > 1:
        out |= {"use_megatron_fsdp": True, "data_parallel_sharding_strategy": SHARDING[zero]}
    if values["num_distributed_optimizer_instances"] != 1:
        if zero != 1:
            words.refuse("num_distributed_optimizer_instances", "they are those of zero = 1")
        out["num_distributed_optimizer_instances"] = values["num_distributed_optimizer_instances"]
    words.need("main_params_dtype", "fp32", "fp16", reason="it has fp32 and fp16")
    dtypes = {n: values[n] for n in ("main_params_dtype", "exp_avg_dtype", "exp_avg_sq_dtype") if values[n] != "fp32"}
    on_host = _on_host(values)
    if dtypes or on_host:
        if not out["use_distributed_optimizer"]:
            words.refuse(next(iter(dtypes), "offload"), "that is a matter of the distributed optimizer", "--set zero=1")
        out |= {"use_precision_aware_optimizer": True, **dtypes}
    if on_host:
        out["optimizer_cpu_offload"] = True
        out["optimizer_offload_fraction"] = _number(values["optimizer_offload_fraction"])
    out["ddp_bucket_size"] = values["ddp_bucket_size"]
    return out


def _on_host(values: Mapping[str, Any]) -> bool:
    return isinstance(values["offload"], frozenset) and "optimizer" in values["offload"]


def _recomputation(words: Expressed) -> dict[str, Any]:
    """``full`` without a number of layers is all of them: one input is kept for each, ``uniform`` by 1."""
    values = words.asked.values
    regions, layers = values["recompute"], values["recompute_layers"]
    out: dict[str, Any] = {}
    if regions == "full":
        every = layers is None or (values["recompute_method"] == "uniform" and layers == 1)
        if every:
            words.leave_out("recompute_method")
            words.leave_out("recompute_layers")
        out["recompute_granularity"] = "full"
        out["recompute_method"] = "uniform" if every else values["recompute_method"]
        out["recompute_num_layers"] = 1 if every else layers
    else:
        words.leave_out("recompute_method")
        if layers is not None:
            words.leave_out("recompute_layers", "it is said of recompute = full alone")
        if isinstance(regions, frozenset) and regions <= MODULES:
            out |= {"recompute_granularity": "selective", "recompute_modules": sorted(regions)}
        elif regions != "none":
            words.refuse("recompute", f"it has full, or some of {', '.join(sorted(MODULES))}")
    offloaded = values["offload"]
    if isinstance(offloaded, frozenset) and offloaded - {"optimizer"}:
        if not offloaded - {"optimizer"} <= OFFLOADED:
            words.refuse("offload", f"it has optimizer, and some of {', '.join(sorted(OFFLOADED))}")
        else:
            modules = sorted(offloaded - {"optimizer"})
            out |= {"fine_grained_activation_offloading": True, "offload_modules": modules}
            out["min_offloaded_tensor_size"] = values["min_offloaded_tensor_size"]
    elif values["min_offloaded_tensor_size"] != 1:
        words.leave_out("min_offloaded_tensor_size", "nothing of a pass is offloaded")
    out["distribute_saved_activations"] = values["distribute_saved_activations"]
    return out


def _experts(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    if words.asked.model.largest("experts") == 0:
        for name in ("ep", "etp"):
            words.need(name, 1, reason="the model has no experts")
        for name in ("moe_dispatch", "moe_probs_in_activation", "moe_capacity", "moe_grouped_gemm"):
            words.leave_out(name)
        return {}
    reason = "Megatron applies probabilities inside of the experts' activation"
    words.leave_out("moe_probs_in_activation", "" if values["moe_probs_in_activation"] else reason)
    dispatch = values["moe_dispatch"]
    out: dict[str, Any] = {
        "expert_model_parallel_size": values["ep"],
        "expert_tensor_parallel_size": values["etp"],
        "moe_grouped_gemm": values["moe_grouped_gemm"],
        "moe_token_dispatcher_type": {"all_to_all": "alltoall", "all_gather": "allgather"}.get(str(dispatch), "flex"),
        "moe_expert_capacity_factor": _number(values["moe_capacity"]),
        "overlap_moe_expert_parallel_comm": values["overlap_moe_expert_parallel_comm"],
    }
    if out["moe_token_dispatcher_type"] == "flex":
        out["moe_flex_dispatcher_backend"] = dispatch
    return out


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _overlap(words: Expressed) -> None:
    """What Megatron-LM refuses to overlap, or has nothing to overlap."""
    values = words.asked.values
    if values["overlap_param_gather"]:
        if values["zero"] == 0 and not values["use_layer_wise_distributed_optimizer"]:
            words.leave_out("overlap_param_gather", "nothing is gathered without the distributed optimizer")
        elif not values["overlap_grad_reduce"]:
            reason = "it goes with overlap_grad_reduce there"
            words.refuse("overlap_param_gather", reason, "--set overlap_grad_reduce=true")
    if values["overlap_tp"]:
        if values["tp"] == 1:
            words.leave_out("overlap_tp", "there are no tensor-parallel messages")
        elif not values["sequence_parallel"]:
            words.refuse("overlap_tp", "it goes with sequence parallelism there", "--set sequence_parallel=true")
        elif values["deterministic"]:
            words.refuse("overlap_tp", "it goes with no deterministic kernels there", "--set deterministic=false")


def _kernels(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    local = values["transformer_impl"] == "local"
    _overlap(words)
    out: dict[str, Any] = {
        "transformer_impl": values["transformer_impl"],
        "attention_dropout": 0.1 if values["dropout"] else 0.0,
        "hidden_dropout": 0.1 if values["dropout"] else 0.0,
        "cross_entropy_loss_fusion": values["fused_cross_entropy"],
        "cuda_graph_impl": "local" if values["cuda_graph"] else "none",
        "overlap_grad_reduce": values["overlap_grad_reduce"],
        "overlap_param_gather": values["overlap_param_gather"] and "overlap_param_gather" not in words.left_out,
        "tp_comm_overlap": values["overlap_tp"] and "overlap_tp" not in words.left_out,
        "delay_wgrad_compute": values["delay_wgrad_compute"],
        "gradient_accumulation_fusion": values["gradient_accumulation_fusion"],
        "make_vocab_size_divisible_by": values["vocab_multiple"],
    }
    if values["fused_cross_entropy"] and values["deterministic"]:
        words.refuse("fused_cross_entropy", "it goes with no deterministic kernels there", "--set deterministic=false")
    if values["fused_cross_entropy"]:
        out["cross_entropy_fusion_impl"] = values["cross_entropy_fusion_impl"]
    else:
        words.leave_out("cross_entropy_fusion_impl")
    out["attention_backend"] = KERNELS[str(values["attention_kernel"])]
    if values["attention"] == "unfused":
        out["attention_backend"] = "auto" if local else "unfused"
        words.leave_out("attention_kernel")
    elif local:
        out["use_flash_attn"] = True
    out["deterministic_mode"] = values["deterministic"]
    out["create_attention_mask_in_dataloader"] = values["attention_mask"]
    if values["defer_embedding_wgrad_compute"]:
        out["defer_embedding_wgrad_compute"] = True
        out["wgrad_deferral_limit"] = values["wgrad_deferral_limit"] or 0
    if values["cublas_workspace"] is not None:
        out[ENVIRONMENT] = {"CUBLAS_WORKSPACE_CONFIG": values["cublas_workspace"]}
    return out
