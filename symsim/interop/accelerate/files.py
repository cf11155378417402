"""The kinds of accelerate's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import Kind

_TELLING = ("num_processes", "num_machines", "machine_rank", "mixed_precision", "fsdp_config", "deepspeed_config")


def _is_configuration(file: ForeignFile) -> bool:
    return file.has("distributed_type") and any(file.has(key) for key in _TELLING)


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.accelerate.translate import translate

    return translate(files, lenient)


KINDS = (
    Kind("accelerate", "a configuration of accelerate's launcher", _is_configuration, _translate, reads_others=True),
)
