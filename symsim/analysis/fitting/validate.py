"""Predict published measurements and say by how much each prediction is off."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.fitting.agreement import error_pct, spearman_within, summary
from symsim.analysis.load import Question, question
from symsim.diagnostics import InputError, error

MAX_BYTES = 64 * 1024 * 1024


def load_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a file in the form of CONTRACT, "Validation cases".

    Raises:
        InputError: it cannot be read, is not JSON, or a case lacks what every case has.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as problem:
        message = f"cannot read {path}: {problem.strerror or problem}"
        raise error("E600", message, hint="give a JSON file of measured cases") from None
    if len(raw) > MAX_BYTES:
        raise error("E600", f"{path} is too large", None, f"at most {MAX_BYTES // 2**20} MiB are read")
    try:
        cases = json.loads(raw)
    except (ValueError, RecursionError) as problem:
        raise error("E601", f"{path} is not JSON: {problem}", hint="cases are a JSON list of objects") from None
    if not isinstance(cases, list):
        raise error("E602", f"{path} is not a list of cases", hint="expected [ { … }, … ]")
    faults = [(k, fault) for k, case in enumerate(cases) for fault in _faults(case)]
    if faults:
        hint = "a case has an id, a set, a model, a strategy and what was measured"
        raise InputError(error("E602", f"{path}: case {k} {fault}", hint=hint).diagnostics[0] for k, fault in faults)
    return cases


_TIMED = ("iteration_s", "tflops_per_gpu_full_attention", "peak_reserved_bytes", "device_used_bytes")
"""Predictions that need a machine."""

_FIELDS: Mapping[str, tuple[Any, bool]] = {
    "id": (str, True),
    "set": (str, True),
    "model": (str | dict, True),
    "strategy": (dict, True),
    "measured": (dict, True),
    "system": (str, False),
    "model_set": (dict, False),
    "system_set": (dict, False),
    "facts": (dict, False),
}
"""Field of a case → its kind, and whether every case has it."""


def _faults(case: Any) -> Iterator[str]:
    """What is wrong with the form of a case."""
    if not isinstance(case, dict):
        yield "is not an object"
        return
    for name, (kind, needed) in _FIELDS.items():
        value = case.get(name)
        if not isinstance(value, kind) and (needed or value is not None):
            yield f"lacks {name}" if value is None else f"has a wrong {name}"
    for name in ("model", "system"):
        if not _is_name(case.get(name)):
            yield f"names a file as its {name}; only what is shipped is read"
    for name in PREDICTIONS:
        measured = case["measured"].get(name) if isinstance(case.get("measured"), dict) else None
        if measured is not None and not all(
            _is_measured(m) for m in (measured if isinstance(measured, list) else [measured])
        ):
            yield f"has measured no positive number as {name}"
        elif measured is not None and name in _TIMED and case.get("system") is None:
            yield f"measures {name} on no system"


def _is_name(value: Any) -> bool:
    return not isinstance(value, str) or not ({"/", "\\"} & {*value} or value.endswith((".sym", ".json")))


def _is_measured(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf


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
    row = {"id": case["id"], "set": case["set"], "predicted": {}, "measured": measured, "error_pct": {}, "failed": None}
    try:
        asked = asked_of(case)
        found = answer(asked.model, asked.plan, machine_of(asked))
    except InputError as problem:
        return {**row, "failed": problem.diagnostics[0].message}
    predicted = {name: predict(found) for name, predict in PREDICTIONS.items() if measured.get(name) is not None}
    for name in predicted:
        if isinstance(measured[name], list) and len(measured[name]) != found.stages:
            return {**row, "failed": f"{name} has {len(measured[name])} values for {found.stages} stages"}
    errors = {name: _error(value, measured[name]) for name, value in predicted.items()}
    return {**row, "predicted": predicted, "error_pct": errors}


def asked_of(case: Mapping[str, Any], system: str | None = None) -> Question:
    """The question that a case asks; ``system`` stands in for the machine that it names.

    Raises:
        InputError: the case names what there is not, or contradicts itself.
    """
    model = case["model"]
    if isinstance(model, dict):
        dimensions = ", ".join(f"{n} = {_text(v)}" for n, v in model.items() if n != "family")
        model = f"{model.get('family')}({dimensions})"
    strategy = "; ".join(f"{n} = {_text(v)}" for n, v in case["strategy"].items() if v is not None)
    overrides = {**(case.get("model_set") or {}), **(case.get("system_set") or {}), **_facts(case)}
    settings = tuple(f"{n} = {_text(v)}" for n, v in overrides.items())
    return question(model, strategy, system or case.get("system"), settings)


def _facts(case: Mapping[str, Any]) -> dict[str, Any]:
    """What the sources of a case say of its model or machine beside what it was published with."""
    return {name: value for name, value in (case.get("facts") or {}).items() if name != "source"}


def _text(value: Any) -> str:
    """A JSON value as symsim's own text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return "{" + ", ".join(map(str, value)) + "}"
    return str(value)


PREDICTIONS: Mapping[str, Callable[[Answer], Any]] = {
    "iteration_s": lambda found: found.values["time.iteration"],
    "tflops_per_gpu_full_attention": lambda found: found.values["throughput.model_flops_per_gpu"] / 1e12,
    "peak_allocated_bytes": lambda found: found.values.get("memory.reported", found.values["memory.peak"]),
    "stage_peak_allocated_bytes": lambda found: list(found.of_stage("peak")),
    "last_rank_peak_allocated_bytes": lambda found: found.of_stage("peak")[-1],
    "last_rank_static_bytes": lambda found: found.of_stage("static")[-1],
    "peak_reserved_bytes": lambda found: found.values["memory.reserved"],
    "device_used_bytes": lambda found: found.values["memory.device"],
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
        [case["model"], case.get("model_set"), case.get("system"), case.get("system_set"), _facts(case)],
        sort_keys=True,
    )


def _summary(cases: list[dict[str, Any]], rows: list[dict[str, Any]]) -> dict[str, dict[str, dict[str, float | None]]]:
    collected: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        for name, errors in row["error_pct"].items():
            collected.setdefault(row["set"], {}).setdefault(name, []).extend(_flat(errors))
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
