"""How far a predicted step may be off: the errors that were found at the nearest measured ones.

Errors are those of a fit without the case (``accuracy/errors.csv``, written by ``docs/generate.py``), so
that they tell of plans that nobody measured. Near is what agrees in machine, framework, precision and
recomputation, and in the sizes of plan and model; a distance of 1 is about one size doubled.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from symsim import resources
from symsim.analysis.load import Question

SIZES = ("world", "tp", "pp", "cp", "ep", "mbs", "seq", "hidden", "layers")
WORDS: Mapping[str, float] = {"system": 3.0, "framework": 3.0, "precision": 2.0, "recompute": 1.0, "experts": 2.0}
"""What a plan and a case may differ in → the distance that it adds; ASSUMPTION: as much as so many doublings."""
NEAREST = 8
"""Cases that an error bar is made from; enough for one odd run not to decide it."""
NAMED = 3
"""Cases that are named with an answer."""
HALF_WEIGHT = 1.0
"""Distance beyond the nearest case at which a case counts half."""
DOUBLED = 3.0
"""Distance of the nearest case at which the bar is √2 times the errors found there.

Chosen so that bars made from other groups hold as many errors as one standard deviation should."""
SMALLEST_PCT = 1.0
"""Two runs of one plan differ by about this much."""


@dataclass(frozen=True, slots=True)
class Traits:
    """What decides how near two plans are: words, and sizes as powers of two."""

    words: tuple[str, ...]
    sizes: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Known:
    """A measured case: its traits and the error of its prediction, in per cent."""

    id: str
    group: str
    error_pct: float
    traits: Traits


@dataclass(frozen=True, slots=True)
class ErrorBar:
    """``pct`` is one standard deviation; ``nearest`` are the first cases with their distances."""

    pct: float
    nearest: tuple[tuple[Known, float], ...]


def traits_of(asked: Question) -> Traits:
    values, dimensions = asked.plan.values, asked.model.dimensions
    recompute = values["recompute"] if isinstance(values["recompute"], str) else "some"
    system = asked.system.name if asked.system is not None else ""
    routed = "moe" if "experts" in dimensions else "dense"
    words = (system, str(values["framework"]), str(values["precision"]), recompute, routed)
    numbers = (values.get(name, dimensions.get(name)) for name in SIZES)
    return Traits(words, tuple(math.log2(n) if isinstance(n, int) and n > 0 else 0.0 for n in numbers))


def error_bar(asked: Question) -> ErrorBar | None:
    """The error bar of a plan on a machine; ``None`` where nothing was measured."""
    return bar_of(traits_of(asked), shipped())


def bar_of(traits: Traits, known: Iterable[Known]) -> ErrorBar | None:
    """A weighted root mean square of the nearest errors, wider the farther they are."""
    near = sorted(((case, distance(traits, case.traits)) for case in known), key=lambda pair: pair[1])[:NEAREST]
    if not near:
        return None
    first = near[0][1]
    weights = [0.5 ** ((far - first) / HALF_WEIGHT) for _, far in near]
    squares = [w * case.error_pct**2 for w, (case, _) in zip(weights, near, strict=True)]
    spread = math.sqrt(sum(squares) / sum(weights)) * math.sqrt(1 + (first / DOUBLED) ** 2)
    return ErrorBar(max(spread, SMALLEST_PCT), tuple(near[:NAMED]))


def distance(one: Traits, other: Traits) -> float:
    sizes = sum((a - b) ** 2 for a, b in zip(one.sizes, other.sizes, strict=True))
    words = sum(far**2 for far, a, b in zip(WORDS.values(), one.words, other.words, strict=True) if a != b)
    return math.sqrt(sizes + words)


def table_path() -> Path:
    return resources.root() / "accuracy" / "errors.csv"


@cache
def shipped() -> tuple[Known, ...]:
    """The measured cases that come with symsim."""
    try:
        text = table_path().read_text(encoding="utf-8")
    except OSError:
        return ()
    return tuple(read(text.splitlines()))


COLUMNS = ("id", "set", "group", "error_pct", *WORDS, *SIZES)


def read(lines: Sequence[str]) -> Iterable[Known]:
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        traits = Traits(tuple(row[n] for n in WORDS), tuple(math.log2(int(row[n])) for n in SIZES))
        yield Known(row["id"], row["group"], float(row["error_pct"]), traits)
