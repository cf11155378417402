"""A YAML of nanotron is read as nanotron reads it: in the form of the registry's 0.4, and in that of its repository."""

from __future__ import annotations

from typing import Any

import pytest

import symsim
from tests.interop.frameworks.reading import Folder

LLAMA = {"hidden_size": 2048, "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
         "intermediate_size": 8192, "vocab_size": 128256, "is_llama_config": True}  # fmt: skip
TOKENS = {"sequence_length": 4096, "train_steps": 10, "micro_batch_size": 2, "batch_accumulation_per_replica": 8}
OPTIMIZER = {"zero_stage": 1, "accumulate_grad_in_fp32": True, "weight_decay": 0.1, "clip_grad": 1.0,
             "learning_rate_scheduler": {"learning_rate": 0.1, "lr_warmup_style": "linear"}}  # fmt: skip
ADAM = {"adam_eps": 1e-8, "adam_beta1": 0.9, "adam_beta2": 0.95, "torch_adam_is_fused": True}


def config(parallelism: dict[str, Any], **others: Any) -> dict[str, Any]:
    keys = {"general": {"project": "p"}, "parallelism": {"dp": 2, "pp": 2, "tp": 4, **parallelism},
            "model": {"init_method": {"std": 0.02}, "model_config": LLAMA}, "tokenizer": {}, "tokens": TOKENS,
            "optimizer": {**OPTIMIZER, "optimizer_factory": {**ADAM, "name": "adamW"}}}  # fmt: skip
    return {"run.json": {**keys, **others}}


@pytest.mark.parametrize(
    ("parallelism", "expected"),
    [
        ({}, {"schedule": "gpipe", "sequence_parallel": False, "world": 16, "microbatches": 8, "seq": 4096}),
        ({"pp_engine": "1f1b", "tp_mode": "reduce_scatter"}, {"sequence_parallel": True}),
        ({"recompute_layer": True, "tp_linear_async_communication": True}, {"recompute": "full", "overlap_tp": True}),
        ({"context_parallel_size": 2}, {"world": 32, "cp": 2, "cp_comm": "ring"}),
    ],
)
def test_how_it_trains(folder: Folder, parallelism: dict[str, Any], expected: dict[str, Any]) -> None:
    values = folder.strategy("nanotron", config(parallelism)).values
    assert {name: values.get(name) for name in expected} == expected
    assert ("schedule" in values) is (parallelism.get("pp_engine") != "1f1b")


def test_any_stage_above_zero_is_the_first(folder: Folder) -> None:
    old = {**OPTIMIZER, **ADAM, "zero_stage": 3}
    found = folder.strategy("nanotron", config({}, optimizer=old))
    assert found.values["zero"] == 1
    assert "zero_stage 3 is ZeRO-1: nanotron asks whether it is above 0" in found.notes


def test_its_file_stands_for_model_and_strategy(folder: Folder) -> None:
    folder.text("nanotron", config({"pp_engine": "1f1b"}))
    answer = symsim.evaluate(symsim.load(str(folder.path / "run.json"))).to_dict()
    assert answer["model"]["parameters"] == 1_498_482_688
    assert (answer["strategy"]["dp"], answer["strategy"]["microbatches"]) == (2, 8)


def test_absent_dimensions_are_those_of_the_class(folder: Folder) -> None:
    text = folder.text("nanotron", config({}, model={"model_config": {}, "init_method": {"std": 0.1}}))
    assert "llama(hidden = 4096, layers = 32, heads = 32, ffn = 11008, vocab = 32000)" in text


def test_a_qwen2_with_experts(folder: Folder) -> None:
    experts = {"num_experts": 16, "top_k": 4, "moe_intermediate_size": 512}
    own = {**LLAMA, "is_qwen2_config": True, "attention_bias": True, "moe_config": experts}
    del own["is_llama_config"]
    text = folder.text("nanotron", config({}, model={"model_config": own, "init_method": {"std": 0.1}}))
    assert "moe(" in text and "experts = 16" in text and "topk = 4" in text and "qkv_bias = true" in text


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (config({"expert_parallel_size": 2}), "E512 expert_parallel_size adds ranks"),
        (config({"pp_engine": "zb"}), "E512 'parallelism.pp_engine'"),
        (config({"dpp": 2}), "E522 'parallelism.dpp' is not known here"),
        (config({}, model={"model_config": {"hiden_size": 8}, "init_method": {}}), "E522 'hiden_size' is not known"),
        (config({}, model={"model_config": {"is_starcoder2_config": True}, "init_method": {}}), "E512 Starcoder2"),
    ],
)
def test_what_is_refused(folder: Folder, keys: dict[str, Any], message: str) -> None:
    assert folder.problem("nanotron", keys).startswith(message)
