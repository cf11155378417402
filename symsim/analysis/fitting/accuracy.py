"""How well measured steps are predicted: as sources state the machines, as they ship, and held out.

The fits behind the shipped machines are repeated from what their files tell of them, without each group
of cases in turn; a case that no fit saw is held out anyway.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from symsim import resources
from symsim.analysis.evaluate import answer, evaluator
from symsim.analysis.fitting.agreement import error_pct, spearman_within, summary
from symsim.analysis.fitting.calibrate import calibrate
from symsim.analysis.fitting.constants import constants, fact_of, facts_as_stated
from symsim.analysis.fitting.error_bar import Known, bar_of, traits_of
from symsim.analysis.fitting.recorded_fits import RecordedFit, recorded_fits
from symsim.analysis.fitting.timed_cases import QUANTITIES, TimedCase, timed_cases
from symsim.language.systems import load_system, system_source
from symsim.machine.bind import bind
from symsim.records.system import System

STAGES = ("stated", "shipped", "held_out")
PEERS: Mapping[str, tuple[str, str]] = {
    "simumax_iteration_s": ("SimuMax v1.2", "iteration_s"),
    "simumax_tflops": ("SimuMax v1.2", "tflops_per_gpu_full_attention"),
}
"""What a case tells of another tool's prediction → the tool, and the quantity."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A timed case with the errors of its prediction in per cent, by stage, and those of other tools."""

    case: TimedCase
    row: str
    """The set, and the precision where a set has several."""
    errors: Mapping[str, float]
    peers: Mapping[str, float]
    facts: str
    """What the case's sources say beside what it was published with, and which source; empty where nothing."""


@dataclass(frozen=True, slots=True)
class Accuracy:
    judged: tuple[Judged, ...]
    fitted: Mapping[str, int]
    """By set: how many constants of its machines were fitted to it."""
    failed: tuple[tuple[str, str], ...]

    @property
    def rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(j.row for j in self.judged))

    def of(self, row: str) -> list[Judged]:
        return [j for j in self.judged if j.row == row]


def accuracy(cases: Sequence[Mapping[str, Any]], tick: Callable[[], None] = lambda: None) -> Accuracy:
    """Judge every timed case; ``tick`` is called after each."""
    found, failed = timed_cases(cases, None, "layout", tick)
    by_id = {case["id"]: case for case in cases}
    errors = {c.id: {"stated": _stated(c), "shipped": error_pct(c.predicted, c.measured)} for c in found}
    fitted = dict.fromkeys((c.set for c in found), 0)
    for fit in _fits():
        timed, _ = timed_cases([case for case in cases if fit.takes(case)], None, fit.group)
        machine = load_system(fit.system)
        wanted = [c for c in constants(machine, fit.names, 1.0) if _is_fitted(machine, c.name)]
        if not timed or not wanted:
            continue
        held_out = calibrate(timed, wanted, fit.expected).held_out
        for case, error in zip(timed, held_out, strict=True):
            errors[case.id]["held_out"] = error_pct(math.exp(float(error)), 1)
        for group in {case.set for case in timed}:
            fitted[group] += len({c.factor for c in wanted})
    bare, _ = timed_cases([_without_facts(case) for case in cases if case.get("facts")], None, "layout")
    for lacking in bare:
        errors[lacking.id]["without_facts"] = error_pct(lacking.predicted, lacking.measured)
    precisions = {c.set: {_precision(o) for o in found if o.set == c.set} for c in found}
    judged = tuple(
        Judged(
            case,
            f"{case.set} {_precision(case)}" if len(precisions[case.set]) > 1 else case.set,
            {"held_out": errors[case.id]["shipped"], **errors[case.id]},
            _peers(by_id[case.id], case),
            _told(by_id[case.id]),
        )
        for case in found
    )
    return Accuracy(judged, fitted, tuple(failed))


def _without_facts(case: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in case.items() if name != "facts"}


def _fits() -> list[RecordedFit]:
    """The fits that shipped files tell of, each once."""
    texts = [system_source(name)[0].text for name in resources.shipped("systems")]
    texts += [path.read_text(encoding="utf-8") for path in resources.library_files()]
    return list(dict.fromkeys(fit for text in texts for fit in recorded_fits(text)))


def _is_fitted(machine: System, name: str) -> bool:
    fact = fact_of(name)
    return name in machine.fitted or (fact is not None and fact.calibrated is not None)


def _precision(case: TimedCase) -> str:
    """The precision of the GEMMs; the 16-bit formats are one."""
    word = str(case.asked.plan.values["precision"])
    return "bf16" if word == "fp16" else word


def _stated(case: TimedCase) -> float:
    """The error with every fitted figure as its source states it."""
    system = case.asked.system
    assert system is not None
    asked = replace(case.asked, system=system.as_stated())
    program = evaluator(asked.model, asked.plan.structure).program
    figures = {**program.figures, **facts_as_stated(str(asked.plan.values["framework"]))}
    assert asked.system is not None
    found = answer(asked.model, asked.plan, bind(asked.system, program.inputs, program.tables, figures))
    output, unit = QUANTITIES[case.quantity]
    return error_pct(found.values[output] / unit, case.measured)


def _peers(case: Mapping[str, Any], timed: TimedCase) -> dict[str, float]:
    told = case.get("peer") or {}
    return {
        tool: error_pct(told[key], timed.measured)
        for key, (tool, quantity) in PEERS.items()
        if quantity == timed.quantity and told.get(key) is not None
    }


def _told(case: Mapping[str, Any]) -> str:
    facts = case.get("facts") or {}
    stated = ", ".join(f"`{name} = {value}`" for name, value in facts.items() if name != "source")
    return f"{stated}: {facts.get('source', 'no source')}" if facts else ""


def summary_of(judged: Sequence[Judged], stage: str) -> dict[str, float | None]:
    """Errors of some cases, with the rank correlation among those of one model and machine."""
    order = spearman_within(
        (j.case.ranked, (1 + j.errors[stage] / 100) * j.case.measured, j.case.measured) for j in judged
    )
    return {**summary([j.errors[stage] for j in judged]), "spearman": order}


def known(found: Accuracy) -> list[Known]:
    """What the error bars of answers are made from."""
    return [Known(j.case.id, j.case.group, j.errors["held_out"], traits_of(j.case.asked)) for j in found.judged]


def covered(table: Sequence[Known]) -> tuple[float, float]:
    """Shares of the cases whose error lies within one and within two error bars made from other groups."""
    within = [0, 0]
    for case in table:
        bar = bar_of(case.traits, (k for k in table if k.group != case.group))
        for times in (1, 2):
            within[times - 1] += bar is not None and abs(case.error_pct) <= times * bar.pct
    return within[0] / len(table), within[1] / len(table)
