"""One writer of JSON: standard, whatever is in a document, and safe for a terminal."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from symsim.diagnostics import CONTROLS
from symsim.report.strict_json import json_text

ROOT = Path(__file__).parents[2]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def without_other_numbers(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {k: without_other_numbers(v) for k, v in value.items()}
    return [without_other_numbers(v) for v in value] if isinstance(value, list) else value


def refuse(word: str) -> None:
    raise AssertionError(f"{word} is no JSON")


@given(VALUES, st.booleans(), st.sampled_from([None, 1]))
def test_reads_back_with_null_for_what_is_no_number(value: Any, ascii_only: bool, indent: int | None) -> None:
    text = json_text(value, indent, ascii_only)
    assert json.loads(text, parse_constant=refuse) == without_other_numbers(value)


@given(VALUES, st.booleans())
@example("\x7f\x9b", True)
@example("\x7f\x9b\U000e0001\ud800", False)
def test_holds_nothing_that_a_terminal_obeys(value: Any, ascii_only: bool) -> None:
    assert re.search(f"(?!\n){CONTROLS}", json_text(value, 1, ascii_only)) is None


@pytest.mark.parametrize("folder", ["cli", "report", "api"])
def test_no_command_writes_json_by_another_road(folder: str) -> None:
    writers = [
        path.name
        for path in (ROOT / "symsim" / folder).glob("*.py")
        if path.name != "strict_json.py" and re.search(r"\bjson\.dumps?\(", path.read_text(encoding="utf-8"))
    ]
    assert writers == []
