"""Every key that the tools' own configuration classes have is named by a rule, and rules name what there is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symsim.interop.model_text import family_of
from symsim.interop.rules.account import entries
from symsim.interop.rules.key_expressions import asked
from symsim.interop.rules.rule_book import RuleBook
from symsim.interop.rules.strategy_values import FAMILY
from symsim.records.strategy import CHOICES

KEYS = json.loads((Path(__file__).parents[2] / "data" / "framework_keys.json").read_text(encoding="utf-8"))
"""From checks/frameworks/known_keys.py."""
BOOKS = {"deepspeed": ("ds_config",), "accelerate": ("accelerate",), "transformers": ("training_arguments",),
         "torchtitan": ("torchtitan",), "nanotron": ("strategy", "model")}  # fmt: skip


def named(tool: str) -> set[str]:
    """Every key that a rule of the tool reads, checks or calls inert; those of nanotron's model under its block."""
    found: set[str] = set()
    for kind in BOOKS[tool]:
        before = "model_config." if kind == "model" else ""
        for item, rule in RuleBook(tool).every_rule(kind):
            nodes = [*rule.arguments.values(), *(check.condition for check in rule.checks)]
            nodes += [item.when] if item.when is not None else []
            found |= {before + name for node in nodes for name in asked(node)} | {before + name for name in rule.inert}
    return found


@pytest.mark.parametrize("tool", KEYS)
def test_every_key_of_the_classes_is_accounted_for(tool: str) -> None:
    known = named(tool)
    left = [key for key in KEYS[tool] if key not in known and not _held(key, known)]
    assert left == []


def _held(key: str, known: set[str]) -> bool:
    """Whether the object that holds a key is named as a whole."""
    whole = key.rpartition(".")[0]
    return whole in known and not any(name.startswith(f"{whole}.") for name in known)


@pytest.mark.parametrize(("tool", "kind"), [(tool, kind) for tool, kinds in BOOKS.items() for kind in kinds])
def test_rules_name_choices_and_dimensions_that_there_are(tool: str, kind: str) -> None:
    for _, rule in RuleBook(tool).every_rule(kind):
        if rule.family == FAMILY:
            assert set(rule.arguments) <= set(CHOICES)
        else:
            assert set(rule.arguments) <= {p.name for p in family_of(rule.family).parameters}


def test_an_object_is_listed_by_its_keys() -> None:
    assert [key for key, _ in entries({"a": {"b": 1, "c": {}}, "d": 2})] == ["a.b", "a.c", "d"]
