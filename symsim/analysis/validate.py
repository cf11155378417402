"""Predict published measurements and say by how much each prediction is off."""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.load import question
from symsim.diagnostics import InputError, error

MAX_BYTES = 64 * 1024 * 1024


def load_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a file in the form of CONTRACT, "Validation cases".

    Raises:
        InputError: it cannot be read, is not JSON, or a case lacks what every case has.
    """
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise error("E600", f"cannot read {path}: {problem.strerror or problem}") from None
    if len(raw) > MAX_BYTES:
        raise error("E600", f"{path} is too large", None, f"at most {MAX_BYTES // 2**20} MiB are read")
    try:
        cases = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise error("E601", f"{path} is not JSON: {problem}") from None
    if not isinstance(cases, list):
        raise error("E602", f"{path} is not a list of cases")
    for position, case in enumerate(cases):
        wanted = {"id": str, "set": str, "strategy": dict, "measured": dict, "model": str | dict}
        lacking = [n for n, kind in wanted.items() if not isinstance(case, dict) or not isinstance(case.get(n), kind)]
        if lacking:
            raise error("E602", f"{path}: case {position} lacks {', '.join(lacking)}")
    return cases


def validate(cases: list[dict[str, Any]], tick: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The document ``symsim.validate/1``: every case, and the errors of each set and quantity.

    ``tick`` is called after each case. A case that cannot be computed says why under ``failed``.
    """
    rows: list[dict[str, Any]] = []
    for case in cases:
        rows.append(_row(case))
        tick()
    return {"schema": "symsim.validate/1", "cases": rows, "summary": _summary(rows)}


def _row(case: Mapping[str, Any]) -> dict[str, Any]:
    measured = case["measured"]
    row = {"id": case["id"], "set": case["set"], "predicted": {}, "measured": measured, "error_pct": {}, "failed": None}
    try:
        found = _evaluate(case)
    except InputError as problem:
        return {**row, "failed": problem.diagnostics[0].message}
    predicted = {name: predict(found) for name, predict in PREDICTIONS.items() if name in measured}
    errors = {name: _error(value, measured[name]) for name, value in predicted.items()}
    return {**row, "predicted": predicted, "error_pct": errors}


def _evaluate(case: Mapping[str, Any]) -> Answer:
    model = case["model"]
    if isinstance(model, dict):
        dimensions = ", ".join(f"{n} = {_text(v)}" for n, v in model.items() if n != "family")
        model = f"{model.get('family')}({dimensions})"
    strategy = "; ".join(f"{n} = {_text(v)}" for n, v in case["strategy"].items() if v is not None)
    overrides = {**(case.get("model_set") or {}), **(case.get("system_set") or {})}
    asked = question(model, strategy, case.get("system"), tuple(f"{n} = {_text(v)}" for n, v in overrides.items()))
    return answer(asked.model, asked.plan, machine_of(asked))


def _text(value: Any) -> str:
    """A JSON value as symsim's own text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "{" + ", ".join(map(str, value)) + "}"
    return str(value)


def _static(found: Answer) -> float:
    return float(sum(found.of_stage(n)[-1] for n in ("weights", "gradients", "optimizer")))


PREDICTIONS: Mapping[str, Callable[[Answer], Any]] = {
    "iteration_s": lambda found: found.values["time.iteration"],
    "tflops_per_gpu_full_attention": lambda found: found.values["throughput.model_flops_per_gpu"] / 1e12,
    "peak_allocated_bytes": lambda found: found.values["memory.peak"],
    "stage_peak_allocated_bytes": lambda found: list(found.of_stage("peak")),
    "last_rank_peak_allocated_bytes": lambda found: found.of_stage("peak")[-1],
    "last_rank_static_bytes": _static,
}
"""What is predicted of the quantities that a case may have measured."""


def _error(predicted: Any, measured: Any) -> Any:
    """Per cent of predicted over measured − 1; one for each stage of a list."""
    if isinstance(measured, list):
        return [_error(p, m) for p, m in zip(predicted, measured, strict=False)]
    return 100 * (predicted / measured - 1)


def _summary(rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    collected: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, errors in row["error_pct"].items():
            collected.setdefault(row["set"], {}).setdefault(name, []).extend(_flat(errors))
    return {
        group: {
            name: {
                "n": len(errors),
                "mean_abs_pct": statistics.fmean(map(abs, errors)),
                "median_abs_pct": statistics.median(map(abs, errors)),
                "max_abs_pct": max(map(abs, errors)),
                "bias_pct": statistics.fmean(errors),
            }
            for name, errors in quantities.items()
        }
        for group, quantities in collected.items()
    }


def _flat(errors: Any) -> Iterator[float]:
    if isinstance(errors, list):
        yield from errors
    else:
        yield errors
