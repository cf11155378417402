"""A search parted among workers: units of variants, made finer where there are fewer than workers.

What comes of a portion adds up to the same answer however a search is parted: a variant is split between
numbers of stages alone, and the rules of a point are asked in the same order then.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from itertools import accumulate, groupby

from symsim.analysis.searching.space import Axis, Refused, Variant, kinship

Unit = Sequence[Variant | Refused]

EACH = 2
"""Portions for each worker: so many that all end at about the same time."""

FORMULAS = 20_000
"""What the formulas of one variant take to be put together, in points of a space."""

MOST = 10_000_000
"""Points of a variant beyond which more of them are mostly illegal ones."""


@dataclass(frozen=True, slots=True)
class Portion:
    """A unit for one worker, and how many variants of the search are finished with it."""

    unit: Unit
    variants: int

    @property
    def weight(self) -> int:
        return sum(_weight(part) for part in self.unit)


def _weight(part: Variant | Refused) -> int:
    return FORMULAS + min(part.points, MOST) if isinstance(part, Variant) else 0


def portions(units: Sequence[Unit], workers: int) -> list[Portion]:
    """The units, the largest first; the largest are halved until each worker has :data:`EACH` of them."""
    order = 0
    queue: list[tuple[int, int, Portion]] = []
    for unit in units:
        whole = Portion(unit, len(unit))
        queue.append((-whole.weight, order, whole))
        order += 1
    heapify(queue)
    done: list[tuple[int, int, Portion]] = []
    while queue and len(queue) + len(done) < EACH * workers:
        largest = heappop(queue)
        halves = _halves(largest[2])
        if not halves:
            done.append(largest)
        for half in halves:
            heappush(queue, (-half.weight, order, half))
            order += 1
    return [portion for *_, portion in sorted([*done, *queue])]


def _halves(portion: Portion) -> list[Portion]:
    """Two portions of about the same weight, or none where nothing can be parted.

    Variants that are alike stay together as long as there are others, and then their numbers of stages are parted:
    what they share of a point is computed once for all of them.
    """
    families = [list(family) for _, family in groupby(portion.unit, kinship)]
    live = [part for part in portion.unit if isinstance(part, Variant)]
    if len(families) == 1 and live and len({part.axes for part in live}) == 1 and live[0].points >= FORMULAS:
        halves = _stages_parted(live)
        if halves is not None:
            return [Portion(halves[0], portion.variants), Portion(halves[1], 0)]
    if len(families) == 1:
        families = [[part] for part in portion.unit]
    if len(families) < 2:
        return []
    weights = list(accumulate(sum(map(_weight, family)) for family in families))
    middle = min(range(1, len(weights)), key=lambda k: abs(2 * weights[k - 1] - weights[-1]))
    first = [part for family in families[:middle] for part in family]
    second = [part for family in families[middle:] for part in family]
    return [Portion(first, len(first)), Portion(second, portion.variants - len(first))]


def _stages_parted(parts: Sequence[Variant]) -> tuple[list[Variant], list[Variant]] | None:
    axes = parts[0].axes
    at = next((k for k, axis in enumerate(axes) if axis.name == "pp" and len(axis.values) > 1), None)
    if at is None:
        return None
    # Every second number: short pipelines have more legal plans than long ones.
    even, odd = slice(None, None, 2), slice(1, None, 2)
    return [_with_places(part, at, even) for part in parts], [_with_places(part, at, odd) for part in parts]


def _with_places(variant: Variant, at: int, kept: slice) -> Variant:
    axis = variant.axes[at]
    axes = (*variant.axes[:at], Axis(axis.name, axis.values[kept]), *variant.axes[at + 1 :])
    places = (*variant.places[:at], variant.places[at][kept], *variant.places[at + 1 :])
    return replace(variant, axes=axes, places=places)
