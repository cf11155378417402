"""What is written for Megatron is read back as the same plan, and what it has no words for is an error."""

from __future__ import annotations

from dataclasses import replace
from math import lcm
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symsim
from symsim.diagnostics import InputError
from symsim.interop.exports import export
from symsim.interop.formats import translated
from symsim.interop.megatron.model_arguments import unused, wanted
from symsim.language.strategies import strategy_of
from symsim.loading.model_files import load_model
from symsim.loading.plan import plan
from symsim.loading.run_files import parts_of
from symsim.records.strategy import Value
from tests.interop.foreign import text_file
from tests.interop.round_trip import model, settled

LLAMA = "llama(hidden=256, layers=16, heads=8, kv_heads=4, ffn=512, vocab=4096)"
GPT = "gpt(hidden=256, layers=16, heads=8, vocab=4096, max_positions=8192)"
EXPERTS = (
    "moe(hidden=256, layers=16, heads=8, kv_heads=4, vocab=4096, experts=16, topk=2, expert_ffn=128, "
    "dense_layers=2, dense_ffn=256)"
)
LATENT = (
    "deepseek(hidden=256, layers=16, heads=8, q_rank=64, kv_rank=32, nope_dim=32, rope_dim=16, value_dim=32, "
    "vocab=4096, experts=16, topk=2, expert_ffn=128, shared_ffn=256, dense_layers=1, dense_ffn=512)"
)
MODELS = (LLAMA, GPT, EXPERTS, LATENT)
PLAN: dict[str, Value] = {"world": 16, "tp": 2, "pp": 2, "gbs": 64, "seq": 4096}


