"""A plan as an execution and a model of Calculon."""

from __future__ import annotations

import json
from collections.abc import Mapping

from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.records.model import Value as Dimension

SAID = frozenset(
    {
        "world", "tp", "pp", "vp", "mbs", "gbs", "microbatches", "seq", "sequence_parallel", "precision", "grad_dtype",
        "zero", "recompute", "offload", "schedule", "attention", "dropout", "overlap_grad_reduce", "overlap_tp",
        "framework", "cp", "ep", "etp", "cp_comm", "fit", "tokens", "price",
    }
)  # fmt: skip
"""Choices that are written, or looked at here."""

ESTIMATES = {
    "overlap_param_gather": "Calculon hides no gathering of parameters",
    "overlap_p2p": "Calculon's messages between stages block",
    "cuda_graph": "Calculon has no launches",
    "framework_version": "Calculon has one Megatron",
    "te_version": "Calculon has no TransformerEngine",
    "fused_cross_entropy": "Calculon has no head and no loss",
    "vocab_multiple": "Calculon has no tables",
}
"""Choices that change an estimate alone, and what is said where they are left out."""

WITHOUT_EXPERTS = ("moe_dispatch", "moe_imbalance", "moe_probs_in_activation", "overlap_moe")
"""Choices that say nothing of a dense model."""

ACTIVATIONS = frozenset({"attention", "layernorm", "mlp"})
"""All regions of a block: what activations_offload offloads."""

LEAST_BLOCKS = 3
"""Blocks that a stage needs before anything is offloaded. Source: llm.py, Llm.compile."""

DATATYPES = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32"}

USUAL_DIMENSIONS: Mapping[str, Dimension] = {
    "norm": "layer",
    "activation": "gelu",
    "bias": True,
    "qkv_bias": True,
    "tied": True,
    "positions": "learned",
    "qk_norm": False,
    "window": 0,
    "embedding_norm": False,
}
"""What Calculon's one block has."""

COUNTED_WORDS = 51200
"""Rows of the table of words in Calculon's count of parameters. Source: llm.py, Application.num_parameters."""


def export(asked: Settled) -> Export:
    """The execution and the model.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("Calculon", asked)
    words.estimates(ESTIMATES)
    for name in WITHOUT_EXPERTS:
        words.leave_out(name)
    execution = {**_sizes(words), **_block(words), **_offload(words), "training": True}
    model = _model(words)
    words.others(SAID)
    words.finish()
    parts = Part("execution", ".json", _text(execution)), Part("model", ".json", _text(model))
    return Export(parts, words.left_out)


def _text(values: Mapping[str, object]) -> str:
    return json.dumps(values, indent=2) + "\n"


def _sizes(words: Expressed) -> dict[str, object]:
    values, dp = words.asked.values, words.asked.dp
    for name in ("cp", "ep", "etp"):
        words.need(name, 1, reason="it has tensor, pipeline and data parallelism")
    words.leave_out("cp_comm")
    words.need("schedule", "1f1b", "interleaved", reason="it has 1F1B and interleaved stages")
    words.need("framework", "megatron", reason="it computes Megatron alone")
    words.need("zero", 0, 1, reason="it shards optimizer states alone")
    if dp == 1 and values["zero"]:
        words.leave_out("zero")
    if dp == 1 and values["overlap_grad_reduce"]:
        words.leave_out("overlap_grad_reduce")
    if values["tp"] == 1 and values["overlap_tp"]:
        words.leave_out("overlap_tp")
    return {
        "num_procs": values["world"],
        "tensor_par": values["tp"],
        "pipeline_par": values["pp"],
        "data_par": dp,
        "tensor_par_net": 0,
        "pipeline_par_net": 1,
        "data_par_net": 1,
        "batch_size": values["gbs"],
        "microbatch_size": values["mbs"],
        "pipeline_interleaving": values["vp"],
        "optimizer_sharding": values["zero"] != 0 and dp > 1,
        "data_par_overlap": bool(values["overlap_grad_reduce"]) and dp > 1,
        "tensor_par_overlap": "ring" if values["overlap_tp"] and values["tp"] != 1 else "none",
    }


def _block(words: Expressed) -> dict[str, object]:
    """The precision, attention and recomputation of a block."""
    asked = words.asked
    values = asked.values
    words.need("precision", *DATATYPES, reason="its float8 has weights and activations of one byte too")
    words.need("grad_dtype", "fp32", reason="it sums gradients in fp32")
    words.need("attention", "unfused", reason="it keeps all scores", hint="--set attention=unfused")
    words.need("dropout", True, reason="its blocks have dropout", hint="--set dropout=true")
    recompute = {"none": "none", "full": "full", frozenset({"core_attn"}): "attn_only"}.get(values["recompute"])  # type: ignore[arg-type]
    if recompute is None:
        words.refuse("recompute", "it has none, full or core_attn")
    sharded = bool(values["sequence_parallel"])
    one_key = asked.model.dimensions.get("kv_heads") == 1 != asked.model.dimensions.get("heads")
    return {
        "datatype": DATATYPES.get(str(values["precision"])),
        "fused_activation": True,
        "attention_type": "multiquery" if one_key else "multihead",
        "activation_recompute": recompute,
        "tensor_par_comm_type": "rs_ag" if sharded else "p2p_rs_ag",
        "seq_par_ag_redo": sharded and recompute != "full",
    }


def _offload(words: Expressed) -> dict[str, object]:
    chosen = words.asked.values["offload"]
    regions: frozenset[str] = chosen if isinstance(chosen, frozenset) else frozenset()
    activations = regions - {"weights", "optimizer"}
    if activations and (activations != ACTIVATIONS or words.asked.values["recompute"] == "full"):
        words.refuse("offload", "it offloads weights, optimizer, or all activations where not all are recomputed")
    elif regions and -(-words.asked.layers() // words.asked.size("pp")) < LEAST_BLOCKS:
        words.refuse("offload", f"it needs {LEAST_BLOCKS} blocks on each stage to offload")
    return {
        "weight_offload": "weights" in regions,
        "activations_offload": bool(activations),
        "optimizer_offload": "optimizer" in regions,
    }


def _model(words: Expressed) -> dict[str, object]:
    model, seq = words.asked.model, words.asked.size("seq")
    dimensions: Mapping[str, Dimension] = model.dimensions
    if model.family != "gpt" or model.own is not None:
        words.refuse_model("its one block is that of gpt")
        return {}
    for name, value in USUAL_DIMENSIONS.items():
        words.need_dimension(name, value, "its block has no such choice")
    if dimensions["kv_heads"] not in (1, dimensions["heads"]):
        words.refuse_dimension("kv_heads", dimensions["kv_heads"], "its heads have keys each, or share one")
    if dimensions["max_positions"] != seq:
        reason = f"its table of positions has as many rows as a sequence has tokens, {seq}"
        words.refuse_dimension("max_positions", dimensions["max_positions"], reason)
    if dimensions["vocab"] != COUNTED_WORDS:
        words.leave_out("vocab", f"Calculon counts a vocabulary of {COUNTED_WORDS:,}, and has no table in memory")
    return {
        "hidden": dimensions["hidden"],
        "feedforward": dimensions["ffn"],
        "seq_size": seq,
        "attn_heads": dimensions["heads"],
        "attn_size": dimensions["head_dim"],
        "num_blocks": dimensions["layers"],
    }
