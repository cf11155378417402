"""The kinds of SimuMax's files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import NAME_A_MACHINE, Kind

STRATEGY = "a strategy of SimuMax"
MODEL = "a model of SimuMax"


def _is_strategy(file: ForeignFile) -> bool:
    return file.has("micro_batch_num", "tp_size") or file.has("micro_batch_num", "world_size")


def _is_model(file: ForeignFile) -> bool:
    return file.has("hidden_size", "head_num", "layer_num")


def _is_system(file: ForeignFile) -> bool:
    return file.has("sys_name", "accelerator") or file.has("accelerator", "networks")


def _is_audit(file: ForeignFile) -> bool:
    return file.has("schedule", "candidates") and file.has("model")


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.rules.model_and_strategy import Tool

    silent = "SimuMax's class refuses it"
    return Tool("simumax", "SimuMax", STRATEGY, MODEL, silent, title_key="model_name").text(files, lenient)


KINDS = (
    Kind("simumax", STRATEGY, _is_strategy, _translate, pairs=True),
    Kind("simumax", MODEL, _is_model, _translate, pairs=True),
    Kind(
        "simumax",
        "a machine of SimuMax, with its measured efficiencies",
        _is_system,
        refused=NAME_A_MACHINE,
    ),
    Kind(
        "simumax",
        "a report of a search of SimuMax (…_audit.json), no strategy",
        _is_audit,
        refused="give the strategy file that lies next to it",
    ),
)
