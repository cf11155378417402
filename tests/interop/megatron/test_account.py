"""Every argument of Megatron-LM's parser is accounted for."""

from __future__ import annotations

from fnmatch import fnmatchcase

from symsim.interop.megatron.argument_table import NONE, arguments, by_name, effect_of, effects
from symsim.interop.megatron.translate import read_names


def test_every_argument_is_read_or_has_an_effect_or_none() -> None:
    assert [name for name in by_name() if name not in read_names() and not effect_of(name)] == []


def test_the_table_is_the_parser_of_one_version() -> None:
    assert len({a.name for a in arguments().values() if a.type != "text" or not a.effect}) > 700


def test_rules_read_arguments_that_the_parser_has() -> None:
    derived = {"world_size", "env", "peft"}
    assert sorted(n for n in read_names() - set(by_name()) if not n.startswith("_") and n not in derived) == []


def test_every_pattern_decides_about_an_argument() -> None:
    names = [n for n, a in by_name().items() if n not in read_names() and not a.effect]
    decided = {next((p for p, _ in effects() if fnmatchcase(n, p)), None) for n in names}
    assert [p for p, _ in effects() if p not in decided] == []


def test_an_effect_is_none_or_a_clause_that_follows_a_colon() -> None:
    said = [text for _, text in effects() if text != NONE]
    assert all((text and text[0].islower()) or text.startswith(("Muon", "Transformer")) for text in said)
    assert not any(text.endswith(".") for text in said)
