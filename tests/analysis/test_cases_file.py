"""A file of measured cases: what is wrong with it is said, as much as is read, and the rest is counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.fitting.cases_file import faults_of, load_cases
from symsim.diagnostics import MAX_SHOWN, InputError

GOOD: dict[str, Any] = {
    "id": "a",
    "set": "mine",
    "source": "measured here",
    "model": "llama3_8b",
    "system": "h100_sxm",
    "strategy": {"world": 8},
    "measured": {"iteration_s": 1.0},
}


def faults(path: Path, cases: list[Any]) -> list[str]:
    file = path / "cases.json"
    file.write_text(json.dumps(cases))
    with pytest.raises(InputError) as problem:
        load_cases(file)
    return [d.message.removeprefix(f"{file}: ") for d in problem.value.diagnostics]


@pytest.mark.parametrize("count", [1, MAX_SHOWN - 1])
def test_every_fault_of_a_few_cases_is_said(tmp_path: Path, count: int) -> None:
    assert faults(tmp_path, [5] * count) == [f"case {k} is not an object" for k in range(count)]


def test_faults_that_are_not_shown_are_counted_in_the_last_line_that_is(tmp_path: Path) -> None:
    said = faults(tmp_path, [5] * 3000)
    assert len(said) == MAX_SHOWN
    assert said[-1] == f"{3000 - MAX_SHOWN + 1:,} more faults in its 3,000 cases"


@pytest.mark.parametrize("name", ["model", "system"])
@pytest.mark.parametrize("given", ["./mine", "mine.sym", "config.json", "/etc/passwd", ""])
def test_only_what_is_shipped_is_named(name: str, given: str) -> None:
    assert not list(faults_of(GOOD))
    assert list(faults_of(GOOD | {name: given})) == [f"names a file as its {name}; only what is shipped is read"]
