"""The kinds of nanotron's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import Kind


def _is_configuration(file: ForeignFile) -> bool:
    return file.has("parallelism", "model") and file.has("general") and "model_config" in file.part("model")


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.nanotron.translate import translate

    return translate(files, lenient)


KINDS = (Kind("nanotron", "a configuration of nanotron", _is_configuration, _translate),)
