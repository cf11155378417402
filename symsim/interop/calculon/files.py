"""The kinds of Calculon's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import NAME_A_MACHINE, Kind

STRATEGY = "an execution of Calculon"
MODEL = "a model of Calculon"


def _is_execution(file: ForeignFile) -> bool:
    return file.has("num_procs", "tensor_par") or file.has("tensor_par", "pipeline_par")


def _is_model(file: ForeignFile) -> bool:
    return file.has("attn_heads", "num_blocks") or file.has("hidden", "feedforward", "attn_heads")


def _is_system(file: ForeignFile) -> bool:
    return file.has("matrix", "vector") or file.has("mem1", "networks")


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.rules.model_and_strategy import Tool

    silent = "Calculon refuses it in an execution and passes over it in a model"
    return Tool("calculon", "Calculon", STRATEGY, MODEL, silent).text(files, lenient)


KINDS = (
    Kind("calculon", STRATEGY, _is_execution, _translate, pairs=True),
    Kind("calculon", MODEL, _is_model, _translate, pairs=True),
    Kind(
        "calculon",
        "a machine of Calculon",
        _is_system,
        refused=NAME_A_MACHINE,
    ),
)
