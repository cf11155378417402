"""How far a predicted step may be off: the errors found at measured runs, wider for all that is different.

Measured runs of one set on one machine, of one kind of model, are a *series*: they share much of their error, so a
series counts once, by its run that is nearest to the plan. With d = Σ weight · difference
(:mod:`symsim.analysis.fitting.plan_traits`), a series adds

- the mean square of its errors, each counted by exp(−d), and
- ``widening``² · d + ``figure``² · doublings² of its nearest run, for what is different there;

series are averaged, each counted by exp(−``falloff`` · d). The bar is the root of that average, of ``repeated``² for
runs of one plan that differ, and of ``beyond``² · doublings² for sizes and figures outside all that was measured. So a
bar holds both bias and scatter, and predictions are not corrected by it. A machine whose kernels nobody measured adds
what its file says (``unmeasured``), in squares. Errors are those of fits without the case
(``accuracy/errors.csv``); the numbers are learned by leaving out whole groups (``accuracy/error_bars.csv``:
:mod:`symsim.analysis.fitting.widening`).
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from heapq import nsmallest
from itertools import groupby
from pathlib import Path

from symsim import resources
from symsim.analysis.fitting.plan_traits import (
    CHOICES,
    DIFFERENCES,
    FIGURES,
    KINDS,
    OF_KIND,
    SIZES,
    WORDS,
    Traits,
    differences,
    differences_of_kind,
    differences_of_size,
    figure_doublings,
    fitted_share,
    group_of,
    traits_of,
)
from symsim.language.figures import UNMEASURED
from symsim.loading.question import Question
from symsim.records.system import System
from symsim.units import decimal_text

NAMED = 3
"""Cases that are named with an answer."""

LEFT_OUT = ("set", "framework", "system", "experts")
"""What is left out as a whole to learn the widening, and to see what bars hold."""


@dataclass(frozen=True, slots=True)
class Known:
    """A measured run: its traits, and the errors of its prediction in per cent.

    ``error_pct`` is that of a fit without its layout; ``left_out`` has, by kind of group, that of a fit without the
    whole group. ``constants`` is how many constants were fitted to runs like it.
    """

    id: str
    set: str
    group: str
    error_pct: float
    traits: Traits
    left_out: Mapping[str, float]
    constants: int = 0
    model: str = ""
    """Runs of one set that agree in this share a model and a machine: their plans may be compared."""
    gpu_us_per_token: float = 0.0
    """Predicted: microseconds of one GPU for each token of the step."""
    series: tuple[str, str, str] = field(init=False)

    def __post_init__(self) -> None:
        series = self.set, group_of("system", "", self.traits), group_of("experts", "", self.traits)
        object.__setattr__(self, "series", series)

    def with_traits(self, traits: Traits) -> Known:
        own = self.constants, self.model, self.gpu_us_per_token
        return Known(self.id, self.set, self.group, self.error_pct, traits, self.left_out, *own)

    def in_group(self, kind: str) -> str:
        """The group of a kind of :data:`LEFT_OUT` that the run is in."""
        return group_of(kind, self.set, self.traits)


@dataclass(frozen=True, slots=True)
class Learned:
    """What was learned from errors: see ``accuracy/error_bars.csv`` for each number's meaning and unit."""

    weights: tuple[float, ...]
    """By :data:`DIFFERENCES`: the distance that a difference of 1 adds."""
    widening: float
    figure: float
    beyond: float
    falloff: float
    repeated: float
    shared: float
    """Correlation of the errors of two plans of one model on one machine that hardly differ."""
    parting: float
    """Distance of two plans at which they share 1/e of that."""


