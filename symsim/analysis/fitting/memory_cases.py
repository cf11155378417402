"""Measured peaks and predicted ones, and what is learned from them: see :mod:`symsim.analysis.fitting.memory_error`.

A run that states the version of TransformerEngine counts a second time without it: people seldom say the version, and
what the formulas then leave out is an error like any other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.fitting.agreement import error_pct
from symsim.analysis.fitting.case_question import question_of
from symsim.analysis.fitting.memory_error import FACTOR, WORDS, MeasuredPeak, error_near, traits_of
from symsim.analysis.fitting.validate import PREDICTIONS
from symsim.diagnostics import InputError

QUANTITIES = ("peak_allocated_bytes", "stage_peak_allocated_bytes", "device_used_bytes", "peak_reserved_bytes")
"""What of memory a case may have measured; the first that it has counts."""

LEFT_OUT = 4
"""So many measured peaks have to share a word for a widening to be learned from leaving them out."""

WITHIN = ((1, 0.68), (2, 0.92))
"""How many errors, and the share of peaks left out that has to lie within so many."""

STEP_PCT = 0.5
"""Widenings are tried in steps of this."""
WIDEST_PCT = 100.0
FACTORS = tuple(1 + k / 10 for k in range(41))
"""Factors of all errors, as they are tried."""


def measured_peaks(cases: Sequence[Mapping[str, Any]]) -> Iterator[MeasuredPeak]:
    """Every case that measured memory, with the error of its prediction; runs that differ in nothing here count once.

    Cases that cannot be computed are left out; ``symsim validate`` names them.
    """
    seen = set()
    for peak in _every_peak(cases):
        key = (peak.set, peak.traits, round(peak.error_pct, 1))
        if key not in seen:
            seen.add(key)
            yield peak


def _every_peak(cases: Sequence[Mapping[str, Any]]) -> Iterator[MeasuredPeak]:
    for case in cases:
        quantity = next((q for q in QUANTITIES if case["measured"].get(q) is not None), None)
        if quantity is None:
            continue
        yield from _peak_of(case, quantity)
        if case["strategy"].get("te_version") is not None:
            unstated = {n: v for n, v in case["strategy"].items() if n != "te_version"}
            yield from _peak_of({**case, "strategy": unstated}, quantity)


def _peak_of(case: Mapping[str, Any], quantity: str) -> Iterator[MeasuredPeak]:
    try:
        asked = question_of(case)
        found = answer(asked.model, asked.plan, machine_of(asked))
    except InputError:
        return
    predicted, measured = PREDICTIONS[quantity](found), case["measured"][quantity]
    if isinstance(measured, list):
        predicted, measured = max(predicted), max(measured)
    error = round(error_pct(predicted, measured), 2) + 0.0
    yield MeasuredPeak(case["id"], case["set"], error, traits_of(asked))


def learned_widening(peaks: Sequence[MeasuredPeak]) -> dict[str, tuple[float, int]]:
    """For each word the least widening with which groups left out lie within their errors, and how many groups.

    A group is all peaks that share a value of the word; all groups count alike. What only one value was measured of
    takes the widest of the others. Last the factor with which whole sets that are left out lie within their errors.
    """
    learned: dict[str, tuple[float, int]] = {}
    for place, name in enumerate(WORDS):
        values = dict.fromkeys(p.traits.words[place] for p in peaks)
        groups = [[p for p in peaks if p.traits.words[place] == v] for v in values]
        groups = [g for g in groups if LEFT_OUT <= len(g) < len(peaks)]
        if len(values) > 1 and groups:
            learned[name] = (_least(name, groups, peaks), len(groups))
    widest = max((pct for pct, _ in learned.values()), default=WIDEST_PCT)
    wider = {name: learned.get(name, (widest, 0)) for name in WORDS}
    return {**wider, FACTOR: (_factor(peaks, {name: pct for name, (pct, _) in wider.items()}), len(_sets(peaks)))}


def _sets(peaks: Sequence[MeasuredPeak]) -> list[str]:
    return list(dict.fromkeys(p.set for p in peaks))


def _factor(peaks: Sequence[MeasuredPeak], wider: Mapping[str, float]) -> float:
    for factor in FACTORS:
        within = coverage(peaks, {**wider, FACTOR: factor})
        if all(within[times - 1] >= share for times, share in WITHIN):
            return factor
    return FACTORS[-1]


def _least(name: str, groups: Sequence[Sequence[MeasuredPeak]], peaks: Sequence[MeasuredPeak]) -> float:
    shares = []
    for group in groups:
        others = [p for p in peaks if p not in group]
        bars = (error_near(p.traits, others, {}) for p in group)
        shares.append([(abs(p.error_pct), bar.pct if bar else 0.0) for p, bar in zip(group, bars, strict=True)])
    pct = 0.0
    while pct < WIDEST_PCT:
        if all(_covered(shares, pct, times) >= share for times, share in WITHIN):
            break
        pct += STEP_PCT
    return pct


def _covered(groups: Sequence[Sequence[tuple[float, float]]], pct: float, times: int) -> float:
    """The mean share of a group within ``times`` its error, which is ``pct`` wider."""
    shares = [sum(e <= times * math.hypot(bar, pct) for e, bar in group) / len(group) for group in groups]
    return sum(shares) / len(shares)


def coverage(peaks: Sequence[MeasuredPeak], wider: Mapping[str, float]) -> tuple[float, float]:
    """Shares of the peaks within one and within two errors, each made without the peaks of its set."""
    within = [0, 0]
    for peak in peaks:
        bar = error_near(peak.traits, [p for p in peaks if p.set != peak.set], wider)
        for times in (1, 2):
            within[times - 1] += bar is not None and abs(peak.error_pct) <= times * bar.pct
    return within[0] / len(peaks), within[1] / len(peaks)
