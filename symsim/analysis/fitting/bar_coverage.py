"""What error bars hold of measured runs whose whole group was left out: of the fits, and of what bars are made from."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TypeVar

from symsim.analysis.fitting.error_bar import Known, Learned, Table, pct_of
from symsim.analysis.fitting.faster_of_two import TOO_CLOSE
from symsim.analysis.fitting.pairs import Pair, learn_shared, pairs_of, surety
from symsim.analysis.fitting.plan_traits import DIFFERENCES, FIGURES, SIZES, WORDS, Traits
from symsim.analysis.fitting.widening import SCHEMES, Held, LeftOut, as_learned, coverage

T = TypeVar("T")

FEWEST = 10
"""Runs of a set below which its own coverage says little."""
EVERY = 8
"""Of so many runs one stands for all where a difference is tried."""
SURETY = (0.5, TOO_CLOSE, 0.8, 0.9, 0.95, 0.99, 1.0)
"""Ends of the classes by which pairs are counted."""


@dataclass(frozen=True, slots=True)
class Covered:
    """What the bars of some runs hold; shares within one bar and two, ``width`` = median bar over median |error|."""

    runs: int
    one: float
    two: float
    median_bar_pct: float
    median_error_pct: float

    @property
    def width(self) -> float:
        return self.median_bar_pct / self.median_error_pct


@dataclass(frozen=True, slots=True)
class Sure:
    """Pairs of which it was said with about the same surety which is faster; ``right`` is the share that was."""

    low: float
    high: float
    pairs: int
    said: float
    right: float


@dataclass(frozen=True, slots=True)
class ErrorBars:
    """``held`` has every run by what was left out; ``widened`` the median bar of runs by what is made different."""

    learned: Learned
    held: Mapping[str, Sequence[Held]]
    usual_pct: float
    widened: Mapping[str, float]
    sure: Mapping[str, Sequence[Sure]]


def error_bars(runs: Iterable[Known], tick: Callable[[], None] = lambda: None) -> ErrorBars:
    """Learn from all runs, and say what bars hold that were learned without each group."""
    table = Table.of(runs)
    left_out = LeftOut(table.runs)
    values = left_out.learn()
    first = as_learned(values, 0.0, 1.0)
    held = {scheme: left_out.held(scheme, values, tick) for scheme in SCHEMES}
    numbers = as_learned(values, *learn_shared(pairs_of(held["layout"], first.weights)))
    usual, widened = widening_of(table, numbers)
    sure = {scheme: surety_of(held[scheme], numbers) for scheme in ("layout", "set")}
    return ErrorBars(numbers, held, usual, widened, sure)


def covered(held: Sequence[Held]) -> Covered:
    one, two = coverage(held)
    bars, errors = [h.bar_pct for h in held], [abs(h.error_pct) for h in held]
    return Covered(len(held), one, two, statistics.median(bars), statistics.median(errors))


def by_set(held: Iterable[Held]) -> dict[str, Covered]:
    """Sets of at least :data:`FEWEST` runs."""
    sets: dict[str, list[Held]] = {}
    for one in held:
        sets.setdefault(one.run.set, []).append(one)
    return {name: covered(members) for name, members in sets.items() if len(members) >= FEWEST}


def surety_of(held: Iterable[Held], numbers: Learned) -> list[Sure]:
    """How often the order of two runs was right, by how sure it was said to be."""
    told = [(*surety(pair, numbers), pair) for pair in pairs_of(held, numbers.weights)]
    out = []
    for low, high in pairwise(SURETY):
        found: list[tuple[float, bool, Pair]] = [t for t in told if low <= t[0] < high or t[0] == high == 1]
        if found:
            weight = sum(p.weight for _, _, p in found)
            said = sum(s * p.weight for s, _, p in found) / weight
            right = sum(r * p.weight for _, r, p in found) / weight
            out.append(Sure(low, high, len(found), said, right))
    return out


# What a difference makes of a bar.

TRIED = 3.0
"""Doublings by which a size is moved: eight times as large."""
SLOWER = 5.3
"""Doublings by which the network is made slower: to a fortieth."""


def widening_of(table: Table, numbers: Learned) -> tuple[float, dict[str, float]]:
    """The median bar of measured plans, and of the same with one thing different that no run has."""
    some = [run.traits for run in table.runs[::EVERY]]

    def median(change: Callable[[Traits], Traits]) -> float:
        return statistics.median(pct_of(change(traits), table, numbers) for traits in some)

    return median(lambda traits: traits), {name: median(_changing(name)) for name in DIFFERENCES if name not in FITTED}


FITTED = ("fitted_system", "fitted_framework")
_MOVED = {"parallel": "tp", "world": "world", "batch": "mbs", "seq": "seq", "model": "hidden"}


def _changing(name: str) -> Callable[[Traits], Traits]:
    """A plan with one thing different."""

    def change(traits: Traits) -> Traits:
        if name in WORDS:
            return replace(traits, words=_with(traits.words, WORDS.index(name), "another"))
        if name == "choices":
            return replace(traits, choices=_with(traits.choices, 0, "another"))
        if name == "figures":
            at = FIGURES.index("network.bandwidth")
            return replace(traits, figures=_with(traits.figures, at, traits.figures[at] - SLOWER))
        at = SIZES.index(_MOVED[name])
        return replace(traits, sizes=_with(traits.sizes, at, traits.sizes[at] + TRIED))

    return change


def _with(values: tuple[T, ...], at: int, value: T) -> tuple[T, ...]:
    return (*values[:at], value, *values[at + 1 :])