@dataclass(frozen=True, slots=True)
class Table:
    """Measured runs, and what follows from all of them. Runs of one series are next to one another."""

    runs: tuple[Known, ...]
    fitted: Mapping[tuple[str, str], float]
    """("system" or "framework", its name) → share of constants that were fitted to its steps."""
    lowest: tuple[float, ...]
    highest: tuple[float, ...]

    @staticmethod
    def of(runs: Iterable[Known]) -> Table:
        every = sorted(runs, key=lambda run: run.series)
        fitted: dict[tuple[str, str], float] = {}
        for run in every:
            for kind in ("system", "framework"):
                key = kind, run.in_group(kind)
                fitted[key] = max(fitted.get(key, 0.0), fitted_share(run.constants))
        every = [run.with_traits(_fitted(run.traits, fitted)) for run in every]
        columns = list(zip(*((*run.traits.sizes, *run.traits.figures) for run in every), strict=True))
        ends = [[x for x in column if x == x] or [0.0] for column in columns]
        return Table(tuple(every), fitted, tuple(map(min, ends)), tuple(map(max, ends)))

    def placed(self, traits: Traits) -> Traits:
        """A plan's traits with what was fitted to its machine and framework."""
        return _fitted(traits, self.fitted)

    def beyond(self, traits: Traits) -> float:
        """Root of the squared doublings by which sizes and figures are outside all measured ones."""
        ends = zip((*traits.sizes, *traits.figures), self.lowest, self.highest, strict=True)
        return math.sqrt(sum(max(low - x, x - high, 0.0) ** 2 for x, low, high in ends if x == x))


def _fitted(traits: Traits, fitted: Mapping[tuple[str, str], float]) -> Traits:
    found = [fitted.get((kind, traits.words[WORDS.index(kind)]), 0.0) for kind in ("system", "framework")]
    return Traits(traits.words, traits.choices, traits.sizes, traits.figures, (found[0], found[1]))


@dataclass(frozen=True, slots=True)
class ErrorBar:
    """``pct`` is one standard deviation; ``nearest`` are the first runs with their distances."""

    pct: float
    nearest: tuple[tuple[Known, float], ...]
    incomparable: str | None
    """Why no measured run is like the plan, in words; ``None`` where one is."""
    widened_by: tuple[str, ...]
    """What is different at the nearest run, most first."""


def error_bar(asked: Question) -> ErrorBar | None:
    """The error bar of a plan on a machine; ``None`` where nothing was measured."""
    table, numbers = shipped(), learned()
    if table is None or numbers is None:
        return None
    bar, unmeasured = bar_of(traits_of(asked), table, numbers), unmeasured_pct(asked.system)
    if asked.system is None or not unmeasured:
        return bar
    widened_by = (*bar.widened_by, f"kernels and messages borrowed (± {unmeasured:.0f} %)")
    return replace(bar, pct=math.hypot(bar.pct, unmeasured), widened_by=widened_by)


def unmeasured_pct(system: System | None) -> float:
    """What a machine's file adds to the bar, in squares, because its figures are borrowed from other machines."""
    stated = None if system is None else system.figures.get(UNMEASURED)
    return 0.0 if stated is None else 100 * stated.value


def bar_of(traits: Traits, table: Table, numbers: Learned) -> ErrorBar:
    """The bar of a plan; a table has at least one run."""
    traits = table.placed(traits)
    distances = _distances(traits, table, numbers)
    named = tuple((run, far) for far, run in nsmallest(NAMED, distances, key=_distance))
    widened_by = _widened_by(traits, named[0][0].traits, numbers.weights)
    return ErrorBar(_pct(traits, table, numbers, distances), named, _incomparable(traits, table), widened_by)


def pct_of(traits: Traits, table: Table, numbers: Learned) -> float:
    """The width of a plan's bar alone."""
    traits = table.placed(traits)
    return _pct(traits, table, numbers, _distances(traits, table, numbers))


def _distances(traits: Traits, table: Table, numbers: Learned) -> list[tuple[float, Known]]:
    return list(zip(distances_to(traits, table.runs, numbers.weights), table.runs, strict=True))


