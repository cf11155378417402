"""Predict published measurements and say by how much each prediction is off."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.fitting.agreement import error_pct, spearman_within, summary
from symsim.analysis.fitting.case_question import facts_of, question_of
from symsim.analysis.fitting.run_cases import SCORED
from symsim.analysis.memory_fit import memory_fit
from symsim.diagnostics import InputError


def validate(cases: list[dict[str, Any]], tick: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The document ``symsim.validate/1``: every case, and the errors of each set and quantity.

    ``tick`` is called after each case. A case that cannot be computed says why under ``failed``.
    """
    rows: list[dict[str, Any]] = []
    for case in cases:
        rows.append(_row(case))
        tick()
    return {"schema": "symsim.validate/1", "cases": rows, "summary": _summary(cases, rows)}


def _row(case: Mapping[str, Any]) -> dict[str, Any]:
    measured = case["measured"]
    row = {"id": case["id"], "set": case["set"], "predicted": {}, "measured": measured, "error_pct": {}, "fits": None}
    row["failed"] = None
    try:
        asked = question_of(case)
        found = answer(asked.model, asked.plan, machine_of(asked))
    except InputError as problem:
        return {**row, "failed": problem.diagnostics[0].message}
    predicted = {name: predict(found) for name, predict in PREDICTIONS.items() if measured.get(name) is not None}
    for name in predicted:
        if isinstance(measured[name], list) and len(measured[name]) != found.stages:
            return {**row, "failed": f"{name} has {len(measured[name])} values for {found.stages} stages"}
    errors = {name: _error(value, measured[name]) for name, value in predicted.items()}
    fits = memory_fit(asked, found.values).fits
    return {**row, "predicted": predicted, "error_pct": errors, "fits": fits}


ALL_SCORED = "all scored"
"""The set of all scored runs of a file of runs."""

PREDICTIONS: Mapping[str, Callable[[Answer], Any]] = {
    "iteration_s": lambda found: found.values["time.iteration"],
    "tflops_per_gpu_full_attention": lambda found: found.values["throughput.model_flops_per_gpu"] / 1e12,
    "peak_allocated_bytes": lambda found: found.values.get("memory.reported", found.values["memory.peak"]),
    "stage_peak_allocated_bytes": lambda found: list(found.of_stage("peak")),
    "last_rank_peak_allocated_bytes": lambda found: found.of_stage("peak")[-1],
    "last_rank_static_bytes": lambda found: found.of_stage("static")[-1],
    "peak_reserved_bytes": lambda found: found.values["memory.reserved"],
    "device_used_bytes": lambda found: found.values["memory.shown"],
}
"""What is predicted of the quantities that a case may have measured."""


def _error(predicted: Any, measured: Any) -> Any:
    """Per cent of predicted over measured − 1; one for each stage of a list."""
    if isinstance(measured, list):
        return [_error(p, m) for p, m in zip(predicted, measured, strict=True)]
    return error_pct(predicted, measured)


def model_and_machine(case: Mapping[str, Any]) -> str:
    """Cases that agree in this may be ordered by what was measured."""
    return json.dumps(
        [case["model"], case.get("model_set"), case.get("system"), case.get("system_set"), facts_of(case)],
        sort_keys=True,
    )


def _summary(cases: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float | None]]]:
    collected: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, errors in row["error_pct"].items():
            collected.setdefault(row["set"], {}).setdefault(name, []).extend(_flat(errors))
    if any(SCORED in case for case in cases):
        scored = [row for case, row in zip(cases, rows, strict=True) if case.get(SCORED)]
        found = {name: [e for r in scored for e in _flat(r["error_pct"].get(name, []))] for name in PREDICTIONS}
        collected[ALL_SCORED] = {name: errors for name, errors in found.items() if errors}
    return {
        group: {
            name: {**summary(errors), "spearman": _order(group, name, cases, rows)}
            for name, errors in quantities.items()
        }
        for group, quantities in collected.items()
    }


def _order(group: str, name: str, cases: list[dict[str, Any]], rows: list[dict[str, Any]]) -> float | None:
    """Rank correlation of a quantity of a set, inside each model and machine."""
    return spearman_within(
        (model_and_machine(case), row["predicted"][name], row["measured"][name])
        for case, row in zip(cases, rows, strict=True)
        if row["set"] == group and isinstance(row["predicted"].get(name), int | float)
    )


def _flat(errors: Any) -> Iterator[float]:
    if isinstance(errors, list):
        yield from errors
    else:
        yield errors
