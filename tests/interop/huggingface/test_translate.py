"""Hugging Face configurations: the model that each is read as, and the error of each that cannot be."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.diagnostics import Diagnostic, InputError, Source
from symsim.interop.huggingface.rules import BOOK
from symsim.interop.huggingface.translate import load, translate
from symsim.interop.json_text import parse
from symsim.language.models import elaborate_model
from symsim.loading.model_files import source_of
from symsim.records.model import Model
from tests.models.counting import model_of, parameters, rows, shipped

PUBLIC = rows("params_huggingface.json")
SMALL = rows("params_huggingface_small.json")
LLAMA = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 4,
         "num_attention_heads": 4, "vocab_size": 512}  # fmt: skip
EXPERTS = {"model_type": "qwen3_moe", "num_experts": 8, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
LATENT = {"model_type": "deepseek_v3", "n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2,
          "moe_intermediate_size": 32, "first_k_dense_replace": 1}  # fmt: skip

DIFFERENT_FILE = {"gemma3_text_27b": {"window": 4096}}
"""Where a file of ``params_huggingface.json`` says something else than the public model's: it has no
``sliding_window``, so that Hugging Face's default holds."""


def text_of(config: Mapping[str, object], name: str = "m") -> str:
    return translate(config, name, Source("config.json", ""))


def read(**keys: object) -> Model:
    """A small Llama with some keys changed; a key that is given as ``...`` is left out."""
    config = {k: v for k, v in {**LLAMA, **keys}.items() if v is not ...}
    return model_of(text_of(config))


def problems(text: str) -> tuple[Diagnostic, ...]:
    source = Source("config.json", text)
    with pytest.raises(InputError) as caught:
        translate(parse(source), "m", source)
    return caught.value.diagnostics


def refused(**keys: object) -> Diagnostic:
    """The one error of a small Llama with some keys changed, one key a line."""
    config = {k: v for k, v in {**LLAMA, **keys}.items() if v is not ...}
    (diagnostic,) = problems(json.dumps(config, indent=0))
    return diagnostic


def line_of(diagnostic: Diagnostic) -> str:
    assert diagnostic.place is not None
    return diagnostic.place.source.line(diagnostic.place.line)


# Equality with Hugging Face's modules


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: str(row["name"]))
def test_public_model_has_the_parameters_of_hugging_faces_modules(row: dict[str, Any]) -> None:
    assert parameters(model_of(text_of(row["config"]))) == row["params"]


@pytest.mark.parametrize("row", SMALL, ids=lambda row: str(row["config"]["model_type"]))
def test_small_model_has_the_parameters_of_hugging_faces_modules(row: dict[str, Any]) -> None:
    assert parameters(model_of(text_of(row["config"]))) == row["params"]


@pytest.mark.parametrize("row", PUBLIC, ids=lambda row: str(row["name"]))
def test_public_configuration_reads_as_the_shipped_model(row: dict[str, Any]) -> None:
    name = {"gemma3_text_27b": "gemma3_27b"}.get(row["name"], row["name"])
    translated = model_of(text_of(row["config"]))
    assert translated.family == shipped(name).family
    expected = {**shipped(name).dimensions, **DIFFERENT_FILE.get(row["name"], {})}
    assert without_context(translated.dimensions) == without_context(expected)


def without_context(dimensions: Mapping[str, object]) -> dict[str, object]:
    """Most files of the table leave out how long a sequence is; of rotary positions no formula asks it."""
    return {n: v for n, v in dimensions.items() if n != "max_positions" or dimensions["positions"] == "learned"}


@pytest.mark.parametrize(
    ("keys", "context"),
    [
        ({"max_position_embeddings": 8192}, 8192),
        ({"max_position_embeddings": 131072, "rope_scaling": {"original_max_position_embeddings": 8192}}, 8192),
        ({"max_position_embeddings": 131072, "rope_parameters": {"original_max_position_embeddings": 4096}}, 4096),
        ({"max_position_embeddings": 131072, "original_max_position_embeddings": 4096}, 4096),
        ({"max_position_embeddings": 131072, "rope_scaling": None}, 131072),
        ({"max_position_embeddings": "long"}, 0),
        ({"max_position_embeddings": ...}, 2048),
    ],
)
def test_context_is_that_before_rotary_positions_were_scaled(keys: dict[str, object], context: int) -> None:
    assert read(**keys).dimensions["max_positions"] == context