def _pct(traits: Traits, table: Table, numbers: Learned, distances: Sequence[tuple[float, Known]]) -> float:
    first = min(far for far, _ in distances)
    counted, square = 0.0, 0.0
    for _, series in groupby(distances, key=lambda pair: pair[1].series):
        members = list(series)
        far, run = min(members, key=_distance)
        near = [math.exp(far - other) for other, _ in members]
        own = sum(n * other.error_pct**2 for n, (_, other) in zip(near, members, strict=True)) / sum(near)
        apart = sum(x * x for x in figure_doublings(traits, run.traits))
        counts = math.exp(-numbers.falloff * (far - first))
        counted += counts
        square += counts * (own + numbers.widening**2 * far + numbers.figure**2 * apart)
    outside = (numbers.beyond * table.beyond(traits)) ** 2
    return math.sqrt(square / counted + numbers.repeated**2 + outside)


def _distance(pair: tuple[float, Known]) -> float:
    return pair[0]


def distances_to(traits: Traits, runs: Iterable[Known], weights: Sequence[float]) -> Iterator[float]:
    """Σ weight · difference to each run; what many runs have in common is computed once."""
    of_kind, (parallel, world, batch, seq, model) = weights[:OF_KIND], weights[OF_KIND:]
    known: dict[tuple[object, ...], float] = {}
    sizes = traits.sizes
    for run in runs:
        other = run.traits
        key = other.words, other.choices, other.figures, other.fitted
        if (far := known.get(key)) is None:
            far = sum(w * by for w, by in zip(of_kind, differences_of_kind(traits, other), strict=True))
            known[key] = far
        p, n, b, s, m = differences_of_size(sizes, other.sizes)
        yield far + parallel * p + world * n + batch * b + seq * s + model * m


# In words.

COMPARABLE = 1.0
"""Doublings of the machine's figures up to which a run is comparable."""


def _incomparable(traits: Traits, table: Table) -> str | None:
    """What no measured run has, of machine, framework, kind of model, precision and the machine's figures."""
    words = [run.traits.words for run in table.runs]
    system, framework, precision, kind, _ = traits.words
    told = {
        "system": f"no measured run on {system}",
        "framework": f"no measured run under {framework}",
        "precision": f"no measured run in {precision}",
        "experts": f"no measured run of {KINDS[kind]}",
    }
    for name, text in told.items():
        k = WORDS.index(name)
        if not any(w[k] == traits.words[k] for w in words):
            return text
    alike = [run.traits for run in table.runs if run.traits.words[:4] == traits.words[:4]]
    if not alike:
        return f"no measured run of {KINDS[kind]} in {precision} under {framework} on {system}"
    near = min(alike, key=lambda other: sum(map(abs, figure_doublings(traits, other))))
    apart = figure_doublings(traits, near)
    if sum(map(abs, apart)) <= COMPARABLE:
        return None
    most = max(range(len(apart)), key=lambda k: abs(apart[k]))
    if most == len(FIGURES):
        return f"no measured run on {system} with the figures that were set"
    was, now = (_figure_text(FIGURES[most], t.figures[most]) for t in (near, traits))
    return f"no measured run on {system} with {FIGURES[most]} near {now}; the nearest had {was}"


NAMED_DIFFERENCES = 3
LEAST_NAMED = 0.05
"""Distance below which a difference is not named."""


def _widened_by(traits: Traits, other: Traits, weights: Sequence[float]) -> tuple[str, ...]:
    """What is different at a run, the largest distance first: ``world 64 → 512``."""
    by = zip(DIFFERENCES, weights, differences(traits, other), strict=True)
    found = sorted(((w * d, name) for name, w, d in by if w * d >= LEAST_NAMED), reverse=True)
    return tuple(_difference(name, traits, other) for _, name in found[:NAMED_DIFFERENCES])


_SIZES_OF = {"parallel": SIZES[:4], "world": ("world",), "batch": ("mbs",), "seq": ("seq",), "model": SIZES[7:]}
_WORD = {"system": "machine", "experts": "kind of model"}


