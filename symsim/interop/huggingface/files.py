"""The kinds of Hugging Face's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import JSON, ForeignFile
from symsim.interop.formats import Kind

CONFIGURATION = "a config.json of Hugging Face"


def _is_configuration(file: ForeignFile) -> bool:
    return file.path.suffix.lower() in JSON and (file.has("model_type") or file.has("architectures"))


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.huggingface import translate

    return translate.load(files[0].path, files[0].source).text


KINDS = (Kind("hf", CONFIGURATION, _is_configuration, _translate),)
