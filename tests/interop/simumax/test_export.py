"""What is written for SimuMax is read back as the same plan, and what it has no words for is an error."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symsim.diagnostics import InputError
from symsim.records.strategy import Value
from tests.interop.round_trip import model, trip
from tests.interop.simumax.random_plans import DENSE, MODELS, plans

ONE_OF = st.sampled_from(MODELS).flatmap(lambda of: st.tuples(st.just(of), plans(of)))
PLAN: dict[str, Value] = {"world": 16, "tp": 2, "pp": 2, "gbs": 64, "seq": 4096}


@settings(max_examples=40, deadline=None)
@given(ONE_OF)
def test_a_plan_comes_back(case: tuple[str, dict[str, Value]]) -> None:
    of, values = case
    assert trip("simumax", model(of), values).differences() == {}


@pytest.mark.slow
@settings(max_examples=500, deadline=None)
@given(ONE_OF)
def test_five_hundred_plans_come_back(case: tuple[str, dict[str, Value]]) -> None:
    of, values = case
    assert trip("simumax", model(of), values).differences() == {}


@pytest.mark.parametrize("of", ["llama3_70b", "mixtral_8x7b", "qwen3_235b_a22b"])
def test_a_shipped_model_comes_back_or_is_refused(of: str) -> None:
    try:
        assert trip("simumax", model(of), PLAN).differences() == {}
    except InputError as problem:
        assert "qk_norm" in problem.diagnostics[0].message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zero", 3),
        ("precision", "mxfp8"),
        ("optimizer", "muon"),
        ("schedule", "zb_h1"),
        ("layout", "Et*6|t*6L"),
        ("recompute", frozenset({"core_attn", "layernorm"})),
        ("offload", frozenset({"core_attn"})),
        ("dropout", True),
        ("framework", "fsdp"),
        ("vocab_multiple", 64),
        ("exp_avg_dtype", "bf16"),
        ("zero_shard", 2),
    ],
)
def test_a_choice_that_makes_it_another_plan_is_refused(name: str, value: Value) -> None:
    with pytest.raises(InputError, match=f"SimuMax cannot express {name}") as raised:
        trip("simumax", model(DENSE), {**PLAN, name: value})
    assert {d.code for d in raised.value.diagnostics} == {"E523"}


@pytest.mark.parametrize(("name", "value"), [("cuda_graph", True), ("overlap_tp", True), ("moe_imbalance", 2)])
def test_a_choice_that_changes_an_estimate_is_said(name: str, value: Value) -> None:
    found = trip("simumax", model(DENSE), {**PLAN, name: value})
    assert "SimuMax" in found.written.left_out[name]


@pytest.mark.parametrize("text", ["tied=true", "bias=true", "norm=layer", "positions=learned", "window=512"])
def test_a_dimension_that_it_lacks_is_refused(text: str) -> None:
    name = text.partition("=")[0]
    with pytest.raises(InputError, match=f"SimuMax cannot express {name}"):
        trip("simumax", model(DENSE.replace("vocab=", f"{text}, vocab=")), PLAN)
