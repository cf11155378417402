"""The kinds of DeepSpeed's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import JSON, ForeignFile
from symsim.interop.formats import Kind
from symsim.interop.hjson_text import keys_if_any

_TELLING = ("train_micro_batch_size_per_gpu", "zero_optimization", "zero_allow_untested_optimizer")
_BATCH = ("train_batch_size", "gradient_accumulation_steps", "bf16", "fp16")


def _is_configuration(file: ForeignFile) -> bool:
    if file.path.suffix.lower() not in JSON:
        return False
    keys = keys_if_any(file)
    return any(key in keys for key in _TELLING) or (sum(key in keys for key in _BATCH) > 1 and "output_dir" not in keys)


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.deepspeed.translate import translate

    return translate(files, lenient)


KINDS = (Kind("deepspeed", "a ds_config.json of DeepSpeed", _is_configuration, _translate),)
