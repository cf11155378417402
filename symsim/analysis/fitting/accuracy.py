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
from symsim.analysis.fitting.error_bar import LEFT_OUT, Known
from symsim.analysis.fitting.plan_traits import Traits, group_of, traits_of
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
    traits: Traits
    constants: int
    """How many constants were fitted to it and others."""
    errors: Mapping[str, float]
    peers: Mapping[str, float]
    facts: str
    """What the case's sources say besides what it was published with, and which source; empty where nothing."""


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
    traits = {c.id: traits_of(c.asked) for c in found}
    errors = {c.id: {"stated": _stated(c), "shipped": error_pct(c.predicted, c.measured)} for c in found}
    fitted = dict.fromkeys((c.set for c in found), 0)
    counted = dict.fromkeys(errors, 0)
    taken: dict[str, list[TimedCase]] = {}
    for fit in _fits():
        timed, _ = timed_cases([case for case in cases if fit.takes(case)], None, fit.group)
        machine = load_system(fit.system)
        wanted = [c for c in constants(machine, fit.names, 1.0) if _is_fitted(machine, c.name)]
        if not timed or not wanted:
            continue
        taken.setdefault(fit.system, []).extend(timed)
        groupings = [[group_of(kind, case.set, traits[case.id]) for case in timed] for kind in LEFT_OUT]
        refitted = calibrate(timed, wanted, fit.expected, groupings)
        for stage, residuals in zip(("held_out", *LEFT_OUT), (refitted.held_out, *refitted.without), strict=True):
            for case, error in zip(timed, residuals, strict=True):
                errors[case.id][stage] = error_pct(math.exp(float(error)), 1)
        factors = len({c.factor for c in wanted})
        for group in {case.set for case in timed}:
            fitted[group] += factors
        for case in timed:
            counted[case.id] += factors
    for case in found:
        _without_all(case, errors[case.id], taken, traits)
    bare, _ = timed_cases([_without_facts(case) for case in cases if case.get("facts")], None, "layout")
    for lacking in (case for case in bare if case.id in errors):
        errors[lacking.id]["without_facts"] = error_pct(lacking.predicted, lacking.measured)
    precisions = {c.set: {_precision(o) for o in found if o.set == c.set} for c in found}
    judged = tuple(
        Judged(
            case,
            f"{case.set} {_precision(case)}" if len(precisions[case.set]) > 1 else case.set,
            traits[case.id],
            counted[case.id],
            {"held_out": errors[case.id]["shipped"], **errors[case.id]},
            _peers(by_id[case.id], case),
            _told(by_id[case.id]),
        )
        for case in found
    )
    return Accuracy(judged, fitted, tuple(failed))


def _without_all(
    case: TimedCase, errors: dict[str, float], taken: Mapping[str, Sequence[TimedCase]], traits: Mapping[str, Traits]
) -> None:
    """The errors of a case without whole groups: as stated where its machine then has nothing to be fitted to."""
    fitted_to = taken.get(case.asked.system.name if case.asked.system is not None else "", [])
    for kind in LEFT_OUT:
        own = group_of(kind, case.set, traits[case.id])
        if fitted_to and all(group_of(kind, c.set, traits[c.id]) == own for c in fitted_to):
            errors[kind] = errors["stated"]
        else:
            errors.setdefault(kind, errors["shipped"])


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
    """The facts of a case and their source. A layout is one of many, so it is named without its letters."""
    facts = case.get("facts") or {}
    stated = [
        f"`{n}`" if isinstance(v, str) and '"' in v else f"`{n} = {v}`" for n, v in facts.items() if n != "source"
    ]
    return f"{', '.join(stated)}: {facts.get('source', 'no source')}" if stated else ""


def summary_of(judged: Sequence[Judged], stage: str) -> dict[str, float | None]:
    """Errors of some cases, with the rank correlation among those of one model and machine."""
    order = spearman_within(
        (j.case.ranked, (1 + j.errors[stage] / 100) * j.case.measured, j.case.measured) for j in judged
    )
    return {**summary([j.errors[stage] for j in judged]), "spearman": order}


def known(found: Accuracy) -> list[Known]:
    """What the error bars of answers are made from."""
    return [
        Known(
            j.case.id, j.case.set, j.case.group, _as_time(j, "held_out"), j.traits,
            {kind: _as_time(j, kind) for kind in LEFT_OUT}, j.constants, j.case.ranked, _gpu_us_per_token(j.case),
        )
        for j in found.judged
    ]  # fmt: skip


def _gpu_us_per_token(case: TimedCase) -> float:
    sizes = case.asked.plan.sizes
    return 1e6 * case.step_s * sizes["world"] / (sizes["gbs"] * sizes["seq"])


def _as_time(judged: Judged, stage: str) -> float:
    """The error of the step's time in per cent: a rate is as much too high as the time is too short."""
    error = judged.errors[stage]
    return error if judged.case.quantity == "iteration_s" else 100 * (1 / (1 + error / 100) - 1)
