"""What `explain` lists is the peak, the moment it names is the worst one, and the next one is next."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from symsim import resources
from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import Answer, answer, evaluator, machine_of
from symsim.analysis.explaining.explain import explanation
from symsim.analysis.explaining.peak_moment import peak_moment
from symsim.diagnostics import InputError
from symsim.loading.question import Question, question
from tests.properties.points import CASES, Case, legal_sizes, load

MODELS = [*resources.shipped("models")][::4]
PLANS = {
    "plain": "world=16,tp=2,pp=2,ep=2,mbs=1,gbs=32,seq=4096",
    "recomputed": "world=8,tp=2,ep=2,mbs=2,gbs=16,seq=4096,recompute=full,zero=3,te_version=2.11.0",
    "partly recomputed": "world=4,pp=2,mbs=1,gbs=8,seq=8192,recompute=full,recompute_layers=2",
}
LAYOUTS = {
    "interleaved": ("llama3_70b", "world=32,tp=4,pp=4,vp=5,gbs=32,seq=4096"),
    "interleaved kinds": ("qwen2_moe_a14b", "world=8,tp=2,pp=2,vp=2,ep=2,gbs=32,seq=4096"),
    "few micro-batches": ("llama3_8b", "world=8,pp=8,gbs=2,seq=4096"),
    "zb_h1": ("llama3_8b", "world=4,pp=4,gbs=12,seq=4096,schedule=zb_h1"),
    "zb_h2": ("mixtral_8x7b", "world=16,pp=4,ep=4,gbs=48,seq=4096,schedule=zb_h2"),
    "zb_v": ("gpt_oss_20b", "world=4,pp=4,gbs=12,seq=4096,schedule=zb_v"),
    "zb_v alike": ("llama3_8b", "world=4,pp=4,gbs=12,seq=4096,schedule=zb_v"),
    "dualpipe": ("gpt3_175b", "world=16,pp=4,tp=4,gbs=16,seq=2048,schedule=dualpipe"),
    "gpipe": ("llama3_8b", "world=4,pp=4,gbs=12,seq=4096,schedule=gpipe"),
    "uneven": ("deepseek_v3", "world=64,pp=8,ep=8,gbs=64,seq=4096,first_stage_layers=5,last_stage_layers=2"),
    "empty ends": ("llama3_8b", "world=4,pp=4,gbs=8,seq=4096,first_stage_layers=16,last_stage_layers=8,mbs=2"),
    "chunks": ("gpt_oss_20b", "world=4,pp=2,gbs=8,seq=4096,recompute=full,recompute_method=uniform,recompute_layers=3"),
    "regions": ("mixtral_8x7b", "world=8,tp=2,ep=4,gbs=8,seq=4096,recompute={core_attn, moe_act, layernorm}"),
    "latent regions": ("deepseek_v2", "world=8,pp=4,ep=2,gbs=8,seq=4096,recompute={mla_up_proj, moe},dropout=true"),
    "unfused": ("gpt3_175b", "world=16,tp=8,gbs=8,seq=2048,attention=unfused,dropout=true,sequence_parallel=false"),
    "context": ("gemma3_27b", "world=8,cp=4,tp=2,gbs=8,seq=32768,cp_comm=ring,fused_cross_entropy=true"),
}  # fmt: skip
FAMILIES = (
    "llama3_8b",
    "gpt2_xl",
    "mixtral_8x7b",
    "deepseek_v2_lite",
    "gemma2_9b",
    "gpt_oss_20b",
    "nemotron4_15b",
    "mamba2_2_7b",
    "qwen3_next_80b_a3b",
)
"""One model of each; every fourth shipped model is asked the plain plan."""

asked_of_all = pytest.mark.parametrize(
    ("model", "plan"),
    [
        *(
            pytest.param(m, plan, id=f"{m}-{name}")
            for name, plan in PLANS.items()
            for m in (MODELS if name == "plain" else FAMILIES)
        ),
        *(pytest.param(*asked, id=name) for name, asked in LAYOUTS.items()),
    ],
)


def explained(model: str, plan: str, system: str | None = None) -> tuple[Question, Answer]:
    asked = question(model, plan, system)
    return asked, answer(asked.model, asked.plan, None, moments=True)


def explained_where_legal(model: str, plan: str) -> tuple[Question, Answer]:
    """A plan that the model's layers or heads do not divide by is asked on one stage, without splitting."""
    try:
        return explained(model, plan)
    except InputError:
        return explained(model, plan.replace("pp=2", "pp=1").replace("tp=2", "tp=1"))


def memory_of(asked: Question, found: Answer, stage: int) -> dict[str, Any]:
    memory: dict[str, Any] = explanation(asked, found, stage)["memory"]
    return memory


