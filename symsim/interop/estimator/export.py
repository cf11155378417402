"""A plan as a request of the Megatron Memory Estimator."""

from __future__ import annotations

import json

from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.interop.huggingface.configuration import configuration_of

SAID = frozenset(
    {
        "world", "tp", "pp", "cp", "vp", "ep", "etp", "mbs", "gbs", "microbatches", "seq", "sequence_parallel", "zero",
        "recompute", "recompute_layers", "recompute_method", "schedule", "first_stage_layers", "last_stage_layers",
        "embedding_in_split", "loss_in_split", "layout", "framework", "fit", "tokens", "price", "vocab_multiple",
    }
)  # fmt: skip
"""Choices that are written, or looked at here."""

ESTIMATES = {
    "overlap_grad_reduce": "the estimator has no time",
    "overlap_param_gather": "the estimator has no time",
    "overlap_tp": "the estimator has no time",
    "overlap_p2p": "the estimator has no time",
    "overlap_moe": "the estimator has no time",
    "cuda_graph": "the estimator has no time",
    "moe_imbalance": "the estimator's experts are balanced",
    "moe_probs_in_activation": "the estimator has one way to apply probabilities",
    "fused_cross_entropy": "the estimator counts logits in fp32",
    "te_version": "the estimator counts no workspaces",
    "framework_version": "the estimator has one Megatron",
    "cp_comm": "the estimator divides activations by cp",
    "cp_a2a": "the estimator divides activations by cp",
    "microbatch_group": "the estimator has groups of pp",
}
"""Choices that change an estimate alone, and what is said where they are left out."""

MODULES = frozenset({"core_attn", "moe_act", "layernorm", "mla_up_proj", "mlp", "moe"})
GPUS = 8
"""The number of GPUs is a multiple of it."""


def export(asked: Settled) -> Export:
    """The request, with the model's configuration where one reads back as the model.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("the Memory Estimator", asked)
    words.estimates(ESTIMATES)
    config = configuration_of(asked.model)
    request: dict[str, object] = {"hf_model_path": asked.model.name}
    if config is None:
        words.leave_out("model", "no config.json reads back as it: put the path of its own into hf_model_path")
    else:
        request["custom_hf_config"] = config
        words.leave_out("max_positions")
    request |= {**_sizes(words), **_placement(words), **_recomputation(words)}
    words.others(SAID)
    words.finish()
    return Export((Part("request", ".json", json.dumps(request, indent=2) + "\n"),), words.left_out)


def _sizes(words: Expressed) -> dict[str, object]:
    values, tp = words.asked.values, words.asked.size("tp")
    if words.asked.size("world") % GPUS:
        words.refuse("world", f"its GPUs are a multiple of {GPUS}")
    words.need("framework", "megatron", reason="it counts Megatron alone")
    words.need("schedule", "1f1b", "interleaved", reason="it has 1F1B and interleaved stages")
    words.need("zero", 0, 1, reason="it shards optimizer states alone")
    if tp == 1:
        words.leave_out("sequence_parallel")
    else:
        words.need("sequence_parallel", True, reason="it follows from tp there")
    words.leave_out("gbs", "a request has no batch: a full pipeline is counted")
    words.leave_out("microbatches")
    padding = words.asked.size("vocab_multiple") * tp
    padded = words.asked.model.largest("vocab") % padding != 0
    words.leave_out("vocab_multiple", "the estimator pads no vocabulary" if padded else "")
    return {
        "num_gpus": values["world"],
        "mbs": values["mbs"],
        "seq_len": values["seq"],
        "use_distributed_optimizer": values["zero"] == 1,
        "tp": tp,
        "pp": values["pp"],
        "ep": values["ep"],
        "cp": values["cp"],
        "vpp": values["vp"] if values["vp"] != 1 else None,
        "etp": values["etp"],
    }


def _placement(words: Expressed) -> dict[str, object]:
    values = words.asked.values
    return {
        "num_layers_in_first_pipeline_stage": values["first_stage_layers"],
        "num_layers_in_last_pipeline_stage": values["last_stage_layers"],
        "account_for_embedding_in_pipeline_split": values["embedding_in_split"],
        "account_for_loss_in_pipeline_split": values["loss_in_split"],
        "pipeline_model_parallel_layout": values["layout"],
    }


def _recomputation(words: Expressed) -> dict[str, object]:
    """Without modules ``selective`` recomputes nothing there; ``uniform`` in chunks of one layer recomputes all."""
    values = words.asked.values
    regions, layers, method = values["recompute"], values["recompute_layers"], values["recompute_method"]
    if regions == "full" and layers is None:
        words.leave_out("recompute_method")
        return {"recompute_granularity": "full", "recompute_method": "uniform", "recompute_num_layers": 1}
    if regions == "full":
        if method == "uniform" and layers == 1:
            words.leave_out("recompute_method")
            words.leave_out("recompute_layers")
        return {"recompute_granularity": "full", "recompute_method": method, "recompute_num_layers": layers}
    modules = regions if isinstance(regions, frozenset) else frozenset[str]()
    if not modules <= MODULES:
        words.refuse("recompute", f"it has full, or some of {', '.join(sorted(MODULES))}")
    return {"recompute_granularity": "selective", "recompute_modules": sorted(modules)}
