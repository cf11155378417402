"""Every shipped model of 2026 has a plan that fits, its FLOPs, less memory where it recomputes, and formulas."""

from __future__ import annotations

from typing import Any

import pytest

import symsim
from symsim.analysis.formulas import formulas
from symsim.loading.question import question
from tests.models.counting import others_slow, rows

ONE_NODE = "world=8,gbs=64"
TENSOR = "world=16,tp=2,gbs=64"
EXPERTS = "world=64,ep=8,gbs=128,recompute=full"

PLANS = {
    "qwen3_0_6b": ONE_NODE,
    "qwen3_4b": ONE_NODE,
    "qwen3_14b": "world=16,tp=4,gbs=64",
    "llama32_3b": ONE_NODE,
    "mistral_small3_24b": "world=32,tp=4,pp=2,gbs=64",
    "ministral3_8b": TENSOR,
    "phi4_14b": "world=16,tp=2,pp=2,gbs=64",
    "gemma4_31b": "world=64,tp=4,pp=4,gbs=128",
    "gemma4_26b_a4b": EXPERTS,
    "olmo3_7b": TENSOR,
    "olmo3_32b": "world=32,tp=8,pp=2,gbs=64",
    "smollm3_3b": ONE_NODE,
    "apertus_8b": TENSOR,
    "qwen35_9b": TENSOR,
    "qwen35_27b": "world=64,tp=4,pp=4,gbs=128",
    "qwen35_35b_a3b": EXPERTS,
    "qwen35_397b_a17b": "world=640,tp=2,pp=10,ep=8,gbs=1280,recompute=full",
    "llama4_scout": "world=128,tp=4,pp=4,ep=8,gbs=256,recompute=full",
    "llama4_maverick": "world=512,tp=4,pp=4,ep=32,gbs=1024,recompute=full",
    "glm45_355b": "world=512,tp=2,pp=16,ep=16,gbs=1024,recompute=full,first_stage_layers=4,last_stage_layers=4",
    "glm47_flash": EXPERTS,
    "glm5": "world=1536,tp=2,pp=6,ep=32,gbs=3072,recompute=full",
    "deepseek_v32": "world=1024,tp=2,pp=8,ep=32,gbs=2048,recompute=full,first_stage_layers=7,last_stage_layers=6",
    "deepseek_v4_flash": "world=512,pp=4,ep=32,gbs=1024,recompute=full,first_stage_layers=11,last_stage_layers=10",
    "minimax_m2": "world=256,pp=2,ep=32,gbs=512,recompute=full",
    "kimi_linear_48b_a3b": EXPERTS,
    "nemotron3_nano_30b_a3b": EXPERTS,
    "granite4_h_small": "world=64,pp=2,ep=8,gbs=128,recompute=full",
}
SEQ = 4096
MODELS = others_slow(row["name"] for row in rows("params_shipped.json"))


def evaluated(name: str, **more: object) -> dict[str, Any]:
    return symsim.evaluate(symsim.load(name, f"{PLANS[name]},seq={SEQ},mbs=1", "h100_sxm", set=more)).to_dict()


@pytest.mark.parametrize("name", MODELS)
def test_a_plan_of_each_model_fits_and_takes_its_time(name: str) -> None:
    found = evaluated(name)
    assert found["memory"]["fits"] is True
    assert all(stage["activations"] > 0 for stage in found["memory"]["stages"])
    assert 0.05 < found["throughput"]["mfu"] < 0.7


@pytest.mark.parametrize("name", MODELS)
def test_flops_of_a_token_are_at_least_two_for_each_weight_that_it_meets(name: str) -> None:
    """Of its parameters all but the embedding are factors of products, whose training takes three times the forward's
    FLOPs; attention and scans come on top."""
    row = next(r for r in rows("params_shipped.json") if r["name"] == name)
    model = symsim.load(name, f"{PLANS[name]},seq={SEQ},mbs=1", "h100_sxm").dimensions
    table = 0 if model["tied"] else model["hidden"] * model["vocab"]
    factors = row["active_parameters"] - table
    found = evaluated(name)["flops"]["model_per_iteration"]
    tokens = int(PLANS[name].split("gbs=")[1].split(",")[0]) * SEQ
    assert 0.99 < found / tokens / (6 * factors) < 2.2


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
def test_whole_layers_that_run_again_keep_less_than_attention_alone_and_that_less_than_none(name: str) -> None:
    kept = [
        max(stage["activations"] for stage in evaluated(name, recompute=choice)["memory"]["stages"])
        for choice in ("none", "{core_attn}", "full")
    ]
    assert kept[0] >= kept[1] > kept[2]


@pytest.mark.parametrize("name", MODELS)
def test_memory_of_each_model_is_a_formula(name: str) -> None:
    shown = formulas(question(name, PLANS[name], None, needs_sizes=False), "memory", "total")
    assert {d.name for d in shown} >= {"peak"}


@pytest.mark.parametrize(
    "name", ["qwen35_9b", "kimi_linear_48b_a3b", "nemotron3_nano_30b_a3b", "granite4_h_small", "deepseek_v32"]
)
def test_it_is_said_that_no_run_of_such_a_model_was_measured(name: str) -> None:
    found = evaluated(name)
    assert found["time"]["comparable"] is False
    assert "state-space layers, linear or sparse attention" in found["time"]["incomparable"]
    assert "state-space layers, linear or sparse attention" in found["memory"]["unmeasured"]