# The text


def test_text_is_what_a_person_would_write() -> None:
    config = {**LLAMA, "hidden_size": 5120, "intermediate_size": 25600, "num_hidden_layers": 64, "head_dim": 128,
              "num_attention_heads": 64, "num_key_value_heads": 8, "vocab_size": 151936, "model_type": "qwen3",
              "_name_or_path": "Qwen/Qwen3-32B"}  # fmt: skip
    assert text_of(config, "Qwen3-32B") == (
        "# Source: Qwen/Qwen3-32B, config.json, model_type qwen3.\n"
        'model qwen3_32b "Qwen3-32B" = llama(hidden = 5120, layers = 64, heads = 64, kv_heads = 8,\n'
        "    head_dim = 128, ffn = 25600, vocab = 151936, qk_norm = true, max_positions = 32768)\n"
    )


def test_file_becomes_the_text_of_a_model_named_after_its_folder(tmp_path: Path) -> None:
    folder = tmp_path / "Llama-3.1-8B"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    model = elaborate_model(load(folder / "config.json"))
    assert (model.name, model.dimensions) == ("llama_3_1_8b", read().dimensions)


def test_file_of_another_name_names_the_model(tmp_path: Path) -> None:
    (tmp_path / "tiny.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert elaborate_model(load(tmp_path / "tiny.json")).name == "tiny"


def test_hostile_name_stays_inside_the_title() -> None:
    hostile = 'x" = gpt(hidden=1)\nmodel y "\ud800'
    model = model_of(text_of({**LLAMA, "_name_or_path": hostile}))
    assert (model.name, model.family) == ("m", "llama")


def test_multi_token_module_is_left_out_aloud() -> None:
    config = {**LLAMA, **LATENT, "num_nextn_predict_layers": 1}
    assert 'note "the multi-token module is left out: --set mtp_layers=1 adds it"' in text_of(config)
    assert model_of(text_of(config)).dimensions["mtp_layers"] == 0


def test_parallel_residual_is_a_norm_for_each_of_two_branches() -> None:
    assert read(model_type="gpt_neox").dimensions["order"] == "parallel_pre"
    assert read(model_type="gpt_neox", use_parallel_residual=False).dimensions["order"] == "pre"


def test_attention_in_both_directions_is_mentioned() -> None:
    config = {**LLAMA, "model_type": "gemma3_text", "head_dim": 16, "num_key_value_heads": 2}
    assert "both directions" in text_of({**config, "use_bidirectional_attention": True})
    assert "both directions" not in text_of(config)


# Keys that are absent or null


@pytest.mark.parametrize(
    ("keys", "dimension", "value"),
    [
        ({}, "kv_heads", 4),
        ({"num_key_value_heads": None}, "kv_heads", 4),
        ({"model_type": "mistral", "num_attention_heads": 16}, "kv_heads", 8),
        ({"model_type": "mixtral", "num_attention_heads": 16}, "kv_heads", 8),
        ({"model_type": "qwen2", "num_attention_heads": 32}, "kv_heads", 32),
        ({}, "head_dim", 16),
        ({"head_dim": None}, "head_dim", 16),
        ({"model_type": "qwen3", "num_key_value_heads": 2}, "head_dim", 128),
        ({"model_type": "gemma2"}, "head_dim", 256),
        ({}, "tied", False),
        ({"tie_word_embeddings": True}, "tied", True),
        ({"model_type": "gemma2"}, "tied", True),
        ({"model_type": "starcoder2", "num_key_value_heads": 4}, "tied", True),
        ({"model_type": "gpt_neox"}, "tied", False),
        ({"model_type": "mistral", "num_key_value_heads": 2}, "window", 4096),
        ({"model_type": "mistral", "num_key_value_heads": 2, "sliding_window": None}, "window", 0),
        ({"model_type": "mixtral", "num_key_value_heads": 2}, "window", 0),
        ({"model_type": "phi3", "sliding_window": 2047}, "window", 2047),
        ({"model_type": "gemma3_text"}, "window", 4096),
        ({"model_type": "gemma3_text", "sliding_window": 1024}, "window", 1024),
        ({"model_type": "gemma3_text"}, "locals", 5),
        ({"model_type": "gemma2"}, "locals", 1),
        ({"model_type": "gemma2"}, "activation", "geglu"),
                ({**LATENT, "q_lora_rank": None}, "q_rank", 0),
        (LATENT, "q_rank", 1536),
        ({**LATENT, "n_shared_experts": 3}, "shared_ffn", 96),
        (LATENT, "dense_ffn", 96),
        (LATENT, "positions", "rope"),
        ({"model_type": "kimi_k2"} | {k: v for k, v in LATENT.items() if k != "model_type"}, "dense_layers", 1),
        ({**EXPERTS, "mlp_only_layers": None}, "dense_layers", 0),
        ({**EXPERTS, "mlp_only_layers": [1, 0]}, "feed", ("mlp", "mlp", "moe", "moe")),
        ({**EXPERTS, "mlp_only_layers": [1, 0]}, "ffn", 96),
        ({**EXPERTS, "num_experts": ..., "num_local_experts": 16}, "experts", 16),
    ],
)  # fmt: skip
def test_key_gives_the_dimension(keys: dict[str, object], dimension: str, value: object) -> None:
    assert read(**keys).dimensions[dimension] == value


def test_gpt2_widens_four_times_unless_told_otherwise() -> None:
    config = {"model_type": "gpt2", "n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 512, "n_positions": 128}
    assert model_of(text_of(config)).dimensions["ffn"] == 256
    assert model_of(text_of({**config, "n_inner": None})).dimensions["ffn"] == 256
    assert model_of(text_of({**config, "n_inner": 100})).dimensions["ffn"] == 100
    assert model_of(text_of(config)).dimensions["max_positions"] == 128


def test_bloom_is_read_with_the_old_names_of_its_keys() -> None:
    config = {"model_type": "bloom", "n_embed": 14336, "n_layer": 70, "num_attention_heads": 112, "vocab_size": 250880}
    assert model_of(text_of(config)).dimensions == shipped("bloom_176b").dimensions


def test_nested_text_model_takes_hugging_faces_defaults() -> None:
    """The file of google/gemma-3-27b-pt leaves out every key of the text model that has its usual value."""
    nested = {"model_type": "gemma3_text", "hidden_size": 5376, "intermediate_size": 21504, "num_hidden_layers": 62,
              "num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128,
              "sliding_window": 1024}  # fmt: skip
    text = text_of({"model_type": "gemma3", "text_config": nested, "vision_config": {"hidden_size": 1152}})
    assert without_context(model_of(text).dimensions) == without_context(shipped("gemma3_27b").dimensions)
    assert 'note "the text model of a gemma3 model: its other parts are left out"' in text
    assert "vocab_size is not in the file: transformers" in text


def test_nested_text_model_is_tied_where_the_whole_is() -> None:
    def tied(whole: dict[str, object], part: dict[str, object]) -> object:
        config = {"model_type": "llava", **whole, "text_config": {**LLAMA, **part}}
        return model_of(text_of(config)).dimensions["tied"]

    assert tied({}, {}) is False
    assert tied({"tie_word_embeddings": True}, {}) is True
    assert tied({"tie_word_embeddings": True}, {"tie_word_embeddings": False}) is True


# Biases


@pytest.mark.parametrize(
    ("keys", "where"),
    [
        ({}, ()),
        ({"attention_bias": True}, ("bias", "qkv_bias")),
        ({"mlp_bias": True}, ("mlp_bias",)),
        ({"attention_bias": True, "mlp_bias": True}, ("bias", "qkv_bias", "mlp_bias")),
        ({"model_type": "qwen2", "num_key_value_heads": 4}, ("qkv_bias",)),
        ({**EXPERTS, "model_type": "qwen2_moe", "num_key_value_heads": 4}, ("qkv_bias",)),
        ({"model_type": "glm", "num_key_value_heads": 4}, ("qkv_bias",)),
        ({"model_type": "seed_oss", "num_key_value_heads": 4}, ("qkv_bias",)),
        ({"model_type": "seed_oss", "num_key_value_heads": 4, "attention_out_bias": True}, ("bias", "qkv_bias")),
        ({"model_type": "starcoder2", "num_key_value_heads": 4}, ("bias", "qkv_bias")),
        ({"model_type": "starcoder2", "num_key_value_heads": 4, "use_bias": False}, ()),
    ],
)  # fmt: skip
def test_biases_are_where_the_module_has_them(keys: dict[str, object], where: tuple[str, ...]) -> None:
    dimensions = read(**keys).dimensions
    assert tuple(n for n in ("bias", "qkv_bias", "mlp_bias") if dimensions.get(n)) == where


# Windows and patterns of layers

LOCAL, FULL = "sliding_attention", "full_attention"
SLIDING = {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 64}


@pytest.mark.parametrize(
    ("keys", "dimension", "value"),
    [
        ({"layer_types": [FULL] * 4}, "window", 0),
        ({**SLIDING, "use_sliding_window": False, "layer_types": [FULL] * 4}, "window", 0),
        ({**SLIDING, "max_window_layers": 4}, "window", 0),
        ({**SLIDING, "max_window_layers": 0}, "window", 64),
        ({"model_type": "qwen3", "use_sliding_window": True, "layer_types": [LOCAL] * 4}, "window", 4096),
        ({**EXPERTS, "use_sliding_window": True, "sliding_window": 64}, "window", 64),
        ({"model_type": "gemma3_text", "sliding_window_pattern": 3}, "locals", 2),
        ({"model_type": "gemma3_text", "layer_types": [LOCAL, LOCAL, FULL, LOCAL]}, "locals", 2),
        ({"model_type": "gemma3_text", "layer_types": [LOCAL] * 4}, "locals", 4),
        ({"model_type": "gpt_oss", "layer_types": [LOCAL, FULL, LOCAL, FULL], "num_key_value_heads": 2}, "window", 128),
        ({"model_type": "qwen2", "use_sliding_window": True, "max_window_layers": 2}, "window", (0, 0, 4096, 4096)),
        ({"model_type": "gemma2", "layer_types": [FULL, LOCAL] * 2}, "mixer", ("full", "sliding") * 2),
        ({"model_type": "gpt_oss", "layer_types": [LOCAL, LOCAL, FULL, LOCAL]}, "mixer",
         ("sliding", "sliding", "full", "sliding")),
        ({**EXPERTS, "decoder_sparse_step": 2}, "feed", ("mlp", "moe") * 2),
        ({"model_type": "qwen3_next", "layer_types": [FULL] * 4}, "mixer", "full"),
        ({"model_type": "qwen3_next", "mlp_only_layers": [0]}, "feed", ("mlp", "moe", "moe", "moe")),
        ({"model_type": "qwen3_next", "decoder_sparse_step": 2}, "feed", ("mlp", "moe") * 2),
        ({**EXPERTS, "mlp_only_layers": [1]}, "feed", ("moe", "mlp", "moe", "moe")),
        ({"model_type": "qwen3_next", "layer_types": ["linear_attention", FULL] * 2}, "full_every", 2),
        ({"model_type": "qwen3_next", "full_attention_interval": 3}, "full_every", 3),
    ],
)  # fmt: skip
def test_layers_have_the_window_or_pattern(keys: dict[str, object], dimension: str, value: object) -> None:
    assert read(**{"num_key_value_heads": 2, **keys}).dimensions[dimension] == value


@pytest.mark.parametrize(
    ("keys", "at"),
    [
        ({"model_type": "gemma3_text", "layer_types": [LOCAL, FULL, "other", FULL]}, "layer_types"),
        ({**LATENT, "moe_layer_freq": 2}, "moe_layer_freq"),
        ({"model_type": "modernbert-decoder", "classifier_bias": True}, "classifier_bias"),
        ({"hidden_act": "unheard"}, "hidden_act"),
            ],
)  # fmt: skip
def test_what_cannot_be_expressed_is_an_error_at_its_key(keys: dict[str, object], at: str) -> None:
    found = refused(**{"num_key_value_heads": 4, **keys})
    assert found.code == "E512"
    assert line_of(found).startswith(f'"{at}"')


# Errors


@pytest.mark.parametrize(
    ("keys", "code", "at"),
    [
        ({"model_type": "lama"}, "E507", "model_type"),
        ({"model_type": 7}, "E509", "model_type"),
        ({"hidden_size": "64"}, "E509", "hidden_size"),
        ({"hidden_size": 64.0}, "E509", "hidden_size"),
        ({"hidden_size": True}, "E509", "hidden_size"),
        ({"hidden_size": None}, "E511", "hidden_size"),
        ({"hidden_size": float("nan")}, "E509", "hidden_size"),
        ({"hidden_size": [64]}, "E509", "hidden_size"),
        ({"num_hidden_layers": {}}, "E509", "num_hidden_layers"),
        ({"tie_word_embeddings": "false"}, "E509", "tie_word_embeddings"),
        ({"hidden_act": 3}, "E509", "hidden_act"),
        ({**SLIDING, "num_key_value_heads": 4, "layer_types": "full"}, "E509", "layer_types"),
        ({**EXPERTS, "num_key_value_heads": 2, "mlp_only_layers": [0.5]}, "E509", "mlp_only_layers"),
        ({"model_type": "other", "text_config": 3}, "E509", "text_config"),
        ({"vocab_size": 0}, "E510", "vocab_size"),
        ({"vocab_size": -1}, "E510", "vocab_size"),
        ({"vocab_size": 10**30}, "E510", "vocab_size"),
        ({"num_key_value_heads": 3}, "E511", "num_key_value_heads"),
        ({"num_attention_heads": 3}, "E511", "num_attention_heads"),
        ({**SLIDING, "num_key_value_heads": 4, "layer_types": ["full_attention"]}, "E511", "layer_types"),
        ({**EXPERTS, "num_key_value_heads": 2, "num_local_experts": 16}, "E511", "num_local_experts"),
    ],
)  # fmt: skip
def test_wrong_key_is_an_error_at_its_place(keys: dict[str, object], code: str, at: str) -> None:
    found = refused(**keys)
    assert found.code == code
    assert line_of(found).startswith(f'"{at}"')


def test_another_architecture_is_not_taken_for_a_misspelt_one() -> None:
    assert "is another architecture" in str(refused(model_type="qwen4").hint)
    assert "symsim list types" in str(refused(model_type="whisper").hint)


def test_file_without_a_model_type_says_so() -> None:
    assert refused(model_type=...).code == "E506"
    assert refused(model_type=..., text_config={}).code == "E506"


def test_what_a_file_leaves_out_is_what_its_class_takes_and_is_said() -> None:
    text = text_of({"model_type": "mistral", "hidden_size": 2048})
    assert (model_of(text).dimensions["hidden"], model_of(text).dimensions["ffn"]) == (2048, 14336)
    (note,) = model_of(text).notes
    assert note.startswith("num_hidden_layers, num_attention_heads, intermediate_size, vocab_size are not in the file")


def test_all_errors_of_a_file_are_reported_together() -> None:
    text = json.dumps({**LLAMA, "hidden_size": "wide", "vocab_size": 0, "hidden_act": "unheard"})
    assert [d.code for d in problems(text)] == ["E509", "E510", "E512"]


def test_mamba_heads_must_make_up_the_inner_width() -> None:
    config = {"model_type": "mamba2", "hidden_size": 64, "num_hidden_layers": 2, "num_heads": 4, "head_dim": 16,
              "vocab_size": 512}  # fmt: skip
    (found,) = problems(json.dumps(config))
    assert (found.code, found.message) == ("E511", "4 heads of 16 features are not 2 × hidden_size")


def test_error_shows_the_line_with_a_caret() -> None:
    shown = refused(vocab_size=0).render().splitlines()
    assert shown[0] == "config.json:7:1: error[E510]: 'vocab_size' must be at least 1, not 0"
    assert shown[2].strip() == "| ^^^^^^^^^^^^"


def test_configuration_without_a_text_has_errors_without_a_place_in_it() -> None:
    with pytest.raises(InputError) as caught:
        text_of({**LLAMA, "vocab_size": 0})
    assert str(caught.value.diagnostics[0].place) == "config.json:1:1"


LISTS = st.lists(st.sampled_from([FULL, LOCAL, "linear_attention", 0, 1, 4]), max_size=5)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-2, 10**13), st.floats(), st.text(max_size=5), LISTS)
KEYS = sorted({key for row in (*PUBLIC, *SMALL) for key in row["config"]} - {"model_type"})