@st.composite
def plans(draw: st.DrawFn, of: str) -> dict[str, Value]:
    """Plans that Megatron has words for."""
    experts = of in (EXPERTS, LATENT)
    tp, cp, pp = (draw(st.sampled_from((1, 2, 4))) for _ in range(3))
    ep, etp = (draw(st.sampled_from((1, 2, 4))) if experts else 1 for _ in range(2))
    regions = ("core_attn", "layernorm", "mlp", *(("moe", "moe_act") if experts else ()))
    precision = draw(st.sampled_from(("bf16", "fp16", "fp32", "fp8", "mxfp8", "nvfp4")))
    gradients = {"fp32": ("fp32",), "fp16": ("fp16", "fp32")}.get(precision, ("bf16", "fp32"))
    zero = draw(st.sampled_from((0, 1)))
    recompute = draw(st.one_of(st.just("none"), st.just("full"), st.frozensets(st.sampled_from(regions), min_size=1)))
    flags = ("overlap_grad_reduce", "overlap_param_gather", "overlap_tp", "dropout",
             "fused_cross_entropy", "cuda_graph", "attention_mask", "deterministic",
             "gradient_accumulation_fusion", "sequence_parallel")  # fmt: skip
    values: dict[str, Any] = {
        "world": 2 * lcm(pp * tp * cp, pp * ep * etp), "tp": tp, "cp": cp, "pp": pp, "ep": ep, "etp": etp,
        "vp": draw(st.sampled_from((1, 2))) if pp > 1 else 1,
        "mbs": draw(st.integers(1, 4)), "microbatches": pp * draw(st.integers(1, 8)), "seq": cp * 1024,
        "precision": precision, "grad_dtype": draw(st.sampled_from(gradients)), "zero": zero, "recompute": recompute,
        "attention": draw(st.sampled_from(("flash", "unfused"))),
        "attention_kernel": draw(st.sampled_from(("cudnn", "flash_attn", "auto"))),
        "optimizer": draw(st.sampled_from(("adam", "sgd"))),
        "vocab_multiple": draw(st.sampled_from((1, 64, 128))),
        "transformer_impl": draw(st.sampled_from(("transformer_engine", "local"))),
        "cublas_workspace": draw(st.sampled_from((None, ":4096:8"))),
        **{flag: draw(st.booleans()) for flag in flags},
    }  # fmt: skip
    values = {name: value for name, value in values.items() if value is not None}
    values["overlap_grad_reduce"] |= bool(zero and values["overlap_param_gather"])
    values["sequence_parallel"] |= tp > 1 and values["overlap_tp"]
    values["deterministic"] &= not values["overlap_tp"] and not values["fused_cross_entropy"]
    if cp > 1:
        values["cp_comm"] = draw(st.sampled_from(("a2a", "ring", "all_gather")))
    if zero and values["optimizer"] == "adam":
        values["exp_avg_dtype"] = draw(st.sampled_from(("fp32", "bf16", "fp8")))
    if experts:
        values |= {
            "moe_dispatch": draw(st.sampled_from(("all_to_all", "all_gather", "deepep", "hybridep"))),
            "moe_grouped_gemm": draw(st.booleans()), "moe_probs_in_activation": True,
        }  # fmt: skip
        if draw(st.booleans()):
            values["moe_capacity"] = draw(st.sampled_from((1, 2)))
    if recompute == "full" and draw(st.booleans()):
        values["recompute_layers"] = draw(st.integers(1, 8))
        values["recompute_method"] = draw(st.sampled_from(("block", "uniform")))
    if values["vp"] > 1:
        values["overlap_p2p"] = draw(st.booleans()) or pp == 2
    placed = draw(st.sampled_from(("even", "ends", "counted", "layout")))
    if placed == "ends":
        values |= {"first_stage_layers": draw(st.integers(1, 4)), "last_stage_layers": draw(st.integers(1, 4))}
    elif placed == "counted":
        values |= {"embedding_in_split": draw(st.booleans()), "loss_in_split": draw(st.booleans())}
    elif placed == "layout":
        stages = pp * values["vp"]
        values["layout"] = "E" + "|".join(["t" * (16 // stages)] * stages) + "L"
    return values


def differences(of: str, values: dict[str, Value], target: str = "megatron") -> dict[str, object]:
    """Choices and dimensions that do not come back, but for those that are said to be left out."""
    asked = settled(model(of), values)
    written = export(target, asked)
    part = written.parts[0]
    run = parts_of(translated([text_file(f"plan{part.suffix}", part.text)], "megatron"))
    assert run.model is not None and run.strategy is not None
    strategy = strategy_of(run.strategy)
    if target == "bridge":  # its launcher says how many GPUs there are
        strategy = replace(
            strategy,
            values={**strategy.values, "world": asked.size("world")},
            places={**strategy.places, "world": strategy.places["tp"]},
        )
    after = plan(strategy).values
    found: dict[str, object] = {
        n: (value, after[n]) for n, value in asked.values.items() if value != after[n] and n not in written.left_out
    }
    back, before = load_model(run.model, {}).dimensions, wanted(asked.model)
    return found | {
        n: (value, back.get(n))
        for n, value in before.items()
        if n in back and back[n] != value and n not in written.left_out and n not in unused(before)
    }


ONE_OF = st.sampled_from(MODELS).flatmap(lambda of: st.tuples(st.just(of), plans(of)))


@pytest.mark.parametrize("target", ["megatron", "bridge"])
@settings(max_examples=20, deadline=None)
@given(case=ONE_OF)
def test_a_plan_comes_back(target: str, case: tuple[str, dict[str, Value]]) -> None:
    assert differences(*of_target(target, *case), target) == {}


@pytest.mark.slow
@pytest.mark.parametrize("target", ["megatron", "bridge"])
@settings(max_examples=500, deadline=None)
@given(case=ONE_OF)
def test_five_hundred_plans_come_back(target: str, case: tuple[str, dict[str, Value]]) -> None:
    assert differences(*of_target(target, *case), target) == {}


def of_target(target: str, of: str, values: dict[str, Value]) -> tuple[str, dict[str, Value]]:
    """A case that the target has words for."""
    if target == "megatron":
        return of, values
    local = values["transformer_impl"] == "local"
    return of.replace("8192", str(values["seq"])), {**values, "attention": "unfused"} if local else values


def test_adapters_come_back_from_bridge() -> None:
    assert differences(LLAMA, {**PLAN, "lora_rank": 16, "lora_targets": frozenset({"qkv", "down"})}, "bridge") == {}


@pytest.mark.parametrize("of", ["llama3_70b", "mixtral_8x7b", "deepseek_v3", "nemotron4_340b"])
def test_shipped_models_come_back_from_bridge(of: str) -> None:
    assert differences(of, {"world": 8, "tp": 2, "gbs": 64, "seq": 2048}, "bridge") == {}


def test_positions_of_bridge_are_as_many_as_tokens() -> None:
    with pytest.raises(InputError, match="max_positions = 8192"):
        export("bridge", settled(model(GPT), PLAN))


@pytest.mark.parametrize("of", MODELS)
def test_a_model_that_comes_back_holds_and_keeps_the_same(of: str, tmp_path: Path) -> None:
    written = export("megatron", settled(model(of), {**PLAN, "moe_probs_in_activation": "experts" in of}))
    (tmp_path / "run.sh").write_text(written.parts[0].text, "utf-8")
    given_plan = {**PLAN, "moe_probs_in_activation": True} if "experts" in of else PLAN
    before = symsim.evaluate(symsim.load(of, given_plan)).to_dict()
    after = symsim.evaluate(symsim.load(str(tmp_path / "run.sh"))).to_dict()
    assert after["parameters"]["stages"] == before["parameters"]["stages"]
    assert after["memory"]["stages"] == before["memory"]["stages"]


@pytest.mark.parametrize(
    "of", ["llama3_70b", "mixtral_8x7b", "qwen3_235b_a22b", "deepseek_v3", "gpt3_175b", "nemotron4_340b", "glm5"]
)
def test_shipped_models_come_back(of: str) -> None:
    assert differences(of, {"world": 8, "tp": 2, "gbs": 64, "seq": 2048}) == {}


@pytest.mark.parametrize(
    ("of", "name"),
    [
        (LLAMA.replace("vocab", "norm=rms, positions=alibi, vocab"), "positions"),
        (LLAMA.replace("vocab", "mlp_bias=true, vocab"), "mlp_bias"),
        (LLAMA.replace("vocab", "embedding_norm=true, vocab"), "embedding_norm"),
        (GPT.replace("8192", "1024"), "max_positions"),
        (EXPERTS.replace("vocab", "router_bias=true, vocab"), "router_bias"),
        ("gemma3_27b", ""),
        ("gpt_oss_20b", ""),
    ],
)
def test_a_dimension_that_it_lacks_is_refused(of: str, name: str) -> None:
    with pytest.raises(InputError, match=f"Megatron cannot express {name}"):
        export("megatron", settled(model(of), PLAN))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("schedule", "zb_h1"), ("framework", "fsdp"), ("recompute", frozenset({"attention"})),
        ("offload", frozenset({"weights"})), ("exp_avg_dtype", "bf16"), ("optimizer", "adafactor"),
        ("lora_rank", 8), ("schedule", "gpipe"),
    ],
)  # fmt: skip
def test_a_choice_that_makes_it_another_plan_is_refused(name: str, value: Value) -> None:
    with pytest.raises(InputError, match="Megatron cannot express") as raised:
        export("megatron", settled(model(LLAMA), {**PLAN, "zero": 0, name: value}))
    assert {d.code for d in raised.value.diagnostics} == {"E523"}


@pytest.mark.parametrize(
    "more",
    [
        {"zero": 1, "overlap_param_gather": True},
        {"overlap_tp": True, "sequence_parallel": False},
        {"overlap_tp": True, "deterministic": True},
        {"fused_cross_entropy": True, "deterministic": True},
    ],
)
def test_what_megatron_refuses_together_is_refused(more: dict[str, Value]) -> None:
    with pytest.raises(InputError, match=f"Megatron cannot express {next(iter(more)) if 'zero' not in more else ''}"):
        export("megatron", settled(model(LLAMA), {**PLAN, **more}))


@pytest.mark.parametrize(("name", "value"), [("overlap_moe", True), ("moe_imbalance", 2), ("te_version", "2.9.0")])
def test_a_choice_that_changes_an_estimate_is_said(name: str, value: Value) -> None:
    assert export("megatron", settled(model(EXPERTS), {**PLAN, name: value})).left_out[name]


def test_a_script_names_what_differs_from_the_defaults() -> None:
    text = export("megatron", settled(model(LLAMA), {**PLAN, "layout": "Et*8|t*8L"})).parts[0].text
    assert "torchrun --nproc-per-node 8 --nnodes 2 pretrain_gpt.py" in text
    assert "--pipeline-model-parallel-layout 'Et*8|t*8L'" in text
    assert "--no-create-attention-mask-in-dataloader" in text
    assert "--context-parallel-size" not in text
