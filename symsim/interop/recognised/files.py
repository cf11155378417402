"""Kinds of files that are recognised and not read: plans of planners, measurements of machines."""

from __future__ import annotations

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import Kind


def _is_galvatron_plan(file: ForeignFile) -> bool:
    return file.has("pp_deg", "tp_sizes_enc")


KINDS = (
    Kind(
        "galvatron",
        "a plan of Hetu-Galvatron, with tp, dp and checkpoints layer by layer",
        _is_galvatron_plan,
        refused="one strategy for all layers is read here: write its choices after -s, such as tp=2,pp=2,world=8",
    ),
)
