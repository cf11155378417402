"""Values that a class itself refuses: null, no token of the vocabulary, a width of one layer alone."""

from __future__ import annotations

import json

import pytest

from symsim.diagnostics import InputError, Source
from symsim.interop.huggingface.translate import translate
from symsim.interop.json_text import parse

LLAMA = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
         "num_attention_heads": 4, "vocab_size": 512}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("vocab_size", None, "'vocab_size' must not be null"),
        ("mlp_bias", None, "'mlp_bias' must not be null"),
        ("num_key_value_heads", 0, "'num_key_value_heads' must not be 0"),
        ("pad_token_id", 512, "'pad_token_id' = 512 is no token of a vocabulary of 512"),
        ("layer_types", ["full_attention"] * 3, "'layer_types' has 3 entries for 4 layers"),
        ("per_layer_config", {"1": {"unheard": 48}}, "'unheard' cannot be of layer 1 alone"),
        ("per_layer_config", {"1": {"intermediate_size": 48}}, "'intermediate_size' cannot be of layer 1 alone"),
    ],
)
def test_what_the_class_refuses_is_refused_at_its_key(key: str, value: object, message: str) -> None:
    source = Source("config.json", json.dumps({**LLAMA, key: value}, indent=0))
    with pytest.raises(InputError) as caught:
        translate(parse(source), "m", source)
    first = caught.value.diagnostics[0]
    assert (first.code, first.message) == ("E511", message)
    assert first.place is not None and first.place.source.line(first.place.line).startswith(f'"{key}"')


@pytest.mark.parametrize(("key", "value"), [("num_key_value_heads", None), ("pad_token_id", -1), ("pad_token_id", 511)])
def test_what_the_class_takes_is_read(key: str, value: object) -> None:
    assert "llama(" in translate({**LLAMA, key: value}, "m", Source("config.json", ""))
