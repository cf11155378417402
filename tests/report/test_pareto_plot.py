"""The picture of a search."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("matplotlib")

from symsim.analysis.searching.search import search
from symsim.analysis.searching.search_json import document
from symsim.analysis.searching.space import load_space
from symsim.report.pareto_plot import picture

SPACE = "world=16,gbs=64,seq=2048,tp in {1,2,4,8},pp in {1,2},sequence_parallel in {true,false}"


def drawn(*pareto: str) -> dict[str, Any]:
    return document(search(load_space("llama3_8b", SPACE, "h100_sxm"), 8, pareto))


def test_front_and_labels_are_in_the_picture() -> None:
    text = picture(drawn("time.iteration", "memory.peak"), ".svg").decode()
    assert "<svg" in text
    for words in (
        "time of a step, s",
        "peak of memory, GiB",
        "Pareto front",
        "best plans",
        "tp1 pp1 sequence_parallel",
    ):
        assert f"<!-- {words} -->" in text


def test_a_third_value_is_the_shade() -> None:
    text = picture(drawn("time.iteration", "memory.peak", "tp"), ".svg").decode()
    assert "<!-- tp -->" in text


def test_one_plan_is_a_picture_too() -> None:
    found = search(load_space("llama3_8b", "world=8,gbs=64,seq=2048,tp in {8}", "h100_sxm"), 1, ("tp", "pp"))
    assert picture(document(found), ".pdf").startswith(b"%PDF")
