"""The TrainingArguments that a script needs for a plan: what files of DeepSpeed and accelerate do not hold."""

from __future__ import annotations

import json

from symsim.interop.exports import Expressed, Part

ROLE = "training_arguments"
OPTIMIZERS = {"adam": "adamw_torch_fused", "adam_8bit": "adamw_bnb_8bit", "adafactor": "adafactor", "sgd": "sgd"}


def written_arguments(words: Expressed, recomputes: bool) -> Part:
    """Micro-batch, accumulation, precision, optimizer and recomputation, as a Trainer takes them."""
    values = words.asked.values
    words.need("optimizer", *OPTIMIZERS, reason="transformers has no such optimizer", hint="--set optimizer=adam")
    arguments = {
        "output_dir": "out",
        "per_device_train_batch_size": values["mbs"],
        "gradient_accumulation_steps": values["microbatches"],
        "bf16": values["precision"] == "bf16",
        "fp16": values["precision"] == "fp16",
        "optim": OPTIMIZERS.get(str(values["optimizer"])),
        "gradient_checkpointing": recomputes,
    }
    return Part(ROLE, ".json", json.dumps(arguments, indent=4) + "\n")


def whole_layers(words: Expressed) -> bool:
    """Whether every layer is recomputed whole: the one kind that there is, besides none."""
    values = words.asked.values
    if values["recompute"] not in ("none", "full"):
        words.refuse("recompute", "it recomputes whole layers or nothing", "--set recompute=full")
    if values["recompute_layers"] is not None:
        words.refuse("recompute_layers", "it recomputes every layer", "--set recompute_layers=none")
    words.leave_out("recompute_method")
    return values["recompute"] == "full"
