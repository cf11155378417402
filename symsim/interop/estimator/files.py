"""The kind of the Megatron Memory Estimator's files: what its page sends."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import Kind

REQUEST = "a request of the Megatron Memory Estimator"


def _is_request(file: ForeignFile) -> bool:
    return file.has("hf_model_path")


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.estimator.translate import translate

    return translate(files, lenient)


KINDS = (Kind("estimator", REQUEST, _is_request, _translate),)
