"""The committed facts about Hugging Face's classes have the promised form, and every rule's keys are among them."""

from __future__ import annotations

import json

import pytest

from symsim import resources

TABLE = json.loads(resources.class_table("huggingface").read_text(encoding="utf-8"))
TYPES, WRAPPERS = TABLE["types"], TABLE["wrappers"]

TIES = {f"{outer},{inner}" for outer in ("absent", "true", "false") for inner in ("absent", "true", "false")}


def test_the_library_and_its_version_are_said() -> None:
    assert TABLE["source"] == "transformers 5.24.0"


def test_each_type_is_one_line_in_order() -> None:
    lines = resources.class_table("huggingface").read_text(encoding="utf-8").splitlines()
    names = [line.split('"')[1] for line in lines if '": {"class": ' in line]
    assert names == sorted(TYPES)


def test_defaults_are_those_of_the_class_before_it_fills_anything_in() -> None:
    assert TYPES["llama"]["defaults"]["num_key_value_heads"] is None
    assert TYPES["qwen3_moe"]["defaults"]["num_experts"] == 128
    assert TYPES["deepseek_v3"]["defaults"]["num_hidden_layers"] == 61


@pytest.mark.parametrize("name", sorted(name for name, facts in TYPES.items() if "unbuilt" not in facts))
def test_each_key_is_active_or_costs_or_is_inert(name: str) -> None:
    facts = TYPES[name]
    sorts = [set(facts[sort]) for sort in ("active", "cost", "inert")]
    assert set(facts["defaults"]) <= set.union(*sorts)
    assert sum(map(len, sorts)) == len(set.union(*sorts))


@pytest.mark.parametrize("name", sorted(TYPES))
def test_other_names_lead_to_keys_of_the_class(name: str) -> None:
    facts = TYPES[name]
    assert set(facts["renamed"].values()) <= set(facts["defaults"])
    assert not set(facts["renamed"]) & set(facts["defaults"])


@pytest.mark.parametrize("name", sorted(WRAPPERS))
def test_a_wrapper_says_where_its_text_part_is_and_what_ties_it(name: str) -> None:
    facts = WRAPPERS[name]
    assert facts["default"] in TYPES
    if "inside" in facts:
        assert facts["inside"] in WRAPPERS
    elif "unbuilt" not in facts:
        assert set(facts["ties"]) == TIES


def test_a_key_that_costs_is_no_inert_key() -> None:
    for facts in TYPES.values():
        assert not set(TABLE["cost"]) & set(facts.get("inert", ()))
