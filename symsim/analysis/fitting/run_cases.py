"""Measured runs of Megatron: a file of their arguments and of the bytes that their last rank held.

``{"entries": [{"id", "args", "env_vars", "n_gpus", "platform", "static_bytes", "peak_bytes", "vocab_size",
"framework_version", "te_version", "gpus", "second_phase", …}]}``. An entry becomes a case: its arguments are read as
``symsim import megatron`` reads them, and what they leave to paths and containers is said by the entry. Entries whose
number of GPUs is not stated (``gpus`` is another word than ``recipe``), and second phases of a run, are sets apart.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from symsim.diagnostics import MAX_SHOWN, Diagnostic, InputError, Source
from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import translated
from symsim.interop.json_text import parse
from symsim.language.strategies import strategy_of
from symsim.loading.question import Question, question
from symsim.loading.run_files import parts_of

ENTRIES = "entries"
RUN = "run"
"""The field of a case that holds the arguments of a run."""
TEXT = "text"
"""The field of a case that holds a run as text of the language: a model, and behind it its strategy."""
SETTINGS = "settings"
"""What is said besides that text, as NAME=VALUE."""
SCORED = "scored"
"""Whether a run counts in the summary of all: what it ran on is stated, and it starts from nothing."""
SYSTEMS = {"gb200": "gb200_nvl72", "h100": "h100_sxm", "a100": "a100_sxm"}
"""Words of ``platform`` → the machine."""
MEASURED = {"last_rank_static_bytes": "static_bytes", "last_rank_peak_allocated_bytes": "peak_bytes"}
_KNOWN = ("vocab", "framework_version", "te_version")
_HINT = "an entry has an id, args, platform, static_bytes and peak_bytes"


def cases_of_runs(document: Mapping[str, Any], path: Path) -> list[dict[str, Any]]:
    """The cases of a file of runs.

    Raises:
        InputError: E602, an entry lacks what every entry has.
    """
    entries = document[ENTRIES]
    if not isinstance(entries, list):
        raise InputError([Diagnostic("E602", f"{path}: entries is not a list", hint=_HINT)])
    faults = [(k, fault) for k, entry in enumerate(entries) for fault in _faults(entry)]
    if faults:
        shown = [Diagnostic("E602", f"{path}: entry {k} {fault}", hint=_HINT) for k, fault in faults[: MAX_SHOWN - 1]]
        raise InputError(shown)
    return [_case(entry) for entry in entries]


def question_of_run(case: Mapping[str, Any], system: str | None = None) -> Question:
    """The question that the arguments of a run, or its text, ask.

    Raises:
        InputError: an argument is wrong, or the plan is not possible.
    """
    if TEXT in case:
        parts, settings = parts_of(Source(case["id"], case[TEXT])), tuple(case[SETTINGS])
    else:
        source = Source(f"{case['id']}.json", json.dumps(case[RUN]))
        parts = parts_of(translated([ForeignFile(Path(source.name), source, parse(source))], "megatron"))
        settings = tuple(f"{name}={_text(value)}" for name, value in case["known"].items() if value is not None)
    assert parts.model is not None and parts.strategy is not None
    return question(parts.model, strategy_of(parts.strategy, settings), system or case.get("system"))


def _case(entry: Mapping[str, Any]) -> dict[str, Any]:
    platform = str(entry["platform"])
    known = {"world": entry.get("n_gpus") or entry.get("n_gpus_inferred"), "vocab": entry.get("vocab_size")}
    known |= {name: entry.get(name) for name in _KNOWN if name != "vocab"}
    return {
        "id": entry["id"],
        "set": _set(entry),
        SCORED: entry.get("gpus", "recipe") == "recipe" and not entry.get("second_phase"),
        "model": str(entry.get("case", entry["id"])),
        "strategy": {},
        RUN: {"ENV_VARS": entry.get("env_vars") or {}, "MODEL_ARGS": entry["args"]},
        "known": known,
        "system": next((name for word, name in SYSTEMS.items() if word in platform), None),
        "measured": {ours: entry[theirs] for ours, theirs in MEASURED.items() if entry.get(theirs)},
    }


def _set(entry: Mapping[str, Any]) -> str:
    """The family, and whether the entry is apart: its number of GPUs is a guess, or it goes on from a checkpoint."""
    family = str(entry.get("family", "runs"))
    if entry.get("gpus", "recipe") != "recipe":
        return f"{family}, GPUs {entry['gpus']}"
    return f"{family}, second phase" if entry.get("second_phase") else family


def _faults(entry: Any) -> Iterator[str]:
    if not isinstance(entry, dict):
        yield "is not an object"
        return
    for name, kind in (("id", str), ("args", dict), ("platform", str)):
        if not isinstance(entry.get(name), kind):
            yield f"lacks {name}" if entry.get(name) is None else f"has a wrong {name}"
    for name in ("static_bytes", "peak_bytes", "n_gpus", "n_gpus_inferred", "vocab_size"):
        value = entry.get(name)
        if value is not None and not (type(value) is int and 0 < value < 2**60):
            yield f"has a wrong {name}"
    for name in ("framework_version", "te_version"):
        value = entry.get(name)
        if value is not None and not (isinstance(value, str) and value.replace(".", "").isalnum()):
            yield f"has a wrong {name}"


def _text(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else str(value)
