"""docs/accuracy.md and the table of errors say what the formulas predict today; every step was really measured."""

from __future__ import annotations

import json
import re

import generate
import pytest

from symsim.analysis.fitting.accuracy import accuracy
from symsim.analysis.fitting.cases_file import load_cases
from tests.docs.test_docs import ROOT

CASES = ROOT / "accuracy" / "cases.json"
SHOWN = 0.05
"""Per cent that another version of numpy may move a fitted error by."""
_NUMBER = re.compile(r"[+-]?\d+(?:\.\d+)?")


@pytest.mark.slow
def test_pages_are_what_the_formulas_predict() -> None:
    """In one test, because all fits are made again for it, and all error bars learned."""
    cases = load_cases(CASES)
    found = accuracy(cases)
    timed = [c for c in cases if {"iteration_s", "tflops_per_gpu_full_attention"} & set(c["measured"])]
    assert len(found.judged) + len(found.failed) == len(timed)
    hint = "run: python docs/generate.py accuracy"
    for path, made in generate.accuracy_files(found).items():
        written = path.read_text(encoding="utf-8")
        assert _NUMBER.sub("#", made) == _NUMBER.sub("#", written), hint
        numbers = [[float(n) for n in _NUMBER.findall(text)] for text in (made, written)]
        assert numbers[0] == pytest.approx(numbers[1], abs=2 * SHOWN, rel=0.02), hint


def test_every_case_says_where_it_is_from() -> None:
    assert all(c["source"] for c in load_cases(CASES))


def test_the_page_shows_every_set() -> None:
    page = (ROOT / "docs" / "accuracy.md").read_text(encoding="utf-8")
    assert {c["set"] for c in json.loads(CASES.read_text())} <= set(re.findall(r"^\| ([\w-]+)", page, re.MULTILINE))
