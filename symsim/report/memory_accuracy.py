"""The tables from which the error of a predicted peak comes."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

from symsim.analysis.fitting.memory_cases import coverage, learned_widening
from symsim.analysis.fitting.memory_error import COLUMNS, MeasuredPeak

ERRORS = """\
# Errors of predicted peaks, and what decides how near a plan is: see docs/memory.md. Predicted over measured, less 1,
# in per cent; a run that states the version of TransformerEngine stands here a second time without it.
"""
WIDENING = """\
# How much wider the error of a peak is, in per cent, where none of the nearest measured peaks has the plan's word;
# learned from so many groups, each left out whole. The factor multiplies every error: with it {one:.0%} of the peaks
# lie within one and {two:.0%} within two errors that were made without their set.
"""


def error_table(peaks: Sequence[MeasuredPeak]) -> str:
    """``accuracy/memory_errors.csv``."""
    rows = [
        [
            p.id,
            p.set,
            f"{round(p.error_pct, 2) + 0.0:.2f}",
            *p.traits.words,
            *(str(round(2**size)) for size in p.traits.sizes),
        ]
        for p in peaks
    ]
    return ERRORS + _csv(COLUMNS, rows)


def widening_table(peaks: Sequence[MeasuredPeak]) -> str:
    """``accuracy/memory_widening.csv``."""
    learned = learned_widening(peaks)
    one, two = coverage(peaks, {name: value for name, (value, _) in learned.items()})
    rows = [[name, f"{value:g}", str(groups)] for name, (value, groups) in learned.items()]
    return WIDENING.format(one=one, two=two) + _csv(("name", "value", "groups"), rows)


def _csv(columns: Iterable[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue()
