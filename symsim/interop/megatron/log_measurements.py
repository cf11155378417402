"""What a log of Megatron measured: memory of ranks, times of iterations, the padded vocabulary.

Source: megatron-core 0.19.2, megatron/training/utils/common_utils.py (report_memory: MB are 2^20 bytes, printed by the
ranks that are first among their data-parallel ones), training.py (training_log), vocab_utils.py.
"""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass, field

_REPORT = re.compile(
    r"\[Rank (\d{1,7})\] \(after \d+ iterations\) memory \(MB\) \| allocated: ([\d.]{1,16}) \| "
    r"max allocated: ([\d.]{1,16}) \| reserved: [\d.]{1,16} \| max reserved: ([\d.]{1,16})"
)
_ITERATION = re.compile(r"elapsed time per iteration \(ms\): ([\d.]{1,16})")
_VOCABULARY = re.compile(r"padded vocab \(size: (\d{1,9})\)")
MB = 2**20


@dataclass(frozen=True, slots=True)
class Report:
    """Bytes of one rank: allocated between two steps, most allocated, most reserved."""

    between_steps: int
    peak: int
    reserved: int


@dataclass(frozen=True, slots=True)
class Measurements:
    """``reports``: rank → its last report; ``iteration_s``: the median of the second half of the iterations."""

    reports: dict[int, Report] = field(default_factory=dict)
    iteration_s: float | None = None
    vocabulary: int | None = None


def measurements(text: str) -> Measurements:
    """What the lines of a log measured."""
    reports = {int(m[1]): Report(*(_bytes(m[k]) for k in (2, 3, 4))) for m in _REPORT.finditer(text)}
    times = [float(m[1]) / 1000 for m in _ITERATION.finditer(text) if m[1].count(".") <= 1]
    words = _VOCABULARY.search(text)
    later = times[len(times) // 2 :]
    return Measurements(reports, statistics.median(later) if later else None, int(words[1]) if words else None)


def _bytes(text: str) -> int:
    return round(float(text) * MB) if text.count(".") <= 1 and text != "." else 0
