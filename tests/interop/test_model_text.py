"""Writing a model: what a family gives anyway is left out, and the rest is wrapped."""

from __future__ import annotations

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.diagnostics import InputError
from symsim.interop.model_text import DEFAULTS, ORDER, WIDTH, identifier, model_text, printable
from symsim.language.expressions import Plain, evaluate
from symsim.language.library import library_of
from tests.models.counting import SHIPPED, model_of, shipped

FAMILIES = library_of().families
GIVEN = {"hidden": 24, "heads": 4, "bias": False, "expert_ffn": 10}


@pytest.mark.parametrize("family", DEFAULTS)
def test_defaults_are_those_of_the_family(family: str) -> None:
    parameters = {p.name: p.default for p in FAMILIES[family].parameters}
    checked = {name: default for name, default in DEFAULTS[family].items() if name in parameters}
    for name, default in checked.items():
        node = parameters[name]
        assert node is not None, f"{family} needs {name}"
        usual = default(GIVEN) if callable(default) else default
        value = evaluate(node, Plain({**GIVEN, "ffn": 10}))
        assert (Fraction(usual) if isinstance(usual, float) else usual) == value, name


@pytest.mark.parametrize("family", DEFAULTS)
def test_every_default_of_the_family_is_known(family: str) -> None:
    with_default = {p.name for p in FAMILIES[family].parameters if p.default is not None}
    written = {"expert_ffn"} if family == "moe" else set()
    assert with_default - set(DEFAULTS[family]) == written


def test_every_family_can_be_written() -> None:
    assert set(DEFAULTS) == set(FAMILIES)
    assert {p.name for family in FAMILIES.values() for p in family.parameters} <= set(ORDER)


@pytest.mark.parametrize("name", SHIPPED)
def test_text_of_a_shipped_model_reads_as_that_model(name: str) -> None:
    model = shipped(name)
    again = model_of(model_text(model.name, model.title, model.family, model.dimensions))
    assert (again.name, again.title, again.family, again.dimensions) == (
        model.name,
        model.title,
        model.family,
        model.dimensions,
    )


@pytest.mark.parametrize("name", SHIPPED)
def test_nothing_is_written_that_the_family_gives_anyway(name: str) -> None:
    model = shipped(name)
    text = model_text(model.name, model.title, model.family, model.dimensions)
    arguments = re.findall(r"\w+ = \w+(?=[,)])", text)
    assert len(arguments) >= 4
    for argument in arguments:
        rest = ", ".join(a for a in arguments if a != argument)
        assert dimensions_of(f"model m = {model.family}({rest})") != model.dimensions, argument


def dimensions_of(text: str) -> object:
    try:
        return model_of(text).dimensions
    except InputError:
        return None


def test_text_is_wrapped() -> None:
    text = model_text("m", "A model", "llama", {"hidden": 4096, "layers": 32, "heads": 32, "kv_heads": 8, "ffn": 14336,
                                               "vocab": 128256, "tied": True, "qk_norm": True},
                      ["word " * 30])  # fmt: skip
    assert max(map(len, text.splitlines())) <= WIDTH
    assert text.splitlines()[2:] == [
        'model m "A model" = llama(hidden = 4096, layers = 32, heads = 32, kv_heads = 8, ffn = 14336,',
        "    vocab = 128256, tied = true, qk_norm = true)",
    ]


@given(st.text())
def test_any_text_becomes_a_name_and_a_title_of_the_language(text: str) -> None:
    dimensions = {"hidden": 64, "layers": 2, "heads": 4, "ffn": 96, "vocab": 512}
    model = model_of(model_text(identifier(text), printable(text), "llama", dimensions, [printable(text)]))
    assert model.name == identifier(text)
    assert isinstance(model.dimensions["ffn"], int)


@pytest.mark.parametrize(
    ("text", "name"),
    [("Llama-3.1-8B", "llama_3_1_8b"), ("01-ai/Yi", "model_01_ai_yi"), ("…", "imported"), ("gpt2", "gpt2")],
)
def test_name_of_a_text(text: str, name: str) -> None:
    assert identifier(text) == name


def test_model_without_a_title_has_none() -> None:
    text = model_text("m", "m", "llama", {"hidden": 64, "layers": 2, "heads": 4, "ffn": 96, "vocab": 512})
    assert text == "model m = llama(hidden = 64, layers = 2, heads = 4, ffn = 96, vocab = 512)\n"