def _difference(name: str, traits: Traits, other: Traits) -> str:
    if name in WORDS:
        was, now = (t.words[WORDS.index(name)] for t in (other, traits))
        return f"{_WORD.get(name, name)} {was} → {now}"
    if name == "choices":
        changed = [k for k in range(len(CHOICES)) if traits.choices[k] != other.choices[k]]
        return ", ".join(f"{CHOICES[k]} {other.choices[k] or 'none'} → {traits.choices[k] or 'none'}" for k in changed)
    if name == "figures":
        apart = figure_doublings(traits, other)
        texts = [
            f"{name} {_figure_text(name, other.figures[k])} → {_figure_text(name, traits.figures[k])}"
            for k, name in enumerate(FIGURES)
            if apart[k]
        ]
        return ", ".join([*texts, *["other figures set"] * bool(apart[-1])])
    if name in _SIZES_OF:
        places = [SIZES.index(n) for n in _SIZES_OF[name]]
        pairs = [(SIZES[k], round(2 ** other.sizes[k]), round(2 ** traits.sizes[k])) for k in places]
        return ", ".join(f"{n} {was} → {now}" for n, was, now in pairs if was != now)
    kind = "system" if name == "fitted_system" else "framework"
    fewer = traits.fitted[kind == "framework"] < other.fitted[kind == "framework"]
    own = traits.words[WORDS.index(kind)]
    return f"{'fewer' if fewer else 'more'} constants fitted to steps {'on' if kind == 'system' else 'under'} {own}"


def _figure_text(figure: str, doublings: float) -> str:
    return decimal_text(float(f"{2**doublings:.4g}"), "FLOP/s" if figure.startswith("matmul.") else "B/s")


# The files that come with symsim.


def folder() -> Path:
    return resources.root() / "accuracy"


@cache
def shipped() -> Table | None:
    """The measured runs that come with symsim; ``None`` where the file is missing."""
    lines = _lines(folder() / "errors.csv")
    return Table.of(read(lines)) if lines else None


@cache
def learned() -> Learned | None:
    """What was learned from them."""
    lines = _lines(folder() / "error_bars.csv")
    return read_learned(lines) if lines else None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []


ERRORS = ("error_pct", *(f"without_{name}" for name in LEFT_OUT))
_FIRST = ("id", "set", "group", "model", "constants", "gpu_us_per_token")
COLUMNS = (*_FIRST, *ERRORS, *WORDS, *CHOICES, *SIZES, *FIGURES, "others")


def read(lines: Sequence[str]) -> Iterable[Known]:
    """The rows of ``accuracy/errors.csv``."""
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    next(rows)
    first = len(_FIRST)
    word = first + len(ERRORS)
    choice = word + len(WORDS)
    size = choice + len(CHOICES)
    doublings = {"": math.nan}
    for row in rows:
        for text in row[size:-1]:
            if text not in doublings:
                doublings[text] = math.log2(float(text))
        numbers = [doublings[text] for text in row[size:-1]]
        figures = (*numbers[len(SIZES) :], float(row[-1]))
        traits = Traits(tuple(row[word:choice]), tuple(row[choice:size]), tuple(numbers[: len(SIZES)]), figures)
        error, *others = map(float, row[first:word])
        left_out = dict(zip(LEFT_OUT, others, strict=True))
        yield Known(row[0], row[1], row[2], error, traits, left_out, int(row[4]), row[3], float(row[5]))


NUMBERS = ("widening", "figure", "beyond", "falloff", "repeated", "shared", "parting")


def read_learned(lines: Sequence[str]) -> Learned:
    """The rows of ``accuracy/error_bars.csv``."""
    rows = csv.reader(line for line in lines if not line.startswith("#"))
    values = {row[0]: float(row[1]) for row in rows if row[0] != "name"}
    return Learned(tuple(values[f"weight.{n}"] for n in DIFFERENCES), *(values[n] for n in NUMBERS))
