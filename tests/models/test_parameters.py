"""Parameters of the shipped models equal those of the public models."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from symsim import resources
from symsim.analysis.parameter_counts import ParameterCount, counted, fingerprint, kept_counts, parameter_count
from symsim.diagnostics import Source
from symsim.interop.huggingface.translate import translate
from symsim.language.models import model_source
from tests.models.counting import (
    SHIPPED,
    graph_of,
    model_of,
    others_slow,
    parameters,
    rows,
    shipped,
    stage_parameters,
)

HUGGING_FACE = {row["name"]: row["params"] for row in rows("params_huggingface.json")}
OF_2026 = {row["name"]: row for row in rows("params_shipped.json")}
SHIPPED_NAME = {"gemma3_text_27b": "gemma3_27b"}

CONTEXTS = {"max_position_embeddings", "model_max_length"}
"""Keys of the longest sequence; a model whose file is not known to have one states none."""

PUBLISHED = {
    "llama2_7b": 6_738_415_616,
    "llama2_70b": 68_976_648_192,
    "mixtral_8x22b": 140_620_634_112,
    "qwen3_235b_a22b": 235_093_634_560,
    "deepseek_v2_lite": 15_706_484_224,
    "gemma2_9b": 9_241_705_984,
    "bloom_176b": 176_247_271_424,
}
"""Exact totals. Source: the models' cards and papers; all counted again in the modules of Hugging Face
transformers 5.23, as are those below."""

COUNTED = {
    "kimi_k2": 1_026_408_209_408,
    "glm45_air": 106_852_245_504,
    "nemotron4_15b": 15_628_775_424,
    "nemotron4_340b": 341_029_195_776,
}

ROUNDED = {
    "gpt3_175b": (174.6e9, 0.05e9),
    "megatron_22b": (22.0e9, 0.1e9),
    "megatron_530b": (529.6e9, 0.05e9),
    "megatron_1t": (1008.0e9, 0.05e9),
    "grok1": (314e9, 3e9),
}
"""Totals that are published rounded, and how far off they may be. Source: Narayanan et al. 2021, table 1;
Korthikanti et al. 2022, table 3; for GPT-3 the formula of the former; xAI's announcement of Grok-1, whose
own count is not stated more exactly."""

ACTIVE = {
    "deepseek_v2": 21e9,
    "deepseek_v3": 37e9,
    "mixtral_8x7b": 12.9e9,
    "mixtral_8x22b": 39e9,
    "qwen3_30b_a3b": 3.3e9,
    "qwen3_235b_a22b": 22e9,
}
"""Parameters that one token uses, as the models' cards round them."""

VARIANTS = (
    "tp=1",
    "sequence_parallel=false",
    "attention=unfused",
    "attention=unfused,dropout=true",
    "cp_comm=ring",
    "cp_comm=all_gather",
    "fused_cross_entropy=true",
    "moe_probs_in_activation=true",
)


@cache
def count(name: str) -> ParameterCount:
    return counted(model_source(name))


@pytest.mark.parametrize("name", ["qwen3_30b_a3b", "llama32_1b", "gemma2_9b"])
def test_a_count_is_that_of_the_formula(name: str) -> None:
    compiled = (parameters(shipped(name), which) for which in ("parameters", "active_parameters"))
    assert (count(name).total, count(name).active) == tuple(compiled)


@pytest.mark.parametrize("name", HUGGING_FACE)
def test_shipped_model_has_the_parameters_of_hugging_faces_modules(name: str) -> None:
    assert parameters(shipped(SHIPPED_NAME.get(name, name))) == HUGGING_FACE[name]


@pytest.mark.parametrize("name", OF_2026)
def test_shipped_model_has_the_parameters_of_its_class(name: str) -> None:
    """Counted in the class of Hugging Face transformers 5.24.0 that its configuration names."""
    row = OF_2026[name]
    assert count(name) == ParameterCount(row["parameters"], row["active_parameters"])


