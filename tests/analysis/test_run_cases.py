"""A file of Megatron's arguments with what its last rank held is a file of cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.fitting.cases_file import load_cases
from symsim.analysis.fitting.validate import validate
from symsim.diagnostics import InputError

ENTRY: dict[str, Any] = {
    "id": "small/h100", "family": "gpt", "platform": "h100", "n_gpus": 8, "gpus": "recipe", "second_phase": False,
    "args": {"--num-layers": 4, "--hidden-size": 256, "--num-attention-heads": 8, "--micro-batch-size": 1,
             "--global-batch-size": 8, "--seq-length": 512, "--bf16": True, "--tensor-model-parallel-size": 2,
             "--rampup-batch-size": "8 8 100"},
    "env_vars": {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"}, "static_bytes": 10**8, "peak_bytes": 2 * 10**8,
    "vocab_size": 1024, "framework_version": "0.16.0", "te_version": "2.9.0",
}  # fmt: skip


def result(folder: Path, *entries: Any) -> dict[str, Any]:
    path = folder / "runs.json"
    path.write_text(json.dumps({"source": "x", "entries": list(entries)}), "utf-8")
    return validate(load_cases(path))


def test_the_last_rank_is_predicted(tmp_path: Path) -> None:
    found = result(tmp_path, ENTRY)["cases"][0]
    assert found["failed"] is None
    assert set(found["predicted"]) == {"last_rank_static_bytes", "last_rank_peak_allocated_bytes"}
    assert found["predicted"]["last_rank_static_bytes"] < found["predicted"]["last_rank_peak_allocated_bytes"]


def test_guessed_sizes_and_second_phases_are_sets_apart(tmp_path: Path) -> None:
    others = [{**ENTRY, "id": "b", "gpus": "assumed"}, {**ENTRY, "id": "c", "second_phase": True}]
    found = result(tmp_path, ENTRY, *others)
    assert [row["set"] for row in found["cases"]] == ["gpt", "gpt, GPUs assumed", "gpt, second phase"]
    assert found["summary"]["all scored"]["last_rank_static_bytes"]["n"] == 1


def test_an_entry_that_cannot_be_read_says_why(tmp_path: Path) -> None:
    wrong = {**ENTRY, "args": {**ENTRY["args"], "--num-layer": 3}}
    assert result(tmp_path, wrong)["cases"][0]["failed"] == "unknown argument '--num-layer'"


@pytest.mark.parametrize(
    ("change", "fault"),
    [({"args": None}, "lacks args"), ({"peak_bytes": "many"}, "has a wrong peak_bytes"), ({"id": 3}, "wrong id"),
     ({"te_version": "2\n"}, "wrong te_version")],
)  # fmt: skip
def test_entries_of_the_wrong_form(tmp_path: Path, change: dict[str, Any], fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        result(tmp_path, {**ENTRY, **change})
