"""The document of ``symsim sensitivity --json``."""

from __future__ import annotations

from typing import Any

from symsim.analysis import verdicts
from symsim.analysis.answer_json import assumptions, given_back, model_of, strategy_of, warnings
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.memory_fit import memory_fit
from symsim.analysis.sensitivities.buying import Gain
from symsim.analysis.sensitivities.sensitivity import Partial, Sensitivity
from symsim.analysis.sensitivities.steps import Step
from symsim.loading.question import Question


def document(asked: Question, found: Sensitivity) -> dict[str, Any]:
    """The answer as ``symsim.sensitivity/1``: the question as in ``eval``, then every partial and every gain."""
    machine = machine_of(asked)
    plan = answer(asked.model, asked.plan, machine)
    fit = memory_fit(asked, plan.values)
    partials = [_partial(p) for p in found.partials]
    return {
        "schema": "symsim.sensitivity/1",
        "verdict": verdicts.of_sensitivity(found.of, found.value, found.unit, partials, fit.fits),
        "model": model_of(asked, plan),
        "strategy": strategy_of(asked, plan),
        "system": asked.system.name if asked.system else None,
        "of": found.of,
        "value": found.value,
        "unit": found.unit,
        "partials": partials,
        "buying": [_gain(g, found.value) for g in found.buying],
        "sum_of_rate_elasticities": found.sum_of_rate_elasticities,
        "assumptions": [*assumptions(asked, machine), *given_back(fit)],
        "warnings": warnings(asked, fit),
    }


def _partial(p: Partial) -> dict[str, Any]:
    return {
        "name": p.name,
        "kind": p.kind,
        "value": _number(p.value) if p.kind in ("size", "dimension") else p.value,
        "unit": p.unit,
        "derivative": p.derivative,
        "elasticity": p.elasticity,
        "left": p.left,
        "right": p.right,
        "switches": [{"definition": s.definition, "below": s.below, "above": s.above} for s in p.switches],
        "next": {"below": _step(p, p.below), "above": _step(p, p.above)},
    }


def _step(p: Partial, step: Step | None) -> dict[str, Any] | None:
    if step is None:
        return None
    value = _number(step.value) if p.kind in ("size", "dimension") else step.value
    return {"value": value, "of": step.of, "difference": step.difference, "change": step.change, "fits": step.fits}


def _number(value: float) -> float:
    return int(value) if value == int(value) else value


def _gain(gain: Gain, here: float) -> dict[str, Any]:
    return {
        "name": gain.figure,
        "value": gain.value,
        "unit": gain.unit,
        "factor": gain.factor,
        "of": gain.there,
        "difference": gain.there - here,
        "change": gain.change,
    }
