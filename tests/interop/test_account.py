"""Every key of another tool's file is read, has no effect, or is refused by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from symsim.diagnostics import InputError, Source
from symsim.interop.json_text import parse
from symsim.interop.rules.account import account, keys_of
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import Rule
from symsim.language.parser import parse_part

TEXT = """config run = strategy(tp = sizes.tp, zero = optimizer.zero.stage, dropout = given(drop)) {
    remark whole.kind == 1 "kind"
    require first(other, 1) > 0 "other"
    inert log, model.path
}
"""


def rule() -> Rule:
    source = Source("rules.sym", TEXT)
    item = parse_part(source, 0, len(TEXT), "config")[0]
    own = {a.keyword: a.value for a in item.arguments}
    inert = frozenset(k for r in item.rules if hasattr(r, "keys") for k in r.keys)
    return Rule(item.family, own, tuple(r for r in item.rules if not hasattr(r, "keys")), inert)


def reading(**keys: Any) -> Reading:
    source = Source("file.json", json.dumps(keys))
    return Reading(parse(source), source, KeyFacts({}, {"zero_stage": "other"}))


@pytest.mark.parametrize(
    "keys",
    [
        {"sizes": {"tp": 2}},
        {"optimizer": {"zero": {"stage": 1}}},
        {"log": {"every": 10, "where": {"to": "x"}}},
        {"model": {"path": "x"}},
        {"whole": {"kind": 1}},
        {"drop": 0.1, "other": 1},
        {"zero_stage": 2},
        {"optimizer": {}},
    ],
    ids=str,
)
def test_a_key_that_a_rule_names_is_known(keys: dict[str, Any]) -> None:
    assert account(reading(**keys), [rule()]) == []


@pytest.mark.parametrize(
    ("keys", "name", "near"),
    [
        ({"sizes": {"tp": 2, "pq": 2}}, "sizes.pq", "sizes.tp"),
        ({"optimiser": {"zero": {"stage": 1}}}, "optimiser.zero.stage", "optimizer.zero.stage"),
        ({"whole": {"kinds": 1}}, "whole.kinds", "whole.kind"),
        ({"unheard": {}}, "unheard", None),
    ],
)
def test_another_key_is_an_error_with_a_near_spelling(keys: dict[str, Any], name: str, near: str | None) -> None:
    with pytest.raises(InputError) as raised:
        account(reading(**keys), [rule()])
    problem = raised.value.diagnostics[0]
    assert problem.code == "E522" and f"'{name}'" in problem.message
    assert near is None or f"'{near}'" in (problem.hint or "")


def test_the_place_of_an_inner_key_is_its_own() -> None:
    source = Source("file.json", '{"sizes": {\n  "tp": 1,\n  "pq": 2}}')
    with pytest.raises(InputError) as raised:
        account(Reading(parse(source), source, KeyFacts({})), [rule()])
    assert str(raised.value.diagnostics[0].place) == "file.json:3:3"


def test_read_leniently_unknown_keys_are_remarks() -> None:
    assert account(reading(colour=1), [rule()], lenient=True) == ["'colour' is not known here, and left out"]


def test_keys_of_objects_have_points() -> None:
    assert list(keys_of({"a": {"b": 1, "c": {"d": 2}}, "e": {}, "f": [{"g": 1}]})) == ["a.b", "a.c.d", "e", "f"]


def test_very_many_unknown_keys_are_bounded_work() -> None:
    many = reading(**{f"key{k}": {f"inner{k}": k} for k in range(20_000)})
    with pytest.raises(InputError) as raised:
        account(many, [rule()])
    assert len(raised.value.diagnostics) == 20_000
    remarks = account(many, [rule()], lenient=True)
    assert len(remarks) == 21 and remarks[-1] == "19,980 more keys are not known here"
