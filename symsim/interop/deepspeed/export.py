"""A plan as a ds_config.json of DeepSpeed, and the TrainingArguments of a script that starts it."""

from __future__ import annotations

import json
from typing import Any

from symsim.interop import export_checks
from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.interop.huggingface.written_arguments import whole_layers, written_arguments

SAID = export_checks.OF_NO_RUN | {
    "world", "tp", "cp", "pp", "ep", "etp", "mbs", "gbs", "microbatches", "precision", "grad_dtype", "optimizer",
    "zero", "recompute", "recompute_layers", "offload", "overlap_grad_reduce", "framework",
    "sequence_parallel", "cp_comm", "vocab_multiple", "moe_dispatch", "zero_shard",
}  # fmt: skip
"""Choices that are written, or looked at here."""


def export(asked: Settled) -> Export:
    """The configuration and the arguments.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("DeepSpeed", asked)
    export_checks.of_framework(words, "deepspeed")
    export_checks.unpadded_vocabulary(words)
    export_checks.no_pipeline(words, "a pipeline is made in Python, by PipelineModule")
    export_checks.sequence_parallel_is(words, False, "AutoTP has none")
    export_checks.context_exchange(words, "a2a", reason="sequence_parallel_size is Ulysses, all to all")
    export_checks.dispatch_of_its_own(words)
    words.leave_out("seq", "the script sets it")
    configuration = _configuration(words)
    arguments = written_arguments(words, whole_layers(words))
    export_checks.estimates(words, {})
    words.others(SAID)
    words.finish()
    return Export((Part("ds_config", ".json", json.dumps(configuration, indent=4) + "\n"), arguments), words.left_out)


def _configuration(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    words.need("precision", "bf16", "fp16", "fp32", reason="it has bf16, fp16 and fp32")
    out: dict[str, Any] = {
        "train_micro_batch_size_per_gpu": values["mbs"],
        "gradient_accumulation_steps": values["microbatches"],
    }
    if values["cp"] == 1:
        # All ranks are counted, those of AutoTP too, which see the same samples.
        world, mbs, steps = (words.asked.size(name) for name in ("world", "mbs", "microbatches"))
        out["train_batch_size"] = mbs * steps * world
    else:
        words.leave_out("world", "the launcher starts it")
        out["sequence_parallel_size"] = values["cp"]
    if values["tp"] != 1:
        out["tensor_parallel"] = {"autotp_size": values["tp"]}
    if values["ep"] != 1:
        out["expert_parallel"] = {"enabled": True, "autoep_size": values["ep"]}
    if values["etp"] != 1:
        words.need("etp", 1, reason="AutoEP keeps experts whole here", hint="--set etp=1")
    out |= {kind: {"enabled": values["precision"] == kind} for kind in ("bf16", "fp16")}
    if values["grad_dtype"] != values["precision"]:
        if values["zero"] == 0:
            words.refuse("grad_dtype", "without ZeRO gradients have the type of the weights", "--set zero=1")
        out["data_types"] = {"grad_accum_dtype": values["grad_dtype"]}
    if values["optimizer"] == "muon":
        out["optimizer"] = {"type": "Muon", "params": {"lr": 0.001}}
    return out | {"zero_optimization": _zero(words)}


def _zero(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    stage, asked = values["zero"], values["offload"]
    shard = words.asked.dp * words.asked.size("cp")
    if values["zero_shard"] == shard:
        words.leave_out("zero_shard")
    elif values["zero_shard"] is not None:
        words.refuse("zero_shard", "it shards over all data-parallel ranks", "--set zero_shard=none")
    kept = frozenset[str]() if asked == "none" else asked
    if not isinstance(kept, frozenset) or kept - {"optimizer", "weights"}:
        words.refuse("offload", "it has optimizer states and weights on the host", "--set offload='{optimizer}'")
        kept = frozenset()
    if kept and (stage == 0 or ("weights" in kept and stage != 3)):
        words.refuse("offload", "states need ZeRO, and weights its stage 3", "--set zero=3")
    gathers = stage == 3
    export_checks.always(
        words, "overlap_param_gather", gathers, "stage 3 gathers ahead, other stages at the step's end"
    )
    zero: dict[str, Any] = {"stage": stage, "overlap_comm": values["overlap_grad_reduce"]}
    if "optimizer" in kept:
        zero["offload_optimizer"] = {"device": "cpu"}
    if "weights" in kept:
        zero["offload_param"] = {"device": "cpu"}
    return zero
