"""What is written for Calculon is read back as the same plan, and what it has no words for is an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symsim.diagnostics import InputError
from symsim.records.strategy import Value
from tests.interop.round_trip import model, trip

GPT = "gpt(hidden=1024, layers=12, heads=16, head_dim=64, vocab=51200, max_positions=2048)"
ONE_KEY = GPT.replace("head_dim", "kv_heads=1, head_dim")
PLAN: dict[str, Value] = {
    "world": 16, "tp": 2, "pp": 2, "gbs": 64, "seq": 2048, "attention": "unfused", "dropout": True,
}  # fmt: skip
OFFLOADED = (frozenset({"weights"}), frozenset({"optimizer", "weights"}), frozenset({"attention", "layernorm", "mlp"}))


@st.composite
def plans(draw: st.DrawFn) -> dict[str, Value]:
    """Plans that Calculon has words for."""
    tp, pp, dp = (draw(st.sampled_from((1, 2, 4))) for _ in range(3))
    vp = draw(st.sampled_from((1, 3))) if pp > 1 else 1
    recompute = draw(st.sampled_from(("none", "full", frozenset({"core_attn"}))))
    mbs = draw(st.integers(1, 4))
    values: dict[str, Any] = {
        **PLAN, "world": tp * pp * dp, "tp": tp, "pp": pp, "vp": vp, "mbs": mbs,
        "gbs": mbs * dp * pp * draw(st.integers(1, 8)),
        "sequence_parallel": draw(st.booleans()),
        "precision": draw(st.sampled_from(("bf16", "fp16", "fp32"))),
        "zero": draw(st.sampled_from((0, 1))),
        "recompute": recompute,
        "overlap_grad_reduce": draw(st.booleans()), "overlap_tp": draw(st.booleans()),
        "overlap_param_gather": draw(st.booleans()), "moe_probs_in_activation": draw(st.booleans()),
    }  # fmt: skip
    if draw(st.booleans()):
        values["offload"] = draw(st.sampled_from(OFFLOADED[: 2 if recompute == "full" else 3]))
    return values


@settings(max_examples=40, deadline=None)
@given(st.sampled_from((GPT, ONE_KEY)), plans())
def test_a_plan_comes_back(of: str, values: dict[str, Value]) -> None:
    assert trip("calculon", model(of), values).differences() == {}


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(st.sampled_from((GPT, ONE_KEY)), plans())
def test_five_hundred_plans_come_back(of: str, values: dict[str, Value]) -> None:
    assert trip("calculon", model(of), values).differences() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zero", 3),
        ("precision", "fp8"),
        ("attention", "flash"),
        ("dropout", False),
        ("cp", 2),
        ("grad_dtype", "bf16"),
        ("recompute", frozenset({"mlp"})),
        ("recompute_method", "uniform"),
        ("offload", frozenset({"mlp"})),
        ("schedule", "gpipe"),
        ("first_stage_layers", 5),
        ("optimizer", "sgd"),
    ],
)
def test_a_choice_that_makes_it_another_plan_is_refused(name: str, value: Value) -> None:
    more: dict[str, Value] = {"recompute": "full"} if name == "recompute_method" else {}
    with pytest.raises(InputError, match=f"Calculon cannot express {name}"):
        trip("calculon", model(GPT), {**PLAN, **more, name: value})


def test_offloading_needs_three_blocks_on_a_stage() -> None:
    of = GPT.replace("layers=12", "layers=4")
    with pytest.raises(InputError, match=r"Calculon cannot express offload = \{weights\}: it needs 3 blocks"):
        trip("calculon", model(of), {**PLAN, "offload": frozenset({"weights"})})


def test_a_vocabulary_is_said_to_be_left_out() -> None:
    found = trip("calculon", model(GPT.replace("51200", "50304")), PLAN)
    assert "51,200" in found.written.left_out["vocab"] and found.differences() == {}


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (GPT.replace("2048)", "4096)"), "max_positions"),
        (GPT.replace("head_dim", "kv_heads=4, head_dim"), "kv_heads"),
        (GPT.replace("vocab", "tied=false, vocab"), "tied"),
    ],
)
def test_a_dimension_that_it_lacks_is_refused(of: str, name: str) -> None:
    with pytest.raises(InputError, match=f"Calculon cannot express {name}"):
        trip("calculon", model(of), PLAN)