@pytest.mark.parametrize("name", OF_2026)
def test_shipped_model_is_what_the_importer_makes_of_its_configuration(name: str) -> None:
    config = OF_2026[name]["config"]
    imported = model_of(translate(config, name, Source("config.json", "")))
    context = {} if CONTEXTS & set(config) else {"max_positions": 0}
    assert shipped(name).family == imported.family
    assert shipped(name).dimensions == {**imported.dimensions, **context}


@pytest.mark.parametrize("name", OF_2026)
def test_shipped_model_has_the_size_that_its_card_states(name: str) -> None:
    """Cards round it, and some count a vision encoder or leave out the embedding."""
    number, prefix = OF_2026[name]["published"].split()
    assert count(name).total == pytest.approx(float(number) * {"G": 1e9, "T": 1e12}[prefix], rel=0.025)


@pytest.mark.parametrize("name", SHIPPED)
def test_what_a_list_of_models_shows_is_counted(name: str) -> None:
    """``python docs/generate.py models`` counts them again."""
    kept = kept_counts()
    assert kept[name]["text"] == fingerprint(model_source(name))
    assert parameter_count(name, model_source(name), kept) == count(name)


@pytest.mark.parametrize("name", PUBLISHED | COUNTED)
def test_shipped_model_has_the_published_parameters(name: str) -> None:
    assert parameters(shipped(name)) == (PUBLISHED | COUNTED)[name]


@pytest.mark.parametrize("name", ROUNDED)
def test_shipped_model_has_the_published_parameters_as_rounded(name: str) -> None:
    total, tolerance = ROUNDED[name]
    assert abs(parameters(shipped(name)) - total) <= tolerance


def test_every_shipped_model_is_counted_against_something() -> None:
    known = {SHIPPED_NAME.get(name, name) for name in HUGGING_FACE}
    assert set(SHIPPED) == known | set(OF_2026) | set(PUBLISHED) | set(COUNTED) | set(ROUNDED)


@pytest.mark.parametrize("name", ACTIVE)
def test_one_token_uses_the_published_part_of_the_parameters(name: str) -> None:
    assert parameters(shipped(name), "active_parameters") == pytest.approx(ACTIVE[name], rel=0.02)


def test_embedding_and_other_parameters_of_nemotron_340b_are_as_published() -> None:
    """9.4 B of embedding and 331.6 B of the rest (NVIDIA 2024, Nemotron-4 340B, section 2.1)."""
    embedding = 2 * 256_000 * 18_432
    assert round(embedding / 1e9, 1) == 9.4
    assert round((parameters(shipped("nemotron4_340b")) - embedding) / 1e9, 1) == 331.6


def test_multi_token_module_adds_its_own_parameters_only() -> None:
    """DeepSeek-V3's module has 11.5 B besides the embedding and head that it shares (its README_WEIGHTS)."""
    plain = parameters(shipped("deepseek_v3"))
    added = parameters(model_of("model m = deepseek_v3(mtp_layers = 1)")) - plain
    assert 11.4e9 < added < 11.7e9


def test_kimi_k2_is_deepseek_v3_with_more_experts_and_fewer_heads() -> None:
    changed = "model m = deepseek_v3(heads = 64, experts = 384, dense_layers = 1, vocab = 163840)"
    assert model_of(changed).dimensions == shipped("kimi_k2").dimensions


# One rank of each stage


@pytest.mark.parametrize("row", rows("params_megatron.json"), ids=lambda row: str(row["name"]))
def test_rank_holds_what_megatrons_modules_hold(row: dict[str, Any]) -> None:
    names = {"first": "first_stage_layers", "last": "last_stage_layers"}
    choices = {names.get(name, name): value for name, value in row["parallel"].items()}
    strategy = ",".join(f"{name}={value}" for name, value in choices.items())
    given = f"{strategy},mbs=1,gbs={choices['world']},seq=4096"
    assert stage_parameters(shipped(row["symsim_model"]), given) == row["stages"]


