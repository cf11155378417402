"""The events of a pipelined step and which of them wait for which: passes, and messages between ranks.

An overlapped message leaves when the pass before it ends, and nobody waits but the pass that needs it.
A blocking one is a meeting: it starts when both ranks have come to it, and both go on when it is done.
Sends and receives that a rank hands over together run at once. Source: Megatron-Core,
pipeline_parallel/schedules.py and p2p_communication.py (batched isend and irecv).
"""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from symsim.simulator.passes import Kind, Order, stage

EventKind = Literal["F", "B", "W", "send"]
Message = tuple[Kind, int, int, int]
"""What is sent: the output of a forward pass or the gradient of an input, of (pipeline, stage, micro-batch)."""


@dataclass(frozen=True, slots=True)
class Event:
    """A pass of a rank, or a message from ``rank`` to ``other``, of what pass ``kind`` it carries ``carries``.

    Two ``paired`` passes run at once: they begin when both can, and what they make leaves when both are over.
    """

    kind: EventKind
    rank: int
    chunk: int
    micro_batch: int
    other: int = -1
    carries: Kind = "F"
    paired: bool = False


@dataclass(frozen=True, slots=True)
class Events:
    """Events in an order in which each comes after all that it waits for (``before``, by position)."""

    events: tuple[Event, ...]
    before: tuple[tuple[int, ...], ...]


class DeadlockError(ValueError):
    """Ranks wait for each other for ever."""


def events_of(orders: list[Order], schedule: str, blocking: bool = False) -> Events:
    """All events of a step.

    Raises:
        DeadlockError: an order that never comes to its end.
    """
    return _Builder(orders, schedule).build(blocking)


