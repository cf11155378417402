"""What a request of the Megatron Memory Estimator says in symsim's words."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.diagnostics import InputError
from symsim.interop.formats import translated
from symsim.language.strategies import Strategy
from tests.interop.foreign import json_file, strategy_in

LLAMA = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 256, "num_hidden_layers": 8,
    "num_attention_heads": 4, "intermediate_size": 512, "vocab_size": 1000, "tie_word_embeddings": False,
}  # fmt: skip
CONFIG = json_file("config.json", LLAMA)


def text(*more: Any, lenient: bool = False, **keys: Any) -> str:
    request = json_file("r.json", {"hf_model_path": "org/Small-8B", **keys})
    return translated([request, *more], "estimator", lenient).text


def strategy(**keys: Any) -> Strategy:
    return strategy_in(text(**keys))


@pytest.mark.parametrize(
    ("keys", "name", "value"),
    [
        ({}, "world", 8),
        ({}, "seq", 4096),
        ({}, "zero", 1),
        ({"use_distributed_optimizer": False}, "zero", 0),
        ({"tp": 2}, "sequence_parallel", True),
        ({"pp": 4}, "microbatches", 4),
        ({"pp": 4, "vpp": 2}, "vp", 2),
        ({"pp": 4, "vpp": 2}, "microbatches", 8),
        ({}, "vocab_multiple", 1),
        ({"recompute_granularity": "full"}, "recompute", "full"),
        ({"recompute_granularity": "full", "recompute_num_layers": 2}, "recompute_method", "uniform"),
        ({"recompute_granularity": "full", "recompute_method": "block", "recompute_num_layers": 3},
         "recompute_layers", 3),
        ({"recompute_modules": ["moe_act", "core_attn"]}, "recompute", frozenset({"moe_act", "core_attn"})),
        ({"pp": 2, "pipeline_model_parallel_layout": "5,3"}, "first_stage_layers", 5),
        ({"pp": 2, "pipeline_model_parallel_layout": "5, 3"}, "last_stage_layers", 3),
        ({"pp": 2, "pipeline_model_parallel_layout": "Et*4|t*4L"}, "layout", "Et*4|t*4L"),
    ],
)  # fmt: skip
def test_a_key_says(keys: dict[str, Any], name: str, value: object) -> None:
    assert strategy(**keys).values[name] == value


def test_chunks_of_one_layer_are_full_recomputation() -> None:
    found = strategy(recompute_granularity="full").values
    assert "recompute_layers" not in found and "recompute_method" not in found


def test_selective_without_modules_recomputes_nothing_and_says_so() -> None:
    found = strategy()
    assert "recompute" not in found.values and any("recomputes nothing" in note for note in found.notes)


def test_the_model_is_the_configuration_in_the_request_or_next_to_it() -> None:
    inside, second = text(custom_hf_config=LLAMA), text(CONFIG)
    assert "= llama(hidden = 256" in inside and "= llama(hidden = 256" in second
    assert inside.count("\nstrategy ") == second.count("\nstrategy ") == 1


def test_without_one_the_name_of_the_model_is_said() -> None:
    assert any("org/Small-8B" in note for note in strategy().notes)


def test_either_order_of_files() -> None:
    request = json_file("r.json", {"hf_model_path": "org/Small-8B"})
    assert translated([CONFIG, request], "estimator").text == translated([request, CONFIG], "estimator").text


@pytest.mark.parametrize(
    "keys", [{"num_gpus": 12}, {"tp": 16}, {"recompute_granularity": "half"},
             {"pp": 2, "pipeline_model_parallel_layout": "1,2,3"}], ids=str
)  # fmt: skip
def test_what_the_estimator_refuses_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        strategy(**keys)
    assert raised.value.diagnostics[0].code == "E511"


def test_an_unknown_key_is_an_error_or_a_remark() -> None:
    with pytest.raises(InputError, match="'gpus' is not known here"):
        strategy(gpus=8)
    assert "'gpus' is not known here" in text(gpus=8, lenient=True)
