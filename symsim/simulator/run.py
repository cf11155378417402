"""A discrete-event run of a pipelined step: every pass and message as soon as it can be.

Times are numbers, or arrays of numbers that are run at once: what waits for what does not depend on them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from symsim.simulator.events import Event, Events
from symsim.simulator.passes import Kind

Times = Mapping[Kind, Sequence[Sequence[Any]]]
"""Kind of a pass → rank → chunk → seconds."""


@dataclass(frozen=True, slots=True)
class Run:
    """Start and end of every event, in seconds from the start of the first."""

    events: tuple[Event, ...]
    starts: tuple[Any, ...]
    ends: tuple[Any, ...]

    def ranks(self) -> int:
        return 1 + max(event.rank for event in self.events)

    def ended(self) -> list[Any]:
        """When each rank has run its last pass."""
        return [_largest([e for e, at in self._of(i)]) for i in range(self.ranks())]

    def begun(self) -> list[Any]:
        """When each rank begins its first pass."""
        out: list[Any] = [None] * self.ranks()
        for event, start in zip(self.events, self.starts, strict=True):
            if event.kind != "send" and out[event.rank] is None:
                out[event.rank] = start
        return out

    def _of(self, rank: int) -> list[tuple[Any, Event]]:
        pairs = zip(self.ends, self.events, strict=True)
        return [(e, event) for e, event in pairs if event.rank == rank and event.kind != "send"]


def run(events: Events, times: Times, hop: Any = 0.0, paired: Times | None = None) -> Run:
    """Run all events. ``hop``: seconds of one message from rank to rank; ``paired``: the times of passes that run two
    at once, each as what it adds to the other."""
    starts: list[Any] = []
    ends: list[Any] = []
    for event, before in zip(events.events, events.before, strict=True):
        start = _largest([ends[k] for k in before])
        passes = paired if event.paired and paired is not None else times
        lasts = hop if event.kind == "send" else passes[event.kind][event.rank][event.chunk]
        starts.append(start)
        ends.append(start + lasts)
    return Run(events.events, tuple(starts), tuple(ends))


def _largest(values: list[Any]) -> Any:
    if not values:
        return 0.0
    if all(isinstance(v, float | int) for v in values):
        return max(values)
    import numpy as np

    found = values[0]
    for value in values[1:]:
        found = np.maximum(found, value)
    return found
