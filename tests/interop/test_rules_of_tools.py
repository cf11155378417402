"""Rules name what there is, and every key that a tool knows is named: read, without effect, or said to be left out."""

from __future__ import annotations

import json

import pytest

from symsim import resources
from symsim.interop.model_text import family_of
from symsim.interop.rules.class_table import key_facts
from symsim.interop.rules.key_expressions import asked, in_braces
from symsim.interop.rules.rule_book import Rule, RuleBook
from symsim.interop.rules.strategy_values import FAMILY
from symsim.records.strategy import CHOICES

TYPES = [
    (tool, name)
    for tool in ("simumax", "calculon", "estimator")
    for name in json.loads(resources.class_table(tool).read_text(encoding="utf-8"))["types"]
]


def rules(tool: str, name: str) -> list[Rule]:
    return [rule for _, rule in RuleBook(tool).every_rule(name)]


def named(rule: Rule) -> set[str]:
    nodes = (*rule.arguments.values(), *(check.condition for check in rule.checks))
    return {name for node in nodes for name in asked(node)} | rule.inert


@pytest.mark.parametrize(("tool", "name"), TYPES)
def test_every_key_is_named_in_every_rule(tool: str, name: str) -> None:
    facts = key_facts(tool, name)
    for item, rule in RuleBook(tool).every_rule(name):
        condition = set() if item.when is None else set(asked(item.when))
        assert set(facts.defaults) - facts.inert <= named(rule) | condition, rule


@pytest.mark.parametrize(("tool", "name"), TYPES)
def test_every_name_in_a_rule_is_a_key(tool: str, name: str) -> None:
    types = [of for word, of in TYPES if word == tool]
    known = set(key_facts(tool, *types).defaults)
    for rule in rules(tool, name):
        shown = {n for check in rule.checks for n in in_braces(getattr(check, "text", None) or check.message or "")}
        assert named(rule) | shown <= known


@pytest.mark.parametrize(("tool", "name"), TYPES)
def test_every_name_that_a_rule_gives_is_one_of_what_it_gives(tool: str, name: str) -> None:
    for rule in rules(tool, name):
        known = set(CHOICES) if rule.family == FAMILY else {p.name for p in family_of(rule.family).parameters}
        assert set(rule.arguments) <= known
