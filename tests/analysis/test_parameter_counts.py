"""What was counted before is used for the same text alone, and whatever else is kept counts as absent."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.parameter_counts import ParameterCount, fingerprint, parameter_count
from symsim.diagnostics import Source

TEXT = "model m = llama(hidden = 64, layers = 2, heads = 4, ffn = 128, vocab = 256)\n"
COUNT = ParameterCount(115_008, 115_008)


def source(text: str = TEXT) -> Source:
    return Source("m.sym", text)


def kept(**changed: Any) -> dict[str, Any]:
    return {"m": {"text": fingerprint(source()), "parameters": 7, "active_parameters": 5, **changed}}


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMSIM_CACHE", str(tmp_path))


def test_a_kept_count_of_the_same_text_is_used() -> None:
    assert parameter_count("m", source(), kept()) == ParameterCount(7, 5)


def test_a_model_whose_text_changed_is_counted_again() -> None:
    assert parameter_count("m", source(), kept(text="0" * 16)) == COUNT


@pytest.mark.parametrize(
    "wrong", [{"parameters": "7"}, {"parameters": True}, {"active_parameters": 8}, {"active_parameters": -1}]
)
def test_a_count_of_another_form_is_counted_again(wrong: dict[str, Any]) -> None:
    assert parameter_count("m", source(), kept(**wrong)) == COUNT


def test_what_was_counted_is_found_again() -> None:
    assert parameter_count("m", source(), {}) == COUNT
    assert parameter_count("m", source(), {}) == COUNT
