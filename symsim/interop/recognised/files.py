"""Kinds of files that are recognised and not read: plans of planners, measurements of machines."""

from __future__ import annotations

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import Kind
from symsim.interop.huggingface.training_arguments import is_training_arguments


def _is_galvatron_plan(file: ForeignFile) -> bool:
    return file.has("pp_deg", "tp_sizes_enc")


KINDS = (
    Kind(
        "galvatron",
        "a plan of Hetu-Galvatron, with tp, dp and checkpoints layer by layer",
        _is_galvatron_plan,
        refused="one strategy for all layers is read here: write its choices after -s, such as tp=2,pp=2,world=8",
    ),
    Kind(
        "transformers",
        "TrainingArguments of Hugging Face",
        is_training_arguments,
        refused="give them behind the plan: symsim import deepspeed ds_config.json training_args.json",
    ),
)
