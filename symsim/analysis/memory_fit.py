"""Whether a plan fits into the memory of its machine: one rule for every command, and one word to relax it.

``fit = device`` (the default) asks that all that a device has to hold is within its memory: the peak, the buffers of
the communication library and the context. ``fit = peak`` asks it of the peak alone, ``fit = none`` of nothing. What
the allocator keeps cached is in none of them: it gives it back before it runs out of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symsim.analysis.fitting.memory_error import PeakError, peak_error
from symsim.loading.question import Question

DEVICE, PEAK, CAPACITY = "memory.device", "memory.peak", "memory.capacity"
CACHED = "memory.cached"

MEASURES: Mapping[str, str | None] = {"device": DEVICE, "peak": PEAK, "none": None}
"""Word of ``fit`` → the output that has to be within the machine's memory."""


@dataclass(frozen=True, slots=True)
class MemoryFit:
    """Bytes of one device on the stage where they are the most; what needs a machine is ``None`` without one.

    ``fit`` is the word that says what has to fit. ``error`` is that of the predicted peak; ``None`` where no peak was
    ever measured.
    """

    fit: str
    peak: float
    device: float | None
    cached: float | None
    capacity: float | None
    error: PeakError | None

    @property
    def measure(self) -> float | None:
        """What has to fit; ``None`` where nothing has to."""
        return {"device": self.device, "peak": self.peak, "none": None}[self.fit]

    @property
    def fits(self) -> bool | None:
        """``None`` without a machine, and where nothing has to fit."""
        if self.measure is None or self.capacity is None:
            return None
        return bool(self.measure <= self.capacity)

    @property
    def near_limit(self) -> bool:
        """Whether the limit is within the error of the peak: the plan may turn out on its other side."""
        if self.measure is None or self.capacity is None or self.error is None:
            return False
        return bool(abs(self.capacity - self.measure) <= self.peak * self.error.pct / 100)

    @property
    def excess(self) -> float:
        """Bytes that the machine lacks; 0 where the plan fits."""
        return 0.0 if self.fits is not False else float(self.measure - self.capacity)  # type: ignore[operator]


def memory_fit(asked: Question, values: Mapping[str, Any]) -> MemoryFit:
    """How a plan fits; ``values`` are the outputs of its formulas."""
    device, cached = values.get(DEVICE), values.get(CACHED)
    known = asked.system is not None and device is not None
    capacity = asked.system.figures[CAPACITY].value if known and asked.system is not None else None
    return MemoryFit(word_of(asked.plan.values), values[PEAK], device, cached, capacity, peak_error(asked))


def word_of(values: Mapping[str, Any]) -> str:
    """The word of ``fit`` among the values of a strategy."""
    return str(values.get("fit") or "device")


def requirement(values: Mapping[str, Any]) -> str | None:
    """What every plan on a machine must meet, as one would write it; ``None`` where nothing has to fit."""
    measure = MEASURES[word_of(values)]
    return None if measure is None else f"{measure} <= {CAPACITY}"


def measure_of(values: Mapping[str, Any]) -> str:
    """The output that has to fit; the peak, where nothing has to."""
    return MEASURES[word_of(values)] or PEAK
