"""What is written for the Memory Estimator is read back as the same plan, and what it has no words for is an error."""

from __future__ import annotations

from math import lcm
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symsim.diagnostics import InputError
from symsim.interop.exports import export
from symsim.interop.huggingface.configuration import configuration_of
from symsim.records.strategy import Value
from tests.interop.round_trip import model, settled, trip

LLAMA = "llama(hidden=256, layers=16, heads=8, kv_heads=4, ffn=512, vocab=4096)"
QWEN = LLAMA.replace("vocab", "qk_norm=true, tied=true, vocab")
EXPERTS = "moe(hidden=256, layers=16, heads=8, kv_heads=4, vocab=4096, experts=16, topk=2, expert_ffn=128)"
LATENT = (
    "deepseek(hidden=256, layers=16, heads=8, q_rank=64, kv_rank=32, nope_dim=32, rope_dim=16, value_dim=32, "
    "vocab=4096, experts=16, topk=2, expert_ffn=128, shared_ffn=256, dense_layers=1, dense_ffn=512)"
)
MODELS = (LLAMA, QWEN, EXPERTS, LATENT)
PLAN: dict[str, Value] = {"world": 16, "tp": 2, "pp": 2, "gbs": 64, "seq": 4096}
MODULES = ("core_attn", "moe_act", "layernorm", "mla_up_proj", "mlp", "moe")


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Value]:
    """Plans that the estimator has words for."""
    tp, cp, pp, ep, etp = (draw(st.sampled_from((1, 2, 4))) for _ in range(5))
    recompute = draw(st.one_of(st.just("none"), st.just("full"), st.frozensets(st.sampled_from(MODULES), min_size=1)))
    values: dict[str, Any] = {
        "world": 8 * lcm(pp, tp * cp, ep * etp), "tp": tp, "cp": cp, "pp": pp, "ep": ep, "etp": etp,
        "vp": draw(st.sampled_from((1, 2))) if pp > 1 else 1,
        "mbs": draw(st.integers(1, 4)), "microbatches": pp * draw(st.integers(1, 8)), "seq": cp * 1024,
        "sequence_parallel": tp > 1 or draw(st.booleans()),
        "zero": draw(st.sampled_from((0, 1))),
        "recompute": recompute,
        "overlap_moe": draw(st.booleans()), "fused_cross_entropy": draw(st.booleans()),
        "cp_comm": draw(st.sampled_from(("a2a", "ring"))),
    }  # fmt: skip
    if recompute == "full" and draw(st.booleans()):
        values["recompute_layers"] = draw(st.integers(1, 8))
        values["recompute_method"] = draw(st.sampled_from(("block", "uniform")))
    placed = draw(st.sampled_from(("even", "ends", "counted", "layout")))
    if placed == "ends":
        values |= {"first_stage_layers": draw(st.integers(1, 4)), "last_stage_layers": draw(st.integers(1, 4))}
    elif placed == "counted":
        values |= {"embedding_in_split": draw(st.booleans()), "loss_in_split": draw(st.booleans())}
    elif placed == "layout":
        stages = pp * values["vp"]
        values["layout"] = "E" + "|".join(["t" * (16 // stages)] * stages) + "L"
    return values


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(MODELS), plans())
def test_a_plan_comes_back(of: str, values: dict[str, Value]) -> None:
    assert trip("estimator", model(of), values).differences() == {}


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.sampled_from(MODELS), plans())
def test_five_hundred_plans_come_back(of: str, values: dict[str, Value]) -> None:
    assert trip("estimator", model(of), values).differences() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("world", 12),
        ("zero", 3),
        ("precision", "fp8"),
        ("attention", "unfused"),
        ("sequence_parallel", False),
        ("recompute", frozenset({"attention"})),
        ("offload", frozenset({"optimizer"})),
        ("optimizer", "muon"),
        ("schedule", "zb_h1"),
        ("framework", "fsdp"),
    ],
)
def test_a_choice_that_makes_it_another_plan_is_refused(name: str, value: Value) -> None:
    with pytest.raises(InputError, match=f"the Memory Estimator cannot express {name}"):
        trip("estimator", model(LLAMA), {**PLAN, name: value})


def test_a_model_without_a_configuration_is_left_out_and_said() -> None:
    written = export("estimator", settled(model("gpt3_175b"), PLAN))
    assert "config.json" in written.left_out["model"] and "custom_hf_config" not in written.parts[0].text


@pytest.mark.parametrize(
    ("name", "type_of_model"),
    [
        ("llama3_70b", "llama"),
        ("qwen25_7b", "qwen2"),
        ("qwen3_8b", "qwen3"),
        ("mixtral_8x22b", "mixtral"),
        ("qwen3_235b_a22b", "qwen3_moe"),
        ("glm45_355b", "glm4_moe"),
        ("deepseek_v2", "deepseek_v3"),
    ],
)
def test_a_shipped_model_has_a_configuration_of_its_type(name: str, type_of_model: str) -> None:
    found = configuration_of(model(name))
    assert found is not None and found["model_type"] == type_of_model


@pytest.mark.parametrize("of", [LLAMA.replace("vocab", "norm=layer, vocab"), "gpt3_175b", "gpt_oss_20b", "olmo3_7b"])
def test_a_model_of_no_type_has_none(of: str) -> None:
    assert configuration_of(model(of)) is None
