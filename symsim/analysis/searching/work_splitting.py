"""Work split among workers by halving whatever is too large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from heapq import heapify, heappop, heappush
from itertools import count
from typing import TypeVar

Work = TypeVar("Work")


def split_by_halving(
    whole: Iterable[Work], weigh: Callable[[Work], float], halves: Callable[[Work], Sequence[Work]], wanted: int
) -> list[Work]:
    """Parts, the heaviest first, none of which weighs more than its share of so many, unless it cannot be halved."""
    order = count()
    queue = [(-weigh(work), next(order), work) for work in whole]
    share = -sum(weight for weight, *_ in queue) / max(1, wanted)
    heapify(queue)
    done: list[tuple[float, int, Work]] = []
    while queue and -queue[0][0] > share:
        heaviest = heappop(queue)
        parts = halves(heaviest[2])
        if not parts:
            done.append(heaviest)
        for part in parts:
            heappush(queue, (-weigh(part), next(order), part))
    return [work for *_, work in sorted([*done, *queue], key=lambda entry: entry[:2])]
