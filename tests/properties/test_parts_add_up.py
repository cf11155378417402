"""A stage's parts add up to its whole, stages add up to the model, operators to their layer."""

from __future__ import annotations

import math

import pytest

from symsim.analysis.answer_json import BREAKDOWN, MEMORY_PARTS
from symsim.analysis.evaluate import Answer, evaluator, machine_of
from symsim.compiler.pipeline import compile_cost
from symsim.compiler.simplify import terms
from symsim.loading.question import question
from symsim.records.strategy import CHOICES
from symsim.symbols import symbol
from tests.properties.points import CASES, Case, legal_sizes, load

cases = pytest.mark.parametrize("case", CASES, ids=lambda c: c.model)


@cases
def test_memory_parts_add_up_to_the_peak_of_every_stage(case: Case) -> None:
    asked, compiled, _ = load(case, None)
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 30, seed=1):
        found = Answer(compiled.scalar(sizes, None), sizes["pp"])
        for stage in range(sizes["pp"]):
            whole = sum(found.of_stage(part)[stage] for part in MEMORY_PARTS)
            assert math.isclose(whole, found.of_stage("peak")[stage], rel_tol=1e-12)
        assert found.values["memory.peak"] == max(found.of_stage("peak"))


@cases
def test_layers_of_all_stages_are_the_layers_of_the_model(case: Case) -> None:
    asked, compiled, _ = load(case, None)
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 30, seed=2):
        found = Answer(compiled.scalar(sizes, None), sizes["pp"])
        counts = [n for n in found.values if n == "n" or n.startswith("n_")]
        assert math.isclose(sum(sum(found.of_stage(n)) for n in counts), asked.model.dimensions["layers"])
        assert all(count >= 0 for n in counts for count in found.of_stage(n))


@cases
def test_parameters_of_all_stages_are_those_of_the_model(case: Case) -> None:
    """On a mesh of pipeline stages alone; a tied embedding counts twice when two stages hold it."""
    asked, compiled, _ = load(case, None)
    dimensions = asked.model.dimensions
    whole = {"tp": 1, "cp": 1, "cp_a2a": 1, "ep": 1, "etp": 1, "zero_shard": 1}
    sizes = next(
        s
        for s in legal_sizes(compiled, dict(asked.plan.sizes), 200, seed=3)
        if not compiled.broken({**s, **whole, "world": s["pp"], "gbs": s["mbs"] * s["pp"]}) and s["pp"] > 1
    )
    values = compiled.scalar({**sizes, **whole, "world": sizes["pp"], "gbs": sizes["mbs"] * sizes["pp"]}, None)
    found = Answer(values, sizes["pp"])
    held = sum(found.of_stage("P")) + (sum(found.of_stage("P_expert")) if "P_expert" in values else 0)
    tables = 1 if dimensions["tied"] else 2
    padding = (values["V"] - dimensions["vocab"]) * dimensions["hidden"] * tables
    copy = values["V"] * dimensions["hidden"] if dimensions["tied"] else 0
    assert held == values["parameters"] + padding + copy


@cases
def test_the_breakdown_adds_up_to_the_iteration(case: Case) -> None:
    asked, compiled, machine = load(case, "h100_sxm")
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 30, seed=4):
        values = compiled.scalar(sizes, machine)
        parts = [values[f"time.{n}"] for n in BREAKDOWN if f"time.{n}" in values]
        assert all(part >= 0 for part in parts)
        assert math.isclose(sum(parts), values["time.iteration"], rel_tol=1e-9)
        pipeline = values["time.pipeline"] + values.get("time.data_parallel", 0) + values["time.optimizer"]
        assert math.isclose(pipeline + values["time.stragglers"], values["time.iteration"], rel_tol=1e-9)


@cases
def test_operators_add_up_to_their_layer(case: Case) -> None:
    """Saved bytes and FLOPs of the operators are those of their layer, as formulas."""
    asked, _, _ = load(case, None)
    cost = compile_cost(asked.model, asked.plan.structure, details=True)
    formulas = {d.name: d.expression for d in cost.definitions}
    for what, whole in (("saved", "A"), ("flops", "flops.one")):
        wholes = [n for n in formulas if n == whole or n.startswith(f"{whole}_")]
        prefixes = {n: f"{what}@{_prefix(n[len(whole) :])}" for n in wholes}
        for name in wholes:
            others = [p for p in prefixes.values() if len(p) > len(prefixes[name])]
            own = [
                formula
                for n, formula in formulas.items()
                if n.startswith(prefixes[name]) and not any(n.startswith(o) for o in others)
            ]
            assert terms(sum(own)) == terms(formulas[name]), name