@asked_of_all
def test_what_is_alive_adds_up_to_the_peak(model: str, plan: str) -> None:
    asked, found = explained_where_legal(model, plan)
    for stage in range(found.stages):
        memory = memory_of(asked, found, stage)
        assert math.isclose(sum(i["bytes"] for i in memory["alive"]), found.of_stage("peak")[stage], rel_tol=1e-12)
        assert math.isclose(sum(i["share"] for i in memory["alive"]), 1)
        assert [i["bytes"] for i in memory["alive"]] == sorted((i["bytes"] for i in memory["alive"]), reverse=True)


@pytest.mark.parametrize(("model", "plan"), LAYOUTS.values(), ids=LAYOUTS)
def test_the_named_moment_is_the_worst(model: str, plan: str) -> None:
    _, found = explained(model, plan)
    for stage in range(found.stages):
        in_use = {n: v[stage] for n in found.values if n.startswith("peak@") for v in [found.of_stage(n)]}
        worst = peak_moment(found, stage)
        assert worst is not None
        assert math.isclose(max(in_use.values()), found.of_stage("peak")[stage], rel_tol=1e-12)
        assert math.isclose(in_use[f"peak@{worst.name}"], found.of_stage("peak")[stage], rel_tol=1e-12)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.model)
def test_it_adds_up_at_any_legal_sizes(case: Case) -> None:
    asked, _, _ = load(case, None)
    compiled = evaluator(asked.model, asked.plan.structure, moments=True)
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 10, seed=5):
        found = Answer(compiled.scalar(sizes, None), sizes["pp"])
        for stage in range(sizes["pp"]):
            memory = memory_of(asked, found, stage)
            whole = found.of_stage("peak")[stage]
            assert math.isclose(sum(i["bytes"] for i in memory["alive"]), whole, rel_tol=1e-12), sizes
            worst = max(m["bytes"] for m in memory["moments"])
            if memory["moment"] is not None and not memory["moment"]["phase"]:
                assert worst < whole, sizes  # the peak is no operator's: the optimizer's step, or gradients
            else:
                assert math.isclose(worst, whole, rel_tol=1e-12), sizes


def test_next_is_the_worst_of_the_other_moments() -> None:
    asked, found = explained("llama3_70b", "world=128,tp=8,pp=4,gbs=128,seq=8192")
    memory = memory_of(asked, found, 0)
    first, second = sorted((m["bytes"] for m in memory["moments"]), reverse=True)[:2]
    assert (memory["peak_bytes"], memory["next"]["bytes"]) == (first, second)
    assert memory["next"]["below_peak_bytes"] == first - second > 0
    assert {n: memory["next"][n] for n in memory["moment"]} != memory["moment"]


def test_a_moment_that_another_provably_reaches_may_be_next() -> None:
    """The formula of the peak leaves such moments out; here each has its number."""
    asked, found = explained("mixtral_8x7b", "world=8,tp=2,ep=4,gbs=8,seq=4096")
    runs = [(m["operator"], m["phase"]) for m in memory_of(asked, found, 0)["moments"]]
    assert len(set(runs)) == len(runs) > 40
    assert runs.index(("moe.experts_mlp.act", "forward")) < runs.index(("moe.experts_mlp.act", "backward"))


def test_saved_tensors_are_counted_in_layers_and_micro_batches() -> None:
    """20 layers, 4 micro-batches in flight; the running layer's backward pass is past ``mlp.act``."""
    asked, found = explained("llama3_70b", "world=128,tp=8,pp=4,gbs=128,seq=8192")
    memory = memory_of(asked, found, 0)
    counts = {i["of"]: i["count"] for i in memory["alive"] if i["kind"] == "saved"}
    assert memory["moment"] == {"unit": "layer", "operator": "mlp.up", "phase": "backward"}
    assert counts["mlp.act"] == counts["mlp.down"] == 20 * 4 - 1
    assert counts["mlp.up"] == counts["attention.qkv"] == 20 * 4
    assert all(i["bytes"] == i["count"] * i["each_bytes"] for i in memory["alive"] if i["kind"] == "saved")


def test_layers_behind_the_running_one_are_freed_for_its_micro_batch() -> None:
    """The last dense layer runs its backward pass when the expert layers behind it are done with theirs."""
    _, found = explained("deepseek_v3", "world=64,pp=8,ep=8,gbs=64,seq=4096,first_stage_layers=5,last_stage_layers=2")
    flight, experts = found.of_stage("f")[0], found.of_stage("n_moe_latent")[0]
    assert found.of_stage("count@dense_latent@moe_latent")[0] == (flight - 1) * experts
    assert found.of_stage("count@moe_latent@dense_latent")[0] == flight * found.of_stage("n_dense_latent")[0]


def test_states_are_told_apart_by_parameter_group() -> None:
    asked, found = explained("mixtral_8x7b", "world=8,tp=2,ep=4,gbs=8,seq=4096")
    states = {(i["kind"], i["of"]): i["bytes"] for i in memory_of(asked, found, 0)["alive"]}
    assert states["weights", "expert"] == 2 * found.of_stage("P_expert")[0]
    assert states["weights", "dense"] == 2 * found.of_stage("P")[0]


