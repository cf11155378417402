"""Runs that were measured did fit: the formulas call none of them too large for its machine.

See docs/memory.md, "Full devices", and tests/data/README.md for the sources.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.fitting.case_question import question_of
from symsim.analysis.fitting.stacks import choices_of_stack
from symsim.analysis.fitting.validate import validate
from symsim.analysis.memory_fit import MemoryFit, memory_fit

ROOT = Path(__file__).parents[2]


def cases(path: str) -> list[dict[str, Any]]:
    """Those that name a machine."""
    return [c for c in json.loads((ROOT / path).read_text(encoding="utf-8")) if c.get("system")]


FULL = cases("tests/data/full_device_cases.json")
MEASURED = [*cases("accuracy/cases.json"), *cases("tests/data/framework_memory_cases.json")]


def fit_of(case: dict[str, Any]) -> MemoryFit:
    asked = question_of(case)
    return memory_fit(asked, answer(asked.model, asked.plan, machine_of(asked)).values)


@pytest.mark.parametrize("case", FULL, ids=lambda c: c["id"])
def test_a_run_whose_device_was_full_fits(case: dict[str, Any]) -> None:
    assert fit_of(case).fits


@pytest.mark.parametrize("case", [FULL[2], FULL[9]], ids=lambda c: c["id"])
def test_without_what_its_program_decides_it_would_not(case: dict[str, Any]) -> None:
    assert choices_of_stack(case)
    assert fit_of({**case, "stack": None}).fits is False


def test_validate_names_a_run_that_is_called_too_large() -> None:
    rows = validate([FULL[9], {**FULL[9], "stack": None}])["cases"]
    assert [row["fits"] for row in rows] == [True, False]


@pytest.mark.slow
def test_no_measured_run_is_called_too_large() -> None:
    found = {row["id"]: row["fits"] for row in validate(MEASURED)["cases"] if row["failed"] is None}
    assert len(found) > 250
    assert [name for name, fits in found.items() if fits is False] == []


def test_a_choice_that_the_case_makes_itself_stays() -> None:
    stack = {"framework": "Megatron-Bridge"}
    assert choices_of_stack({"strategy": {}, "stack": stack}) == {"moe_probs_in_activation": "true"}
    assert choices_of_stack({"strategy": {"moe_probs_in_activation": False}, "stack": stack}) == {}
    assert choices_of_stack({"strategy": {}}) == {}