def test_stage_of_mixtral_by_hand() -> None:
    """Sixteen layers on tp = 2 and ep = 4, and half of the padded embedding or head."""
    attention = (4096 * (32 + 2 * 8) * 128 + 32 * 128 * 4096) // 2
    router, norms = 4096 * 8, 2 * 4096
    half_vocabulary = 32_000 // 2 * 4096
    dense = 16 * (attention + router + norms) + half_vocabulary
    expert = 16 * 8 // 4 * 3 * 4096 * 14_336
    stages = stage_parameters(shipped("mixtral_8x7b"), "world=16,tp=2,pp=2,ep=4,mbs=1,gbs=16,seq=4096")
    assert stages == [{"dense": dense, "expert": expert}, {"dense": dense + 4096, "expert": expert}]


# Every model


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_file_holds_one_model_of_its_own_name(name: str) -> None:
    assert shipped(name).name == name


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_file_names_its_source(name: str) -> None:
    assert resources.shipped("models")[name].read_text(encoding="utf-8").startswith("# Source: ")


@pytest.mark.parametrize("choices", VARIANTS)
@pytest.mark.parametrize("name", others_slow(SHIPPED))
def test_shipped_model_expands(name: str, choices: str) -> None:
    graph = graph_of(shipped(name), choices)
    assert graph.layers == shipped(name).dimensions["layers"]
    assert sum(slot.repeats for slot in graph.slots) == graph.layers


@pytest.mark.parametrize("choices", VARIANTS)
@pytest.mark.parametrize("name", ["llama3_8b", "deepseek_v2_lite", "gpt_oss_20b", "qwen3_next_80b_a3b"])
def test_choices_of_a_strategy_do_not_change_the_parameters(name: str, choices: str) -> None:
    def weights(given: str) -> list[tuple[str, object]]:
        graph = graph_of(shipped(name), given)
        units = (graph.prologue, *(slot.unit for slot in graph.slots), *graph.after.units)
        return [(weight.name, weight.elements) for unit in units for o in unit.operators for weight in o.weights]

    assert weights(choices) == weights("tp=1")


# Patterns of layers


def kinds(model_text: str) -> list[str]:
    """The kind of every layer, in order."""
    graph = graph_of(model_of(model_text))
    out = [""] * int(graph.layers)
    for slot in graph.slots:
        for turn in range(int(slot.repeats)):
            out[int(slot.start) + slot.residue + slot.period * turn] = slot.unit.name
    return out


def test_gemma3_has_five_local_layers_before_each_global_one() -> None:
    local, whole = "gemma_local", "gemma_global"
    assert kinds("model m = gemma3_27b(layers = 14)") == [*[local] * 5, whole, *[local] * 5, whole, local, local]


def test_gemma2_and_gpt_oss_have_local_and_global_layers_in_turn() -> None:
    assert kinds("model m = gemma2_9b(layers = 3)") == ["gemma_local", "gemma_global", "gemma_local"]
    assert kinds("model m = gpt_oss_20b(layers = 3)") == ["oss_local", "oss_global", "oss_local"]


def test_qwen3_next_has_full_attention_in_every_fourth_layer() -> None:
    linear, full = "linear_decoder", "full_decoder"
    expected = [linear, linear, linear, full, linear]
    assert kinds("model m = qwen3_next_80b_a3b(layers = 5)") == expected


def test_deepseek_has_dense_layers_first() -> None:
    assert kinds("model m = deepseek_v3(layers = 5)") == [*["dense_latent"] * 3, *["moe_latent"] * 2]


# Variants of a family


def difference(changed: str, plain: str = "hidden = 64, layers = 2, heads = 4, ffn = 96, vocab = 512") -> int:
    return parameters(model_of(f"model m = llama({plain}, {changed})")) - parameters(
        model_of(f"model m = llama({plain})")
    )


def test_bias_is_on_all_projections() -> None:
    assert difference("bias = true") == 2 * (3 * 64 + 64 + 2 * 96 + 64)


def test_qkv_bias_is_on_query_key_and_value_only() -> None:
    assert difference("qkv_bias = true") == 2 * 3 * 64


def test_mlp_bias_is_on_the_feed_forward_only() -> None:
    assert difference("mlp_bias = true") == 2 * (2 * 96 + 64)


def test_qk_norm_has_one_gain_for_all_heads() -> None:
    assert difference("qk_norm = true") == 2 * 2 * 16


def test_tied_head_has_no_weight_of_its_own() -> None:
    assert difference("tied = true") == -512 * 64