def test_buffers_are_told_apart_by_name() -> None:
    asked, found = explained("llama3_70b", "world=128,tp=8,pp=4,gbs=128,seq=8192")
    for stage in range(found.stages):
        named = {i["of"]: i["bytes"] for i in memory_of(asked, found, stage)["alive"] if i["kind"] == "buffers"}
        assert sum(named.values()) == found.of_stage("buffers")[stage]
        assert ("sent_gradient" in named) == (stage > 0)
        assert ("head.logits.gathered" in named) == (stage == 3)


@pytest.mark.parametrize(("model", "plan"), LAYOUTS.values(), ids=LAYOUTS)
def test_eval_names_the_same_moment(model: str, plan: str) -> None:
    asked, found = explained(model, plan)
    memory = document(asked, answer(asked.model, asked.plan, None), None)["memory"]
    ours = explanation(asked, found)["memory"]
    assert (ours["stage"], ours["peak_moment"]) == (memory["peak_stage"], memory["peak_moment"])
    assert ours["peak_bytes"] == memory["peak_bytes"]


def test_a_recomputed_layer_is_told_from_a_plain_one() -> None:
    plan = "world=4,pp=2,mbs=1,gbs=8,seq=8192,recompute=full,recompute_layers=2"
    asked, found = explained("llama3_8b", plan)
    memory = memory_of(asked, found, 0)
    counts = [(i["of"], i["count"]) for i in memory["alive"] if i["kind"] == "saved"]
    assert ("recomputed.decoder.pre_norm.rmsnorm", 4) in counts
    assert ("pre_norm.rmsnorm", 2 * 14) in counts


def test_capacity_is_compared_where_a_machine_is_named() -> None:
    asked = question("llama3_70b", "world=128,tp=8,pp=4,gbs=128,seq=8192", "h100_sxm")
    found = answer(asked.model, asked.plan, machine_of(asked), moments=True)
    memory = explanation(asked, found)["memory"]
    assert memory["free_bytes"] == memory["capacity_bytes"] - memory["device_bytes"] > 0
    assert memory["fits"] is True


def test_items_up_to_the_device_add_up_to_it() -> None:
    """In their order; maxima over stages are left out."""
    asked = question("llama3_8b", "world=2,pp=2,gbs=8,seq=4096", "h100_sxm")
    found = answer(asked.model, asked.plan, machine_of(asked), moments=True)
    items = {item["name"]: item["bytes"] for item in memory_of(asked, found, 1)["device"]}
    assert list(items) == ["communication", "context", "device", "cached", "reserved", "shown"]
    assert items["device"] == found.of_stage("peak")[1] + items["communication"] + items["context"]
    assert items["reserved"] == found.of_stage("peak")[1] + items["cached"]
    assert items["shown"] == items["device"] + items["cached"]


def test_a_rise_that_is_no_operators_is_listed_as_one() -> None:
    asked, found = explained("llama3_8b", "world=2,pp=2,gbs=8,seq=4096")
    above = 2**40
    peaks = [peak + above - found.of_stage("workspace")[k] for k, peak in enumerate(found.of_stage("peak"))]
    peaks = [peak + found.of_stage("buffers")[k] for k, peak in enumerate(peaks)]
    values = {**found.values, "rise_gradients": above, "w_gradients": above, "peak": peaks}
    memory = memory_of(asked, replace(found, values=values), 0)
    assert memory["moment"] == {"unit": "gradients", "operator": "gradients", "phase": ""}
    assert memory["peak_moment"].startswith("gradients, ")
    assert {"kind": "extra", "of": "gradients"}.items() <= memory["alive"][0].items()
    assert math.isclose(sum(i["bytes"] for i in memory["alive"]), peaks[0])


def test_what_waits_for_weight_gradients_is_counted_once_after_a_backward_pass() -> None:
    asked, found = explained(
        "mixtral_8x7b", "world=8,tp=2,pp=4,gbs=12,seq=1024,schedule=zb_h1,framework=nanotron,recompute={core_attn}"
    )
    stage = found.stages - 1
    memory = memory_of(asked, found, stage)
    assert memory["moment"]["unit"] == "gradients"
    assert math.isclose(sum(i["bytes"] for i in memory["alive"]), found.of_stage("peak")[stage], rel_tol=1e-12)


def test_the_chunk_that_has_freed_least_is_one_chunk() -> None:
    """Of chunks that have freed as little the first; by it the sum of the peak picks what to subtract."""
    _, found = explained("llama3_8b", 'world=2,pp=2,gbs=16,seq=4096,layout="Et*7|t*8|t*8|t*9L"')
    for unit in ("layer", "embedding"):
        for stage in range(2):
            freed = [found.of_stage(f"freed@{unit}@{k}")[stage] for k in range(2)]
            least = [found.of_stage(f"least@{unit}@{k}")[stage] for k in range(2)]
            assert least == [float(k == freed.index(min(freed))) for k in range(2)]
            assert found.of_stage(f"freed@{unit}")[stage] == min(freed)