def _prefix(suffix: str) -> str:
    """``_moe_recomputed`` → ``recomputed.moe.``, how the operators of these layers are called."""
    unit = suffix.removesuffix("_recomputed").removeprefix("_")
    return ("recomputed." if suffix.endswith("_recomputed") else "") + (f"{unit}." if unit else "")


def test_hardware_flops_are_those_of_all_ranks() -> None:
    """Without padding, recomputation or flash attention the machines do three forward passes' work."""
    asked = question("llama3_8b", "world=16,tp=2,pp=4,mbs=1,gbs=8,seq=4096,attention=unfused", None)
    compiled = evaluator(asked.model, asked.plan.structure)
    values = compiled.scalar(asked.plan.sizes, None)
    assert values["flops.hardware_per_iteration"] == values["flops.model_per_iteration"]
    assert values["flops.model_per_iteration"] == 3 * values["flops.forward_per_token"] * 8 * 4096


@pytest.mark.parametrize("schedule", CHOICES["schedule"].words)
def test_every_schedule_does_the_same_work(schedule: str) -> None:
    """Only its bubble tells the time of a schedule from another's; ranks of DualPipe hold two stages."""
    vp = 2 if schedule == "interleaved" else 1
    asked = question("llama3_8b", f"world=4,pp=4,gbs=16,seq=4096,vp={vp},schedule={schedule}", "h100_sxm")
    assert asked.system is not None
    compiled = evaluator(asked.model, asked.plan.structure)
    assert not compiled.broken(asked.plan.sizes)
    values = compiled.scalar(asked.plan.sizes, machine_of(asked))
    plain = question("llama3_8b", "world=4,pp=4,gbs=16,seq=4096", "h100_sxm")
    base = evaluator(plain.model, plain.plan.structure).scalar(plain.plan.sizes, None)
    assert values["flops.hardware_per_iteration"] == base["flops.hardware_per_iteration"]
    parts = sum(values[f"time.{n}"] for n in BREAKDOWN if f"time.{n}" in values)
    assert math.isclose(parts, values["time.iteration"], rel_tol=1e-12)
    held = sum(Answer(values, 4).of_stage("P"))
    assert held == sum(Answer(base, 4).of_stage("P")) * (2 if schedule == "dualpipe" else 1)


def test_full_recomputation_adds_one_forward_pass_of_the_layers() -> None:
    sizes = "world=4,tp=2,pp=2,mbs=1,gbs=8,seq=4096,attention=unfused"
    plain = question("llama3_8b", sizes, None)
    again = question("llama3_8b", f"{sizes},recompute=full", None)
    done = [
        evaluator(q.model, q.plan.structure).scalar(q.plan.sizes, None)["flops.hardware_per_iteration"]
        for q in (plain, again)
    ]
    values = evaluator(plain.model, plain.plan.structure).scalar(plain.plan.sizes, None)
    head = 2 * 4096 * values["V"] * 4096 * 8
    forward = values["flops.forward_per_token"] * 8 * 4096
    assert done[1] - done[0] == forward - head


def test_a_kept_dimension_gives_the_same_number() -> None:
    """The general formula at a model's own dimensions is the model's formula."""
    asked = question("llama3_70b", "tp8_pp4", None)
    kept = frozenset({"hidden", "layers", "heads", "kv_heads", "head_dim", "ffn", "vocab"})
    plain = {d.name: d.expression for d in compile_cost(asked.model, asked.plan.structure).definitions}
    general = compile_cost(asked.model, asked.plan.structure, kept)
    numbers = {symbol(n): asked.model.dimensions[n] for n in kept}
    for definition in general.definitions:
        if definition.part in ("params", "flops", "communication") or definition.name in ("n", "A", "A_head"):
            put = definition.expression.subs(numbers)
            assert terms(put - plain[definition.name]) == {}, definition.name
