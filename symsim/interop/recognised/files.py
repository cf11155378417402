"""Kinds of files that are recognised and not read: plans of planners, measurements of machines."""

from __future__ import annotations

import re

from symsim.interop.foreign_file import YAML, ForeignFile
from symsim.interop.formats import Kind
from symsim.interop.huggingface.training_arguments import is_training_arguments
from symsim.interop.json_text import Object

ONE_STRATEGY = "one strategy for all layers is read here: write its choices after -s, such as tp=2,pp=2,world=8"
MEASURED = "measurements of a machine are part of its file, systems/*.sym (docs/machines.md, docs/efficiency.md)"


def _has_key_like(file: ForeignFile, pattern: str) -> bool:
    """Whether the first keys are all of a form."""
    first = list(file.keys or ())[:4]
    return bool(first) and all(re.match(pattern, key) for key in first)


def _is_galvatron_plan(file: ForeignFile) -> bool:
    return file.has("pp_deg", "tp_sizes_enc")


def _is_galvatron_messages(file: ForeignFile) -> bool:
    return _has_key_like(file, r"(allreduce|all2all|allgather)_size_\d+_|pp_size_\d+$") or file.has("overlap_coe")


def _is_galvatron_profile(file: ForeignFile) -> bool:
    if _has_key_like(file, r"(layernum\[[\d,]*\]|layertype_\w+)_bsz\d+"):
        return True
    parts = [part for part in (file.keys or Object()).values() if isinstance(part, Object)]
    return bool(parts) and any(re.match(r"layernum\[|layertype_\d+", key) for key in parts[0])


def _is_galvatron_model(file: ForeignFile) -> bool:
    return file.has("model_size", "hf_model_name_or_path", "hidden_size")


def _is_galvatron_run(file: ForeignFile) -> bool:
    search, run = file.part("search_engine"), file.part("runtime")
    return "hardware_info" in search or "search_space_info" in search or {"parallel", "model"} <= run.keys()


def _is_nnscaler_plan(file: ForeignFile) -> bool:
    return "spmd_descs" in file.part("desc") or file.has("partition_descs", "mesh_desc")


def _is_nnscaler_messages(file: ForeignFile) -> bool:
    return file.has("all gather", "all reduce")


def _is_nnscaler_constraints(file: ForeignFile) -> bool:
    """Its YAML is a list: what each operator may be split along."""
    names = re.findall(r"^[- ] (allowed_partition_dims|replica_allowed|parent_module):", file.source.text, re.MULTILINE)
    return file.keys is None and file.path.suffix.lower() in YAML and len(set(names)) == 3


def _is_nemo(file: ForeignFile) -> bool:
    target = (file.keys or Object()).get("_target_")
    targets = [target, *(file.part(name).get("_target_") for name in ("model", "config", "trainer", "recipe"))]
    named = any(isinstance(t, str) and t.startswith(("nemo.", "nemo_run.")) for t in targets)
    return named or file.has("trainer", "exp_manager", "model")


KINDS = (
    Kind(
        "galvatron",
        "a plan of Hetu-Galvatron, with tp, dp and checkpoints layer by layer",
        _is_galvatron_plan,
        refused=ONE_STRATEGY,
    ),
    Kind("galvatron", "times of messages, measured by Hetu-Galvatron", _is_galvatron_messages, refused=MEASURED),
    Kind("galvatron", "times or memory of layers, measured by Hetu-Galvatron", _is_galvatron_profile, refused=MEASURED),
    Kind(
        "galvatron",
        "a model of Hetu-Galvatron",
        _is_galvatron_model,
        refused="give the config.json of the Hugging Face model that it is based on",
    ),
    Kind("galvatron", "a search or a run of Hetu-Galvatron", _is_galvatron_run, refused=ONE_STRATEGY),
    Kind(
        "nnscaler",
        "a plan of nnScaler, with a split for each operator by its number",
        _is_nnscaler_plan,
        refused=ONE_STRATEGY,
    ),
    Kind("nnscaler", "times of messages, measured by nnScaler", _is_nnscaler_messages, refused=MEASURED),
    Kind(
        "nnscaler",
        "constraints of nnScaler on how an operator is split",
        _is_nnscaler_constraints,
        refused="operators are split here as their text in models/library says; a plan's choices go after -s",
    ),
    Kind(
        "nemo",
        "a configuration of NeMo 1 or 2",
        _is_nemo,
        refused="give the run_config.yaml that Megatron-Bridge, its successor, writes, or the arguments of Megatron",
    ),
    Kind(
        "transformers",
        "TrainingArguments of Hugging Face",
        is_training_arguments,
        refused="give them behind the plan: symsim import deepspeed ds_config.json training_args.json",
    ),
)
