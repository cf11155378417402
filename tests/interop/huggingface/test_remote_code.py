"""Types whose classes come with the model's files: parameters equal those of the published weights (their metadata)."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.diagnostics import Source
from symsim.interop.huggingface.translate import translate
from tests.models.counting import model_of, parameters

LLAMA: dict[str, Any] = {"num_hidden_layers": 32, "num_attention_heads": 32, "hidden_size": 4096, "hidden_act": "silu"}
GROWING = [0.5, 0.73, 0.97, 1.2, 1.43, 1.67, 1.9, 2.13, 2.37, 2.6, 2.83, 3.07, 3.3, 3.53, 3.77, 4.0]


@pytest.mark.parametrize(
    ("config", "published"),
    [
        (LLAMA | {"model_type": "internlm2", "intermediate_size": 14336, "num_key_value_heads": 8, "vocab_size": 92544},
         7_737_708_544),
        (LLAMA | {"model_type": "baichuan", "intermediate_size": 11008, "vocab_size": 125696}, 7_505_973_248),
        ({"model_type": "chatglm", "hidden_size": 4096, "num_layers": 28, "num_attention_heads": 32, "kv_channels": 128,
          "multi_query_attention": True, "multi_query_group_num": 2, "ffn_hidden_size": 13696,
          "padded_vocab_size": 65024, "add_bias_linear": False, "add_qkv_bias": True, "rmsnorm": True}, 6_243_584_000),
        (LLAMA | {"model_type": "qwen", "intermediate_size": 22016, "kv_channels": 128, "no_bias": True,
                  "vocab_size": 151936}, 7_721_324_544),
        (LLAMA | {"model_type": "minicpm", "hidden_size": 2304, "intermediate_size": 5760, "num_hidden_layers": 40,
                  "num_attention_heads": 36, "vocab_size": 122753}, 2_724_880_896),
        ({"model_type": "deepseek", "hidden_size": 2048, "intermediate_size": 10944, "num_hidden_layers": 28,
          "num_attention_heads": 16, "moe_intermediate_size": 1408, "n_routed_experts": 64, "n_shared_experts": 2,
          "num_experts_per_tok": 6, "first_k_dense_replace": 1, "vocab_size": 102400}, 16_375_728_128),
        ({"model_type": "openelm", "model_dim": 1280, "num_transformer_layers": 16, "head_dim": 64,
          "num_query_heads": [12] * 5 + [16] * 7 + [20] * 4, "num_kv_heads": [3] * 5 + [4] * 7 + [5] * 4,
          "normalize_qk_projections": True, "vocab_size": 32000, "share_input_output_layers": True,
          "ffn_dim_divisor": 256, "ffn_with_glu": True, "max_context_length": 2048, "ffn_multipliers": GROWING},
         271_527_168),
    ],
    ids=lambda value: value["model_type"] if isinstance(value, dict) else "",
)  # fmt: skip
def test_parameters_are_those_of_the_published_weights(config: dict[str, Any], published: int) -> None:
    assert parameters(model_of(translate(config, "m", Source("config.json", "")))) == published


def test_layers_of_a_search_may_lack_attention_and_have_heads_and_widths_of_their_own() -> None:
    blocks = [
        {"attention": {"n_heads_in_group": 8}, "ffn": {"ffn_mult": 5.25}},
        {"attention": {"no_op": True}, "ffn": {"ffn_mult": 2.625}},
    ]
    config = {"model_type": "nemotron-nas", "hidden_size": 8192, "num_hidden_layers": 2, "num_attention_heads": 64,
              "vocab_size": 128256, "block_configs": blocks}  # fmt: skip
    dimensions = model_of(translate(config, "m", Source("config.json", ""))).dimensions
    assert dimensions["mixer"] == ("full", "none")
    assert dimensions["ffn"] == (28672, 14336)
