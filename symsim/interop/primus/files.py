"""The kinds of Primus' files."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import Kind

TRAINERS = ("pre_trainer", "post_trainer", "sft_trainer")
"""Modules that train."""


def _is_experiment(file: ForeignFile) -> bool:
    return any(file.part("modules", name) for name in TRAINERS)


def _translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    from symsim.interop.primus.translate import translate

    return translate(files, lenient)


KINDS = (Kind("primus", "an experiment of Primus", _is_experiment, _translate, reads_others=True),)
