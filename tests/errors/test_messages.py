"""Each malformed input ends with status 2 and one clear message: what is wrong, where, what would be right."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest

from tests.errors.case import Case, outcome
from tests.errors.table import CASES

each_case = pytest.mark.parametrize("case", CASES, ids=lambda c: c.name.replace(": ", "-").replace(" ", "-"))


@each_case
def test_ends_with_status_2_and_prints_nothing_but_the_error(case: Case) -> None:
    found = outcome(case)
    assert (found.status, found.out) == (2, "")
    assert f"error[{case.code}]: " in found.err
    assert "Traceback" not in found.err


@each_case
def test_says_what_is_wrong(case: Case) -> None:
    assert case.message in outcome(case).err


@each_case
def test_says_where(case: Case) -> None:
    first = outcome(case).err.split("\n")[0]
    place = first.partition("error[")[0].removesuffix(": ")
    if case.place is not None:
        assert place == case.place
    elif place:
        assert re.fullmatch(r"\S+:\d+:\d+", place)


@each_case
def test_says_what_would_be_right(case: Case) -> None:
    assert any(case.hint in line for line in outcome(case).err.split("\n") if line.startswith("  hint: "))


@each_case
def test_points_into_the_line(case: Case) -> None:
    """The caret stands below the line that is shown, and the line is not too long for a terminal."""
    lines = outcome(case).err.split("\n")
    for above, below in pairwise(lines):
        if re.fullmatch(r"  \| *\^+", below):
            assert above.startswith("  | ")
            assert len(below) <= len(above) + 1 <= 106


def test_names_are_distinct() -> None:
    names = [c.name for c in CASES]
    assert sorted(names) == sorted(set(names))