class _Builder:
    """Numbers passes and messages, then sorts them."""

    def __init__(self, orders: list[Order], schedule: str) -> None:
        self.orders, self.schedule, self.p = orders, schedule, len(orders)
        self.last = max(stage(schedule, self.p, i, one.chunk)[1] for i, o in enumerate(orders) for one in o)
        self.events: list[Event] = []
        self.before: list[list[int]] = []
        self.passes: dict[Message, int] = {}
        self.rank_of: dict[tuple[int, int], int] = {}
        self.ids: list[list[int]] = []
        self.index: list[int] = []
        for i, order in enumerate(orders):
            own: list[int] = []
            count: Counter[Kind] = Counter()
            for one in order:
                way, k = stage(schedule, self.p, i, one.chunk)
                self.rank_of[way, k] = i
                own.append(self._add(Event(one.kind, i, one.chunk, one.micro_batch, paired=one.paired)))
                self.passes[one.kind, way, k, one.micro_batch] = own[-1]
                self.index.append(count[one.kind])
                count[one.kind] += 1
            self.ids.append(own)

    def _add(self, event: Event) -> int:
        self.events.append(event)
        self.before.append([])
        return len(self.events) - 1

    def _message(self, needed: Message) -> tuple[Message, int] | None:
        """What a pass waits for from elsewhere: its message, and the pass that makes it."""
        kind, way, k, one = needed
        if kind == "F" and k > 0:
            made: Message = ("F", way, k - 1, one)
        elif kind == "B" and k < self.last:
            made = ("B", way, k + 1, one)
        else:
            return None
        return made, self.passes[made]

    def build(self, blocking: bool) -> Events:
        sends: dict[Message, int] = {}
        for needed, one in list(self.passes.items()):
            if needed[0] == "B":
                self.before[one].append(self.passes["F", *needed[1:]])
            found = self._message(needed)
            if found is None:
                continue
            made, maker = found
            sender, receiver = self.events[maker], self.events[one]
            if sender.rank == receiver.rank:
                self.before[one].append(maker)
                continue
            sends[made] = self._add(
                Event("send", sender.rank, sender.chunk, sender.micro_batch, receiver.rank, made[0])
            )
            self.before[sends[made]].append(maker)
            self.before[one].append(sends[made])
        for i, own in enumerate(self.ids):
            if blocking:
                self._meet(i, own, sends)
            else:
                self._pair(own)
                for earlier, later in pairwise(own):
                    self.before[later].append(earlier)
        return self._sorted()

    def _pair(self, own: list[int]) -> None:
        """A forward pass waits for what its partner waits for, and what it makes leaves with what that makes."""
        leaves = {maker: k for k, event in enumerate(self.events) if event.kind == "send" for maker in self.before[k]}
        for earlier, later in pairwise(own):
            if self.events[earlier].paired and self.events[earlier].kind == "F":
                self.before[earlier] += self.before[later]
                if earlier in leaves:
                    self.before[leaves[earlier]].append(later)

    def _meet(self, i: int, own: list[int], sends: dict[Message, int]) -> None:
        """Between two turns of a rank: what the first made goes out, what the second needs comes in."""
        turns = _turns(own, self._paired(i))
        gathered = self._gathered(i, turns, sends)
        at: list[int] = []
        for k, turn in enumerate(turns):
            for bundle in gathered[k]:
                for message in bundle:
                    self.before[message] += at
                at = bundle or at
            for one in turn:
                self.before[one] += at
                at = [one]
        for bundle in gathered[len(turns)]:
            for message in bundle:
                self.before[message] += at
            at = bundle or at

    def _gathered(self, i: int, turns: list[list[int]], sends: dict[Message, int]) -> list[list[list[int]]]:
        """For each gap between turns (and before the first, after the last) the bundles that meet there."""
        out: list[list[int]] = [[] for _ in range(len(turns) + 1)]
        into: list[list[int]] = [[] for _ in range(len(turns) + 1)]
        for k, turn in enumerate(turns):
            for one in turn:
                event = self.events[one]
                if event.kind == "W":
                    continue
                key: Message = (event.kind, *stage(self.schedule, self.p, i, event.chunk), event.micro_batch)  # type: ignore[assignment]
                if key in sends:
                    out[k + 1].append(sends[key])
                found = self._message(key)
                if found is not None and found[0] in sends:
                    ahead = self.index[one] - self.index[found[1]] - self.p if self._wraps(event) else 0
                    into[max(0, k - ahead)].append(sends[found[0]])
        if self.schedule == "interleaved":
            return [[o + n] for o, n in zip(out, into, strict=True)]
        bundles: list[list[list[int]]] = []
        for o, n in zip(out, into, strict=True):
            partners = {self._partner(m, i) for m in (*o, *n)}
            bundles.append([o + n] if len(partners) == 1 else [o, n])
        return bundles

    def _partner(self, message: int, i: int) -> int:
        event = self.events[message]
        return event.other if event.rank == i else event.rank

    def _wraps(self, event: Event) -> bool:
        """What comes round from the other end of the pipeline is taken p turns after the pass that
        makes it, though it may be needed later."""
        return self.schedule == "interleaved" and (
            (event.kind == "F" and event.rank == 0) or (event.kind == "B" and event.rank == self.p - 1)
        )

    def _paired(self, i: int) -> range:
        """When interleaved, a rank meets its neighbours after a forward and a backward pass, from the end
        of its warm-up on; each rank's is two passes longer than the next one's."""
        if self.schedule != "interleaved":
            return range(0)
        first = [one.kind for one in self.orders[-1]].index("B") - 1 + 2 * (self.p - 1 - i)
        return range(first, len(self.orders[i]) - first)

    def _sorted(self) -> Events:
        after: list[list[int]] = [[] for _ in self.events]
        waiting = [len(b) for b in self.before]
        for one, needed in enumerate(self.before):
            for other in needed:
                after[other].append(one)
        ready = deque(k for k, n in enumerate(waiting) if n == 0)
        order: list[int] = []
        while ready:
            one = ready.popleft()
            order.append(one)
            for other in after[one]:
                waiting[other] -= 1
                if waiting[other] == 0:
                    ready.append(other)
        if len(order) < len(self.events):
            raise DeadlockError(f"{self.schedule}: {len(self.events) - len(order)} passes and messages never run")
        position = {one: k for k, one in enumerate(order)}
        before = tuple(tuple(position[b] for b in self.before[one]) for one in order)
        return Events(tuple(self.events[one] for one in order), before)


def _turns(own: list[int], paired: range) -> list[list[int]]:
    """What a rank runs between two meetings: one pass; two where both positions are ``paired``."""
    turns: list[list[int]] = []
    k = 0
    while k < len(own):
        size = 2 if k in paired else 1
        turns.append(own[k : k + size])
        k += size
    return turns
