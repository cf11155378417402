"""The file of measured cases: read with bounded work, every case checked for its form."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from symsim.analysis.fitting.run_cases import ENTRIES, cases_of_runs
from symsim.diagnostics import MAX_SHOWN, Diagnostic, InputError, error

MAX_BYTES = 16 * 1024 * 1024
"""Longest file that is read: thirty times all public measurements there are."""

MAX_VALUES = 1_000_000
"""Most values of a file: what reading it takes of memory grows with them and not with its bytes."""

MAX_DIGITS = 4000
"""Most digits of a whole number."""

SMALLEST, LARGEST = 1e-30, 1e30
"""What is measured lies between, in seconds, bytes or TFLOP/s: errors of it are numbers."""

PER_STAGE = frozenset({"stage_peak_allocated_bytes"})
"""Quantities with one value for each pipeline stage; all others are one value."""

QUANTITIES = (
    "iteration_s",
    "tflops_per_gpu_full_attention",
    "peak_allocated_bytes",
    "stage_peak_allocated_bytes",
    "last_rank_peak_allocated_bytes",
    "last_rank_static_bytes",
    "peak_reserved_bytes",
    "device_used_bytes",
)
"""What a case may have measured that is predicted."""

ON_A_MACHINE = ("iteration_s", "tflops_per_gpu_full_attention", "peak_reserved_bytes", "device_used_bytes")
"""Those whose prediction needs a machine."""

_HINT = "a case has an id, a set, a model, a strategy and what was measured"
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

_OF_NAMES = ("model", "strategy", "model_set", "system_set", "facts")
"""Fields whose keys are names of the language."""

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_SHIPPED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def load_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a file in the form of docs/eval.md, "Measured cases", or of a file of measured runs.

    Raises:
        InputError: it cannot be read, is not JSON, is too large, or a case lacks what every case has.
    """
    cases = _json(path, _bytes(path))
    if isinstance(cases, dict) and ENTRIES in cases:
        return cases_of_runs(cases, path)
    if not isinstance(cases, list):
        raise error("E602", f"{path} is not a list of cases", hint="expected [ { … }, … ]")
    faults = ((k, fault) for k, case in enumerate(cases) for fault in faults_of(case))
    shown = [Diagnostic("E602", f"{path}: case {k} {fault}", hint=_HINT) for k, fault in islice(faults, MAX_SHOWN - 1)]
    if shown:
        more = sum(1 for _ in faults)
        told = [Diagnostic("E602", f"{path}: {more:,} more faults in its {len(cases):,} cases", hint=_HINT)] * (
            more > 0
        )
        raise InputError([*shown, *told])
    return cases


def _bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as problem:
        message = f"cannot read {path}: {getattr(problem, 'strerror', None) or problem}"
        raise error("E600", message, hint="give a JSON file of measured cases") from None
    if len(raw) > MAX_BYTES:
        raise error("E600", f"{path} is too large", None, f"at most {MAX_BYTES // 2**20} MiB are read")
    if sum(raw.count(mark) for mark in (b",", b":", b"[", b"{")) > MAX_VALUES:
        raise error("E600", f"{path} is too large", None, f"at most {MAX_VALUES:,} values are read")
    return raw


def _json(path: Path, raw: bytes) -> Any:
    def whole(digits: str) -> int:
        if len(digits) > MAX_DIGITS:
            raise ValueError(f"a number of {len(digits):,} digits")
        return int(digits)

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            twice = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
            raise ValueError(f"the key '{twice}' is given twice in one object")
        return found

    try:
        return json.loads(raw, parse_int=whole, object_pairs_hook=once)
    except (ValueError, RecursionError) as problem:
        raise error("E601", f"{path} is not JSON: {problem}", hint="cases are a JSON list of objects") from None


def faults_of(case: Any) -> Iterator[str]:
    """What is wrong with the form of a case, in words that follow its number."""
    if not isinstance(case, dict):
        yield "is not an object"
        return
    for name, (kind, needed) in _FIELDS.items():
        value = case.get(name)
        if not isinstance(value, kind) and (needed or value is not None):
            yield f"lacks {name}" if value is None else f"has a wrong {name}"
    for name in ("model", "system"):
        given = case.get(name)
        if isinstance(given, str) and (not _SHIPPED.fullmatch(given) or given.endswith((".sym", ".json"))):
            yield f"names a file as its {name}; only what is shipped is read"
    for name in _OF_NAMES:
        given = case.get(name)
        wrong = [k for k in given if not _NAME.fullmatch(k)] if isinstance(given, dict) else []
        if wrong:
            yield f"has '{wrong[0]}' in its {name}, which is not a name"
    if isinstance(case.get("measured"), dict):
        yield from _wrongly_measured(case["measured"], case.get("system") is not None)


def _wrongly_measured(measured: Mapping[str, Any], on_a_machine: bool) -> Iterator[str]:
    for name in QUANTITIES:
        value = measured.get(name)
        if value is None:
            continue
        if isinstance(value, list) is not (name in PER_STAGE):
            wanted = "a list with one value for each pipeline stage" if name in PER_STAGE else "one number"
            yield f"has measured {'a list' if isinstance(value, list) else 'one value'} as {name}, which is {wanted}"
        elif not all(map(_is_measured, value if isinstance(value, list) else [value])):
            yield f"has measured no positive number as {name} ({SMALLEST:g} to {LARGEST:g})"
        elif not on_a_machine and name in ON_A_MACHINE:
            yield f"measures {name} on no system"


def _is_measured(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and SMALLEST <= value <= LARGEST
