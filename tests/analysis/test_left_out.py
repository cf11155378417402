"""Errors of a case without a whole group: those of figures as stated where nothing else was fitted on its machine."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from symsim.analysis.fitting.accuracy import _without_all
from symsim.analysis.fitting.error_bar import LEFT_OUT
from symsim.analysis.fitting.plan_traits import WORDS, Traits


def case(name: str, in_set: str = "one", system: str = "box") -> Any:
    return SimpleNamespace(id=name, set=in_set, asked=SimpleNamespace(system=SimpleNamespace(name=system)))


def traits(**words: str) -> Traits:
    known = {**dict.fromkeys(WORDS, "same"), "system": "box", **words}
    return Traits(tuple(known.values()), (), (), ())


def errors(*others: tuple[Any, Traits], known: dict[str, float] | None = None) -> dict[str, float]:
    own = case("own")
    found = {"stated": 30.0, "shipped": 10.0, **(known or {})}
    every = [(own, traits()), *others]
    _without_all(own, found, {"box": [c for c, _ in every]}, {c.id: t for c, t in every})
    return {kind: found[kind] for kind in LEFT_OUT}


def test_a_case_alone_is_left_with_what_is_stated() -> None:
    assert errors() == dict.fromkeys(LEFT_OUT, 30.0)


@pytest.mark.parametrize("kind", LEFT_OUT)
def test_a_group_with_others_on_its_machine_keeps_the_error_of_the_fit_without_it(kind: str) -> None:
    other = case("other", "two") if kind == "set" else case("other")
    words = {} if kind == "set" else {kind: "another"}
    found = errors((other, traits(**words)), known={kind: 12.0})
    assert found == {k: 12.0 if k == kind else 30.0 for k in LEFT_OUT}


def test_a_case_whose_machine_was_never_fitted_is_as_shipped() -> None:
    found = {"stated": 30.0, "shipped": 10.0}
    _without_all(case("own"), found, {"other": [case("x", system="other")]}, {"own": traits(), "x": traits()})
    assert {found[kind] for kind in LEFT_OUT} == {10.0}
