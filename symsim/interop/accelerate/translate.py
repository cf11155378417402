"""Read the YAML of accelerate's launcher as a strategy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from symsim.diagnostics import error
from symsim.interop.deepspeed.translate import translate as of_deepspeed
from symsim.interop.foreign_file import ForeignFile, read_foreign
from symsim.interop.huggingface.training_arguments import maps, read_training_arguments, with_arguments
from symsim.interop.json_text import Object
from symsim.interop.model_text import identifier
from symsim.interop.rules.imported_strategy import imported_strategy
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook

BOOK = RuleBook("accelerate")
REFUSED_BY = "accelerate itself refuses this file"
INSTEAD = "change the file, or write the strategy by hand"
SILENT = "accelerate passes over keys of fsdp_config and parallelism_config that it does not know"
PREFIXES = {"fsdp_config": "fsdp_", "parallelism_config": "parallelism_config_", "megatron_lm_config": "megatron_lm_"}
"""What stands before the keys of a block; keys of ``fsdp_config`` work without it too."""
IN_THEIR_FILE = (
    "gradient_accumulation_steps", "gradient_clipping", "zero_stage", "offload_optimizer_device",
    "offload_param_device", "zero3_save_16bit_model", "mixed_precision",
)  # fmt: skip
"""Keys that accelerate refuses where DeepSpeed has a file of its own."""


def translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    """The text of a strategy; a second file holds TrainingArguments.

    Raises:
        InputError: all that is wrong with the files.
    """
    first = files[0]
    assert first.keys is not None
    block = first.part("deepspeed_config")
    if first.keys.get("distributed_type") == "DEEPSPEED" and isinstance(block.get("deepspeed_config_file"), str):
        return _with_file_of_deepspeed(first, block, files[1:], lenient)
    keys = without_prefixes(first.keys)
    arguments = read_training_arguments(files[1], lenient) if len(files) > 1 else None
    own = Reading(keys, first.source, KeyFacts({}), None, REFUSED_BY, "distributed_type", INSTEAD)
    whole = Reading(
        with_arguments(keys, arguments), first.source, KeyFacts({}), None, REFUSED_BY, "distributed_type", INSTEAD
    )
    notes = arguments.notes if arguments is not None else ()
    name = identifier(first.path.stem)
    return imported_strategy(BOOK, "accelerate", whole, name, "", lenient, SILENT, notes=notes, own=own, maps=maps())


def without_prefixes(keys: Object) -> Object:
    """The keys with those of its blocks as the rules name them; places stay."""
    out = Object()
    out.places.update(keys.places)
    for name, value in keys.items():
        out[name] = value
        prefix = PREFIXES.get(name)
        if prefix is not None and isinstance(value, Object):
            block = Object()
            for key, inner in value.items():
                short = key.removeprefix(prefix)
                block[short] = inner
                block.places[short] = value.places[key]
            out[name] = block
    return out


def _with_file_of_deepspeed(file: ForeignFile, block: Object, others: Sequence[ForeignFile], lenient: bool) -> str:
    """The plan is in the file that the block names; the launcher adds the number of its processes."""
    for key in IN_THEIR_FILE:
        if block.get(key) is not None:
            message = f"'{key}' is given next to deepspeed_config_file"
            raise error("E511", message, block.places[key], "accelerate takes it from that file alone")
    path = Path(str(block["deepspeed_config_file"]))
    named = read_foreign(path if path.is_absolute() else file.path.parent / path)
    world = file.keys.get("num_processes") if file.keys is not None else None
    return of_deepspeed([named, *others], lenient, world if isinstance(world, int) and world > 0 else None)
