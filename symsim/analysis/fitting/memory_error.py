"""How far a predicted peak may be off: the errors that were found at the nearest measured peaks.

``accuracy/memory_errors.csv`` has every measured peak with the error of its prediction.
``accuracy/memory_widening.csv`` says how much wider the error gets where a plan differs from all measured peaks near
it in a word, such as its framework: learned by leaving out all measured peaks that have that word. Both files are
written by ``docs/generate.py memory`` (:mod:`symsim.analysis.fitting.memory_cases`).

Near is what agrees in framework, stated version of the software, precision, recomputation, experts and sharding, and
in the sizes of plan and model; a distance of 1 is one size doubled.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from symsim import resources
from symsim.analysis.fitting.plan_traits import kind_of
from symsim.loading.question import Question

SIZES = ("world", "tp", "pp", "cp", "ep", "mbs", "seq", "hidden", "stage_layers")
"""What is near by; ``stage_layers`` are the layers of a pipeline stage, rounded up."""
WORDS: Mapping[str, float] = {
    "framework": 12.0,
    "software": 6.0,
    "precision": 2.0,
    "recompute": 1.0,
    "experts": 2.0,
    "zero": 1.0,
}
"""What a plan and a case may differ in → the distance that it adds; ASSUMPTION: as much as so many doublings.

Those of a framework and of its stated version are so far that peaks of another count only where there are none."""

FACTOR = "factor"
"""What of the widening multiplies every error: plans are of other runs than those that were measured."""

NEAREST = 8
"""Peaks that an error is made from; enough for one odd run not to decide it."""
NAMED = 3
"""Peaks that are named with an answer."""
ONE_DEVIATION = 0.68
"""Share of errors that one standard deviation holds."""
HALF_WEIGHT = 1.0
"""Distance beyond the nearest peak at which a peak counts half."""
REPLICAS = 1
"""Sizes from which on an error grows with them: more replicas shard states and do nothing else, and that is exact."""
DOUBLED = 6.0
"""Doublings of sizes away from the nearest peak at which the error is √2 times the one found there; ASSUMPTION:
the parts of a peak are proportional to sizes, so that an error in one of them hardly grows with a size."""
SMALLEST_PCT = 0.5
"""ASSUMPTION: two releases of one software differ by as much."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What decides how near two plans are: words, and sizes as powers of two."""

    words: tuple[str, ...]
    sizes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class MeasuredPeak:
    """``error_pct``: the predicted peak over the measured one, less 1, in per cent."""

    id: str
    set: str
    error_pct: float
    traits: Traits


@dataclass(frozen=True, slots=True)
class PeakError:
    """``pct`` is one standard deviation; ``nearest`` are measured peaks with their distances.

    ``unmeasured`` are the words of the plan that no peak among the nearest has, by their names:
    ``{"framework": "fsdp"}``.
    """

    pct: float
    nearest: tuple[tuple[MeasuredPeak, float], ...]
    unmeasured: Mapping[str, str]


def traits_of(asked: Question) -> Traits:
    """What a plan and a model are near by."""
    values, dimensions = asked.plan.values, asked.model.dimensions
    recompute = values["recompute"] if isinstance(values["recompute"], str) else "some"
    stated = values["framework"] != "megatron" or values["te_version"] is not None
    words = (
        str(values["framework"]),
        "stated" if stated else "no te_version",
        str(values["precision"]),
        str(recompute),
        kind_of(asked.model),
        str(values["zero"]),
    )
    layers, stages = dimensions.get("layers"), values["pp"]
    held = math.ceil(layers / stages) if isinstance(layers, int) and isinstance(stages, int) else None
    known = {**dimensions, **values, "stage_layers": held}
    numbers = (known.get(name) for name in SIZES)
    return Traits(words, tuple(math.log2(n) if isinstance(n, int) and n > 0 else 0.0 for n in numbers))


def peak_error(asked: Question) -> PeakError | None:
    """The error of a plan's peak; ``None`` where nothing was measured."""
    return error_near(traits_of(asked), shipped(), widening())


def error_near(traits: Traits, known: Iterable[MeasuredPeak], wider: Mapping[str, float]) -> PeakError | None:
    """Within this the nearest errors are, but for a third; wider with distance and by each word that none of them has.

    Not their mean square, which one row that its source got wrong would decide.
    """
    near = sorted(((peak, distance(traits, peak.traits)) for peak in known), key=lambda pair: pair[1])[:NEAREST]
    if not near:
        return None
    first = near[0][1]
    weights = [0.5 ** ((far - first) / HALF_WEIGHT) for _, far in near]
    within = _quantile([abs(peak.error_pct) for peak, _ in near], weights, ONE_DEVIATION)
    sizes = min(_apart(traits.sizes[REPLICAS:], peak.traits.sizes[REPLICAS:]) for peak, _ in near)
    unmeasured = {
        name: word
        for k, (name, word) in enumerate(zip(WORDS, traits.words, strict=True))
        if all(peak.traits.words[k] != word for peak, _ in near)
    }
    found = within**2 * (1 + sizes / DOUBLED**2)
    spread = math.sqrt(found + sum(wider.get(name, 0.0) ** 2 for name in unmeasured)) * wider.get(FACTOR, 1.0)
    return PeakError(max(spread, SMALLEST_PCT), tuple(near[:NAMED]), unmeasured)


def _quantile(values: Sequence[float], weights: Sequence[float], share: float) -> float:
    """The least value with which so much of the weight is at or below it."""
    below = 0.0
    for value, weight in sorted(zip(values, weights, strict=True)):
        below += weight
        if below >= share * sum(weights):
            return value
    return max(values)


def distance(one: Traits, other: Traits) -> float:
    sizes = _apart(one.sizes, other.sizes)
    words = sum(far**2 for far, a, b in zip(WORDS.values(), one.words, other.words, strict=True) if a != b)
    return math.sqrt(sizes + words)


def _apart(one: Sequence[float], other: Sequence[float]) -> float:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def folder() -> Path:
    """Where the tables of errors are."""
    return resources.root() / "accuracy"


COLUMNS = ("id", "set", "error_pct", *WORDS, *SIZES)


@cache
def shipped() -> tuple[MeasuredPeak, ...]:
    """The measured peaks that come with symsim."""
    return tuple(read(_lines("memory_errors.csv")))


@cache
def widening() -> Mapping[str, float]:
    """By how many per cent the error is wider where nothing was measured with a word, by what the word is of; and
    the factor of all errors."""
    return {row["name"]: float(row["value"]) for row in _rows(_lines("memory_widening.csv"))}


def read(lines: Sequence[str]) -> Iterator[MeasuredPeak]:
    """The measured peaks of a table."""
    for row in _rows(lines):
        traits = Traits(tuple(row[n] for n in WORDS), tuple(math.log2(int(row[n])) for n in SIZES))
        yield MeasuredPeak(row["id"], row["set"], float(row["error_pct"]), traits)


def _rows(lines: Sequence[str]) -> Iterator[dict[str, str]]:
    return csv.DictReader(line for line in lines if not line.startswith("#"))


def _lines(name: str) -> list[str]:
    try:
        return (folder() / name).read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
