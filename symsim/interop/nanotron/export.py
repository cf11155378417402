"""A plan and its model as the YAML of nanotron, in the form of its repository."""

from __future__ import annotations

from typing import Any

from symsim.interop import export_checks
from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.interop.written_yaml import yaml_of
from symsim.records.model import Value as Dimension

SAID = export_checks.OF_NO_RUN | {
    "world", "tp", "cp", "pp", "vp", "ep", "etp", "mbs", "gbs", "microbatches", "seq", "sequence_parallel", "precision",
    "grad_dtype", "optimizer", "zero", "recompute", "recompute_layers", "schedule", "overlap_tp", "framework",
    "cp_comm", "vocab_multiple", "moe_dispatch",
}  # fmt: skip
"""Choices that are written, or looked at here."""
TYPES = {"bf16": "bfloat16", "fp16": "float16", "fp32": "float32"}
ACTIVATIONS = {"swiglu": "silu", "geglu": "gelu", "reglu": "relu"}
FIXED: dict[str, Dimension] = {
    "norm": "rms",
    "positions": "rope",
    "embedding_norm": False,
    "qk_norm": False,
    "bias": False,
    "mlp_bias": False,
}
"""Dimensions that nanotron's decoders have in one value."""


def export(asked: Settled) -> Export:
    """The whole configuration: the model is in it.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("nanotron", asked)
    export_checks.of_framework(words, "nanotron")
    export_checks.whole_experts(words)
    export_checks.context_exchange(words, "ring", reason="its attention goes round a ring")
    export_checks.dispatch_of_its_own(words)
    values = asked.values
    configuration = {
        "general": {"project": "symsim"},
        "parallelism": _parallelism(words),
        "model": {
            "ddp_bucket_cap_mb": 25,
            "dtype": TYPES.get(str(values["precision"])),
            "init_method": {"std": 0.02},
            "make_vocab_size_divisible_by": values["vocab_multiple"],
            "model_config": _model(words),
        },
        "tokenizer": {"tokenizer_name_or_path": "gpt2"},
        "tokens": {
            "sequence_length": values["seq"],
            "train_steps": 100,
            "micro_batch_size": values["mbs"],
            "batch_accumulation_per_replica": values["microbatches"],
        },
        "optimizer": _optimizer(words),
    }
    export_checks.estimates(words, {})
    words.others(SAID)
    words.finish()
    return Export((Part("config", ".yaml", yaml_of(configuration)),), words.left_out)


def _parallelism(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    words.need("vp", 1, reason="it has no virtual chunks", hint="--set vp=1")
    words.need(
        "schedule", "1f1b", "gpipe", reason="it has 1F1B and all forward, all backward", hint="--set schedule=1f1b"
    )
    regions = values["recompute"]
    if regions not in ("none", "full", frozenset({"moe"})):
        words.refuse("recompute", "it recomputes whole layers, or experts", "--set recompute=full")
    if values["recompute_layers"] is not None:
        words.refuse("recompute_layers", "it recomputes every layer", "--set recompute_layers=none")
    words.leave_out("recompute_method")
    tp = values["tp"] != 1
    for name in ("sequence_parallel", "overlap_tp") if not tp else ():
        words.leave_out(name)
    out = {
        "dp": words.asked.dp,
        "pp": values["pp"],
        "tp": values["tp"],
        "expert_parallel_size": 1,
        "pp_engine": "afab" if values["schedule"] == "gpipe" else "1f1b",
        "tp_mode": "REDUCE_SCATTER" if values["sequence_parallel"] and tp else "ALL_REDUCE",
        "tp_linear_async_communication": bool(values["overlap_tp"]) and tp,
        "recompute_layer": regions == "full",
        "moe_layer_recompute": regions == frozenset({"moe"}),
    }
    if values["cp"] != 1:
        out["context_parallel_size"] = values["cp"]
    if values["pp"] == 1:
        words.leave_out("schedule")
        out["pp_engine"] = "1f1b"
    return out


def _optimizer(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    words.need("precision", *TYPES, reason="it has bf16, fp16 and fp32")
    words.need("optimizer", "adam", reason="it has AdamW, and an SGD without momentum", hint="--set optimizer=adam")
    words.need("zero", 0, 1, reason="zero_stage above 0 is ZeRO-1 there", hint="--set zero=1")
    words.need("grad_dtype", "fp32", values["precision"], reason="gradients are added in fp32 or as they are")
    wide = values["grad_dtype"] == "fp32"
    late = values["zero"] == 1 and wide
    export_checks.always(words, "overlap_grad_reduce", not late, "with ZeRO and fp32 sums it reduces once, at the end")
    export_checks.always(words, "overlap_param_gather", False, "it gathers parameters at the end of a step")
    return {
        "zero_stage": values["zero"],
        "accumulate_grad_in_fp32": wide,
        "weight_decay": 0.01,
        "clip_grad": 1.0,
        "optimizer_factory": {
            "name": "adamW",
            "adam_eps": 1.0e-08,
            "adam_beta1": 0.9,
            "adam_beta2": 0.95,
            "torch_adam_is_fused": True,
        },
        "learning_rate_scheduler": {"learning_rate": 0.0003, "lr_warmup_steps": 0, "lr_warmup_style": "linear"},
    }


def _model(words: Expressed) -> dict[str, Any]:
    model = words.asked.model
    if model.family not in ("llama", "moe"):
        words.refuse_model(f"it has no words for the family '{model.family}'")
        return {}
    dimensions = model.dimensions
    for name, value in dimensions.items():
        if isinstance(value, tuple):
            words.refuse_dimension(name, value, "its layers are alike")
    for name, only in FIXED.items():
        words.need_dimension(name, only, "it has one kind")
    heads, hidden = model.largest("heads"), model.largest("hidden")
    if model.largest("head_dim") * heads != hidden:
        words.refuse_dimension("head_dim", dimensions["head_dim"], "a head has hidden / heads features there")
    activation = dimensions.get("activation", "swiglu")
    if activation not in ACTIVATIONS:
        words.refuse_dimension("activation", activation, f"it has {', '.join(ACTIVATIONS)}")
    out = {
        "hidden_size": hidden,
        "num_hidden_layers": model.largest("layers"),
        "num_attention_heads": heads,
        "num_key_value_heads": model.largest("kv_heads"),
        "intermediate_size": model.largest("ffn"),
        "vocab_size": model.largest("vocab"),
        "tie_word_embeddings": bool(dimensions.get("tied", False)),
        "hidden_act": ACTIVATIONS.get(str(activation), "silu"),
        "max_position_embeddings": words.asked.size("seq"),
    }
    biased, window = bool(dimensions.get("qkv_bias", False)), model.largest("window")
    if model.family == "llama" and not biased and not window:
        return {"is_llama_config": True} | out
    out = {"is_qwen2_config": True} | out | {"attention_bias": biased}
    if window:
        out["sliding_window_size"] = window
    return out | ({"moe_config": _experts(words)} if model.family == "moe" else {})


def _experts(words: Expressed) -> dict[str, Any]:
    model = words.asked.model
    words.need_dimension("dense_layers", 0, "experts are in every layer here")
    shared = model.largest("shared_ffn")
    if (shared > 0) is not bool(model.dimensions.get("shared_gate", False)):
        words.refuse_dimension("shared_gate", bool(model.dimensions.get("shared_gate")), "its shared expert has a gate")
    experts: dict[str, Any] = {
        "num_experts": model.largest("experts"),
        "top_k": model.largest("topk"),
        "moe_intermediate_size": model.largest("expert_ffn"),
        "layers": [-1],
        "enable_shared_expert": shared > 0,
    }
    if shared:
        experts["shared_expert_intermediate_size"] = shared
    return experts
