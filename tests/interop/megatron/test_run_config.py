"""A run_config.yaml of Megatron-Bridge."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from symsim.diagnostics import InputError
from symsim.interop.formats import translated
from tests.interop.foreign import text_file
from tests.interop.megatron.runs import Run, problem, read

MODEL: dict[str, Any] = {
    "_target_": "megatron.bridge.models.gpt_provider.GPTModelProvider",
    "num_layers": 4, "hidden_size": 256, "num_attention_heads": 8, "seq_length": 512, "vocab_size": 1000,
    "gated_linear_unit": True, "activation_func": {"_target_": "torch.nn.functional.silu", "_call_": False},
    "bf16": True, "tensor_model_parallel_size": 2,
}  # fmt: skip


def text(model: dict[str, Any] | None = None, **sections: Any) -> str:
    container = {"_target_": "megatron.bridge.training.config.ConfigContainer", "model": {**MODEL, **(model or {})}}
    return str(yaml.safe_dump({**container, "train": {"micro_batch_size": 2, "global_batch_size": 64}, **sections}))


def config(model: dict[str, Any] | None = None, **sections: Any) -> Run:
    return read(text(model, **sections), "run_config.yaml")


@pytest.mark.parametrize(
    ("sections", "name", "value"),
    [
        ({}, "mbs", 2),
        ({}, "gbs", 64),
        ({"model": {"num_moe_experts": 8, "moe_router_topk": 2, "expert_model_parallel_size": 4}}, "ep", 4),
        ({"model": {"num_layers_in_first_pipeline_stage": 1}}, "first_stage_layers", 1),
        ({"model": {"pipeline_model_parallel_size": 2, "virtual_pipeline_model_parallel_size": 2}}, "vp", 2),
        ({"ddp": {"grad_reduce_in_fp32": False}}, "grad_dtype", "bf16"),
        ({"ddp": {"use_distributed_optimizer": True}, "optimizer": {"use_distributed_optimizer": False}}, "zero", 1),
        ({"ddp": {"grad_reduce_in_fp32": False}, "mixed_precision": "bf16_mixed"}, "grad_dtype", "fp32"),
        ({"mixed_precision": "fp16-mixed", "model": {"bf16": False}}, "precision", "fp16"),
        ({"mixed_precision": "bf16_with_mxfp8_mixed"}, "precision", "mxfp8"),
        ({"mixed_precision": {"bf16": True, "fp8": "hybrid", "fp8_recipe": "delayed"}}, "precision", "fp8"),
        ({"comm_overlap": {"tp_comm_overlap": True, "overlap_grad_reduce": None}}, "overlap_tp", True),
        ({"ddp": {"overlap_grad_reduce": True}, "comm_overlap": {"overlap_grad_reduce": None}}, "overlap_grad_reduce",
         True),
        ({"model": {"attention_backend": {"_target_": "AttnBackend", "_call_": True, "_args_": [9],
                                          "_name_": "unfused"}}}, "attention", "unfused"),
        ({"model": {"pipeline_model_parallel_size": 2, "pipeline_model_parallel_layout":
                    [["embedding", "decoder"], ["decoder", "decoder", "decoder", "loss"]]}}, "layout", "Et|tttL"),
        ({"optimizer": {"use_precision_aware_optimizer": True,
                        "exp_avg_dtype": {"_target_": "torch.bfloat16", "_call_": False}},
          "ddp": {"use_distributed_optimizer": True}}, "exp_avg_dtype", "bf16"),
        ({"peft": {"_target_": "megatron.bridge.peft.lora.LoRA", "dim": 8}}, "lora_rank", 8),
        ({"peft": {"_target_": "megatron.bridge.peft.lora.LoRA", "dim": 8, "target_modules": ["linear_qkv"]}},
         "lora_targets", frozenset({"qkv"})),
    ],
)  # fmt: skip
def test_fields_of_a_plan(sections: dict[str, Any], name: str, value: object) -> None:
    assert config(**sections).plan[name] == value


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        ({}, "ffn", 1024),
        ({}, "activation", "swiglu"),
        ({}, "vocab", 1000),
        ({"share_embeddings_and_output_weights": False}, "tied", False),
        ({"num_query_groups": 2}, "kv_heads", 2),
        ({"gated_linear_unit": False, "activation_func": None}, "activation", "gelu"),
        ({"num_moe_experts": 8, "moe_router_topk": 2, "moe_layer_freq": [0, 1, 1, 1]}, "feed",
         ("mlp", "moe", "moe", "moe")),
    ],
)  # fmt: skip
def test_fields_of_a_model(model: dict[str, Any], name: str, value: object) -> None:
    assert config(model).model[name] == value


def test_a_vocabulary_is_padded_where_the_file_says_so() -> None:
    assert config().plan["vocab_multiple"] == 1
    assert config({"should_pad_vocab": True}).plan.get("vocab_multiple", 128) == 128


def test_sections_that_change_no_cost_are_passed_over() -> None:
    found = config(logger={"log_interval": 1}, checkpoint={"save": "/x"}, rng={"seed": 3}).text
    assert "log" not in found and "save" not in found


def test_a_field_that_changes_more_than_is_modelled_is_said() -> None:
    assert "model.attn_logit_softcapping is not modelled" in config({"attn_logit_softcapping": 30.0}).text


def test_unknown_fields() -> None:
    assert "unknown field 'model.num_moe_expert' | did you mean 'num_moe_experts'?" in problem(
        text({"num_moe_expert": 8}), "run_config.yaml"
    )
    assert "num_moe_expert is no field" in read(text({"num_moe_expert": 8}), "run_config.yaml", lenient=True).text
    assert problem(text(mixed_precision="bf16_mix"), "c.yaml").startswith("E509")
    assert problem(text({"activation_func": "torch.nn.functional.tanh"}), "c.yaml").startswith("E512")


def test_a_configuration_of_nemo_is_refused_by_its_kind() -> None:
    nemo = "_target_: nemo_run.Partial\nmodel: {_target_: nemo.collections.llm.GPTModel}\ntrainer: {devices: 8}\n"
    with pytest.raises(InputError) as caught:
        translated([text_file("nemo.yaml", nemo)], "megatron")
    assert "NeMo" in caught.value.diagnostics[0].message
    assert "Megatron-Bridge" in (caught.value.diagnostics[0].hint or "")
