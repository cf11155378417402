"""docs/accuracy.md and the table of errors say what the formulas predict today; every step was really measured."""

from __future__ import annotations

import json
import re
from functools import cache

import pytest

from symsim.analysis.accuracy import accuracy, covered, known
from symsim.analysis.validate import load_cases
from tests.docs.test_docs import ROOT, generate

CASES = ROOT / "accuracy" / "cases.json"
SHOWN = 0.05
"""Per cent that another version of numpy may move a fitted error by."""
_NUMBER = re.compile(r"[+-]?\d+\.\d+")


@cache
def files() -> dict[str, str]:
    return {path.name: text for path, text in generate.accuracy_files().items()}


@pytest.mark.parametrize("name", ["docs/accuracy.md", "docs/accuracy.svg", "accuracy/errors.csv"])
def test_is_what_the_formulas_predict(name: str) -> None:
    written = (ROOT / name).read_text(encoding="utf-8")
    made = files()[name.rpartition("/")[2]]
    hint = "run: python docs/generate.py accuracy"
    assert _NUMBER.sub("#", made) == _NUMBER.sub("#", written), hint
    numbers = [[float(n) for n in _NUMBER.findall(text)] for text in (made, written)]
    assert numbers[0] == pytest.approx(numbers[1], abs=2 * SHOWN), hint


def test_every_timed_case_is_judged() -> None:
    cases = load_cases(CASES)
    timed = [c for c in cases if {"iteration_s", "tflops_per_gpu_full_attention"} & set(c["measured"])]
    assert len(files()["errors.csv"].splitlines()) - 2 == len(timed)
    assert all(c["source"] for c in cases)


def test_error_bars_hold_as_many_errors_as_they_say() -> None:
    one, two = covered(known(accuracy(load_cases(CASES))))
    assert one == pytest.approx(0.68, abs=0.1)
    assert two > 0.9


def test_the_page_shows_every_set() -> None:
    page = files()["accuracy.md"]
    assert {c["set"] for c in json.loads(CASES.read_text())} <= set(re.findall(r"^\| ([\w-]+)", page, re.MULTILINE))
