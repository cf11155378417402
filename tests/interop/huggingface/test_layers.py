"""What a configuration says of one layer, and layers that take from others: dimensions and errors."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError, Source
from symsim.interop.huggingface.translate import translate
from symsim.records.model import Model
from tests.models.counting import model_of, parameters

SMALL = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 6, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": 320}  # fmt: skip
GEMMA4 = {**SMALL, "model_type": "gemma4_text", "head_dim": 16}


def text_of(**config: object) -> str:
    return translate(config, "m", Source("config.json", ""))


def read(**config: object) -> Model:
    return model_of(text_of(**config))


def test_a_layer_has_the_head_that_per_layer_config_gives_it() -> None:
    model = read(**GEMMA4, per_layer_config={"01": {"head_dim": 32}, "5": {"head_dim": 48}})
    assert model.dimensions["head_dim"] == (16, 32, 16, 16, 16, 48)


def test_without_per_layer_config_global_layers_have_the_larger_head() -> None:
    model = read(**GEMMA4, global_head_dim=40)
    assert model.dimensions["head_dim"] == (16, 16, 16, 16, 16, 40)


def test_layers_that_take_earlier_keys_have_no_projection_of_their_own() -> None:
    keys = {**GEMMA4, "hidden_size_per_layer_input": 0, "layer_types": ["full_attention"] * 6, "global_head_dim": 16}
    own, shared = read(**keys), read(**keys, num_kv_shared_layers=2)
    assert parameters(own) - parameters(shared) == 2 * (64 * 2 * 2 * 16 + 16)


def test_earlier_keys_need_an_earlier_layer_of_the_same_kind() -> None:
    with pytest.raises(InputError) as caught:
        text_of(**GEMMA4, num_kv_shared_layers=2)
    assert caught.value.diagnostics[0].code == "E511"


def test_more_key_value_heads_than_heads_are_counted_and_said_not_to_run() -> None:
    text = text_of(**{**SMALL, "model_type": "seed_oss", "head_dim": 16, "num_key_value_heads": 8})
    assert 'note "8 key-value heads for 4 heads: such a model cannot run"' in text
    assert model_of(text).dimensions["kv_heads"] == 8


def test_layers_without_positions_turn_nothing() -> None:
    model = read(**SMALL, model_type="smollm3", no_rope_layer_interval=3)
    assert model.dimensions["rotated"] == (16, 16, 0, 16, 16, 0)
