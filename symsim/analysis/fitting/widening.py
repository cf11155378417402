"""Learns how much wider an error bar is for each kind of difference, by leaving out whole groups of measured runs.

Every run is given the bar that it would have if nobody had measured its group: its layout, its whole set, framework,
machine, or kind of model. Errors are those of fits without the group too. The numbers are those under which the errors
are likeliest, for a Student t distribution of the bar's width: few runs are much farther off than most. Each number
starts at a value that is plausible before anything was measured, and is held there by a weak prior, because the groups
are few. The search doubles and halves one number after the other, then multiplies by smaller factors.

The same formula as :func:`symsim.analysis.fitting.error_bar.bar_of`, for all runs at once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symsim.analysis.fitting.error_bar import NUMBERS, Known, Learned
from symsim.analysis.fitting.plan_traits import DIFFERENCES, WORDS, Traits, differences, figure_doublings, fitted_share

Array = NDArray[np.float64]

START: Mapping[str, float] = {
    "weight.system": 1.0,
    "weight.framework": 1.0,
    "weight.precision": 0.7,
    "weight.experts": 1.0,
    "weight.family": 0.3,
    "weight.choices": 0.2,
    "weight.figures": 0.2,
    "weight.fitted_system": 0.5,
    "weight.fitted_framework": 0.5,
    "weight.parallel": 0.1,
    "weight.world": 0.1,
    "weight.batch": 0.1,
    "weight.seq": 0.2,
    "weight.model": 0.1,
    "widening": 8.0,
    "figure": 4.0,
    "beyond": 5.0,
    "falloff": 1.0,
    "repeated": 1.5,
}
"""Where each number begins; ASSUMPTION: a distance of 1 is a machine, a framework, experts, or ten doublings."""

SCHEMES: Mapping[str, float] = {"layout": 1.0, "set": 3.0, "framework": 1.0, "system": 1.0, "experts": 0.5}
"""What is left out → how much its errors count; a plan that someone asks about is of a set of its own."""

FACTORS = (2.0, math.sqrt(2.0))
ROUNDS = 2
"""How often all numbers are tried with each factor."""
PRIOR = 0.01
"""What a factor of e away from its start costs, in nats of an average run."""
FREEDOM = 6.0
"""Degrees of freedom of the t distribution."""
NORMAL = 0.95
"""Its scale over the bar, for as much within one bar as of a normal distribution within one standard deviation."""


@dataclass(frozen=True, slots=True)
class Point:
    """Runs of one set that differ in nothing that counts, as repeated runs: they are one point."""

    runs: tuple[Known, ...]

    @property
    def traits(self) -> Traits:
        return self.runs[0].traits


class LeftOut:
    """All runs at once, and bars of each without its group."""

    def __init__(self, runs: Sequence[Known]) -> None:
        found: dict[Any, list[Known]] = {}
        for run in runs:
            found.setdefault((run.set, run.group, run.traits), []).append(run)
        self.points = sorted((Point(tuple(members)) for members in found.values()), key=lambda p: p.runs[0].series)
        traits = [p.traits for p in self.points]
        self._apart = np.array([[differences(a, b) for b in traits] for a in traits]).transpose(2, 0, 1)
        self._apart[FITTED] = 0.0  # depends on what is left out
        self._apart = self._apart.astype(np.float32)
        doublings = np.array([[sum(x * x for x in figure_doublings(a, b)) for b in traits] for a in traits])
        self._figures: Array = doublings
        series = [p.runs[0].series for p in self.points]
        self._starts = np.array([k for k, s in enumerate(series) if k == 0 or s != series[k - 1]])
        self._of_series = np.repeat(np.arange(len(self._starts)), np.diff([*self._starts, len(series)]))
        self._squares = np.array([np.mean([r.error_pct**2 for r in p.runs]) for p in self.points])
        self._runs = np.array([float(len(p.runs)) for p in self.points])
        self._schemes = {name: self._scheme(name) for name in SCHEMES}
        sets: dict[str, int] = {}
        for run in runs:
            sets[run.set] = sets.get(run.set, 0) + 1
        self._counts = np.array([len(p.runs) / math.sqrt(sets[p.runs[0].set]) for p in self.points])

    def group(self, scheme: str, run: Known) -> str:
        return run.group if scheme == "layout" else run.in_group(scheme)

    def error(self, scheme: str, run: Known) -> float:
        return run.error_pct if scheme == "layout" else run.left_out[scheme]

    def _scheme(self, name: str) -> _Scheme:
        """What a scheme leaves to learn from, what is then fitted, and how far outside all of it each point is."""
        groups = [self.group(name, p.runs[0]) for p in self.points]
        number = {g: k for k, g in enumerate(dict.fromkeys(groups))}
        place = np.array([number[g] for g in groups])
        allowed = place[:, None] != place[None, :]
        has = np.array([[*p.traits.sizes, *p.traits.figures] for p in self.points])
        outside, fitted = np.zeros(len(has)), np.zeros((2, *allowed.shape), dtype=np.float32)
        shares = np.array([fitted_share(p.runs[0].constants) for p in self.points])
        table = np.array([p.traits.fitted for p in self.points])
        for k in number.values():
            mine = place == k
            low, high = np.nanmin(has[~mine], axis=0), np.nanmax(has[~mine], axis=0)
            far = np.nan_to_num(np.maximum(np.maximum(low - has, has - high), 0.0))
            outside[mine] = (far**2).sum(axis=1)[mine]
            for which, kind in enumerate(("system", "framework")):
                words = np.array([p.traits.words[WORDS.index(kind)] for p in self.points])
                for i in np.flatnonzero(mine):
                    left = max(shares[~mine & (words == words[i])], default=0.0)
                    fitted[which, i] = np.abs(left - table[:, which])
        errors = [[self.error(name, run) for run in p.runs] for p in self.points]
        return _Scheme(allowed, outside, fitted, errors, np.array([np.mean(np.square(e)) for e in errors]))

    def _far(self, values: Mapping[str, float]) -> NDArray[np.float32]:
        """The distance of every pair, but for what was fitted."""
        weights = np.array([values[f"weight.{n}"] for n in DIFFERENCES], dtype=np.float32)
        found: NDArray[np.float32] = np.tensordot(weights, self._apart, 1)
        return found

    def bars(
        self,
        scheme: str,
        values: Mapping[str, float],
        known: NDArray[np.bool_] | None = None,
        far: NDArray[np.float32] | None = None,
    ) -> Array:
        """The bar of every point without its group, in per cent; from ``known`` points alone, infinite from none."""
        chosen = self._schemes[scheme]
        allowed = chosen.allowed if known is None else chosen.allowed & known[None, :]
        by_fit = np.array([values["weight.fitted_system"], values["weight.fitted_framework"]], dtype=np.float32)
        far = (self._far(values) if far is None else far) + np.tensordot(by_fit, chosen.fitted, 1)
        near = np.where(allowed, np.exp(-far), 0.0) * self._runs[None, :]
        squares = np.add.reduceat(near * self._squares[None, :], self._starts, axis=1)
        total = np.add.reduceat(near, self._starts, axis=1)
        far = np.where(allowed, far, FAR)
        nearest = np.minimum.reduceat(far, self._starts, axis=1)
        first = far <= nearest[:, self._of_series]
        figures = np.minimum.reduceat(np.where(first, self._figures, FAR), self._starts, axis=1)
        there = total > 0
        own = np.divide(squares, total, out=np.zeros_like(total), where=there)
        added = own + values["widening"] ** 2 * nearest + values["figure"] ** 2 * figures
        counts = np.where(there, np.exp(-values["falloff"] * (nearest - nearest.min(axis=1, keepdims=True))), 0.0)
        total = counts.sum(axis=1)
        mean = np.full(len(total), np.inf)
        np.divide((counts * np.where(there, added, 0.0)).sum(axis=1), total, out=mean, where=total > 0)
        found: Array = np.sqrt(mean + values["repeated"] ** 2 + values["beyond"] ** 2 * chosen.outside)
        return found

    def score(self, values: Mapping[str, float], known: NDArray[np.bool_] | None = None) -> float:
        """Mean log-likelihood of the errors, less the prior; of ``known`` points alone."""
        counts = self._counts if known is None else self._counts * known
        score, weights, far = 0.0, 0.0, self._far(values)
        for scheme, weight in SCHEMES.items():
            scale = NORMAL * self.bars(scheme, values, known, far)
            some = (counts > 0) & np.isfinite(scale)
            if some.any():
                scale, squares, own = scale[some], self._schemes[scheme].squares[some], counts[some]
                likelihood = -np.log(scale) - (FREEDOM + 1) / 2 * np.log1p(squares / scale**2 / FREEDOM)
                score += weight * float((own * likelihood).sum() / own.sum())
                weights += weight
        held = PRIOR * sum(math.log(values[n] / START[n]) ** 2 for n in START)
        return score / weights - held

    def learn(self, known: NDArray[np.bool_] | None = None) -> dict[str, float]:
        """The numbers under which the errors of ``known`` points are likeliest."""
        values = dict(START)
        best = self.score(values, known)
        for factor in FACTORS:
            for _ in range(ROUNDS):
                before = best
                for name in START:
                    for by in (factor, 1 / factor):
                        while (tried := self.score({**values, name: values[name] * by}, known)) > best + LEAST_GAIN:
                            values[name] *= by
                            best = tried
                if best == before:
                    break
        return values

    def held(self, scheme: str, values: Mapping[str, float], tick: Callable[[], None] = lambda: None) -> list[Held]:
        """Every run's bar by numbers learned without its group too; layouts are so many that they take ``values``."""
        groups = [self.group(scheme, p.runs[0]) for p in self.points]
        bars = np.empty(len(groups))
        if scheme == "layout":
            bars = self.bars(scheme, values)
        else:
            for group in dict.fromkeys(groups):
                mine = np.array([g == group for g in groups])
                bars[mine] = self.bars(scheme, self.learn(~mine), ~mine)[mine]
                tick()
        return [
            Held(run, float(bar), self.error(scheme, run))
            for bar, point in zip(bars, self.points, strict=True)
            for run in point.runs
        ]