@given(
    st.sampled_from(BOOK.known_types()),
    st.sampled_from(SMALL),
    st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=4),
)
def test_any_configuration_is_a_model_or_an_error(
    model_type: str, row: dict[str, Any], changed: dict[str, object]
) -> None:
    try:
        text = text_of({**row["config"], "model_type": model_type, **changed})
    except InputError as problem:
        assert problem.diagnostics
    else:
        assert model_of(text).dimensions


def test_a_folder_stands_for_the_configuration_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    assert source_of(str(folder)).text == source_of(str(folder / "config.json")).text


def test_a_shipped_name_wins_over_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "llama3_8b").mkdir()
    (tmp_path / "llama3_8b" / "config.json").write_text(json.dumps(LLAMA), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    assert source_of("llama3_8b").name == "models/llama3_8b.sym"


@pytest.mark.parametrize(("listed", "where"), [("1,3", (1, 3)), ([1, 3], (1, 3)), (" 0 , 2", (0, 2))])
def test_layers_with_experts_may_be_listed_in_a_text(listed: object, where: tuple[int, ...]) -> None:
    keys = {"model_type": "step3p5", "n_routed_experts": 8, "num_experts_per_tok": 2, "moe_layers_enum": listed}
    feed = read(**keys, num_key_value_heads=2, head_dim=16).dimensions["feed"]
    assert feed == tuple("moe" if layer in where else "mlp" for layer in range(4))


def test_a_text_that_lists_no_numbers_is_an_error_at_its_key() -> None:
    found = refused(model_type="step3p5", num_key_value_heads=2, head_dim=16, moe_layers_enum="1,two")
    assert found.code == "E509"
    assert line_of(found).startswith('"moe_layers_enum"')


def test_a_model_whose_text_part_is_not_all_of_its_text_model_is_refused() -> None:
    text = json.dumps({"model_type": "fuyu", "text_config": {"model_type": "persimmon"}})
    (found,) = problems(text)
    assert (found.code, "image patches" in found.message) == ("E512", True)


def test_keys_that_no_rule_reads_are_named() -> None:
    (note,) = model_of(text_of({**LLAMA, "my_key": 1, "rms_norm_eps": 1e-5})).notes
    assert note == "keys that are not understood, and left out: my_key"


def test_a_key_that_may_change_the_cost_is_named_where_it_differs_from_the_class() -> None:
    config = {"model_type": "falcon_h1", "num_hidden_layers": 2}
    assert any("mlp_multipliers" in n for n in model_of(text_of({**config, "mlp_multipliers": [0.5, 2.0]})).notes)
    assert not any("mlp_multipliers" in n for n in model_of(text_of(config)).notes)


def test_a_quantised_checkpoint_is_said_and_counted_in_the_precision_of_the_plan() -> None:
    config = {**LLAMA, "quantization_config": {"quant_method": "fp8"}}
    (note,) = model_of(text_of(config)).notes
    assert note == "the checkpoint is quantised (fp8): a step is counted in the strategy's precision"
