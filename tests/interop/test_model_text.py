"""Writing a model: what a family gives anyway is left out, and the rest is wrapped."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.diagnostics import InputError
from symsim.interop.model_text import WIDTH, identifier, model_text, printable
from tests.models.counting import SHIPPED, model_of, shipped


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


def test_what_differs_between_layers_is_written_as_a_turn() -> None:
    dimensions = {"hidden": 64, "layers": 7, "heads": 4, "ffn": 96, "vocab": 512, "window": (8, 8, 0, 8, 8, 0, 8)}
    text = model_text("m", "m", "llama", dimensions)
    assert "window = [repeat 2 8, 0]" in text
    assert model_of(text).dimensions["window"] == dimensions["window"]


def test_notes_follow_the_model_and_are_read_back() -> None:
    dimensions = {"hidden": 64, "layers": 2, "heads": 4, "ffn": 96, "vocab": 512}
    text = model_text("m", "m", "llama", dimensions, notes=['a part is "left out"'])
    assert model_of(text).notes == ("a part is 'left out'",)