@dataclass(frozen=True, slots=True)
class _Scheme:
    """``allowed[i, j]``: j is left when i's group is out. ``squares``: mean squared errors without the group."""

    allowed: NDArray[np.bool_]
    outside: Array
    fitted: NDArray[np.float32]
    errors: list[list[float]]
    squares: Array


@dataclass(frozen=True, slots=True)
class Held:
    """A run with the bar and the error that it has without its group, in per cent."""

    run: Known
    bar_pct: float
    error_pct: float


FITTED = slice(list(DIFFERENCES).index("fitted_system"), list(DIFFERENCES).index("fitted_framework") + 1)
FAR = 1e9
"""Stands for the distance of a run that is left out."""
LEAST_GAIN = 1e-5
"""Nats by which the score must rise for a number to move."""


def coverage(held: Iterable[Held]) -> tuple[float, float]:
    """Shares of the errors within one bar and within two."""
    ratios = [abs(h.error_pct) / h.bar_pct for h in held]
    return sum(r <= 1 for r in ratios) / len(ratios), sum(r <= 2 for r in ratios) / len(ratios)


def as_learned(values: Mapping[str, float], shared: float, parting: float) -> Learned:
    weights = tuple(values[f"weight.{n}"] for n in DIFFERENCES)
    own = [values[name] for name in START if name in NUMBERS]
    widening, figure, beyond, falloff, repeated = own
    return Learned(weights, widening, figure, beyond, falloff, repeated, shared, parting)
