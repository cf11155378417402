"""A plan that cannot be says which rule it breaks and which values nearby would keep it; those values work."""

from __future__ import annotations

import re
from functools import cache

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from symsim.analysis.evaluate import Evaluator, answer, evaluator
from symsim.diagnostics import Diagnostic, InputError
from symsim.loading.question import question

pytestmark = pytest.mark.slow

some = settings(max_examples=6, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])

MOST_NAMES = 3
"""Names that one hint has values for."""

HINT = re.compile(r"(\w+) = (\d+(?: or \d+)*)(?:; or )?")


def problems(model: str, strategy: str) -> tuple[Diagnostic, ...]:
    """What is wrong with a plan; nothing if it can be."""
    asked = question(model, strategy, None)
    try:
        answer(asked.model, asked.plan, None)
    except InputError as wrong:
        return tuple(wrong.diagnostics)
    return ()


def suggested(problem: Diagnostic) -> dict[str, list[int]]:
    return {name: [int(v) for v in values.split(" or ")] for name, values in HINT.findall(problem.hint or "")}


@pytest.mark.parametrize(("model", "plan", "rule", "hint"), [
    ("gpt3_175b", "tp=9,world=36,seq=4608,cp_comm=ring", "tp = 9 does not divide heads = 96", "tp = 6 or 12"),
    ("llama3_70b", 'tp=16,world=16,framework_version="0.15.0"', "tp = 16 does not divide kv_heads = 8", "tp = 8"),
    ("llama3_70b", "tp=4,cp=4,world=16", "tp·cp = 16 does not divide kv_heads = 8", "cp = 2; or tp = 2"),
    ("mixtral_8x7b", "ep=16,world=16", "ep = 16 does not divide experts = 8", "ep = 8"),
    ("mixtral_8x7b", "etp=3,world=12", "expert-tensor parallelism splits the width", "etp = 2 or 4"),
    ("llama3_70b", "pp=6,world=12", "pp = 6 does not divide 80 layers", "pp = 4"),
    ("llama3_70b", "pp=4,vp=3,world=4", "does not divide 80 layers", "vp = 2 or 4"),
    ("llama3_70b", "pp=4,world=4,first_stage_layers=18", "the other layers do not divide over the stages between",
     "first_stage_layers = 17 or 20"),
    ("llama3_70b", "tp=8,world=12", "does not divide world = 12", "tp = 4; or world = 8 or 16"),
    ("mixtral_8x7b", "ep=8,pp=2,world=24", "ep·etp·pp = 16 does not divide world = 24",
     "ep = 4; or pp = 1; or world = 16 or 32"),
    ("llama3_70b", "tp=8,world=64,gbs=20", "mbs·dp = 8 does not divide gbs = 20", "gbs = 16 or 24"),
    ("llama3_70b", "tp=8,world=8,seq=4099", "does not divide seq = 4099", "seq = 4096 or 4104"),
    ("llama3_70b", "cp=8,world=8,seq=4098,sequence_parallel=false", "2·cp = 16 does not divide seq = 4098",
     "cp = 1; or seq = 4096 or 4112"),
    ("llama3_70b", "pp=4,vp=2,world=4,gbs=6", "interleaving takes groups of pp", "gbs = 4 or 8"),
    ("llama3_70b", "world=12,zero_shard=5", "zero_shard = 5 does not divide dp·cp = 12", "zero_shard = 4 or 6"),
])  # fmt: skip
def test_the_rule_and_the_nearest_legal_values(model: str, plan: str, rule: str, hint: str) -> None:
    defaults = {"gbs": "48", "seq": "4096"}
    given_names = [c.partition("=")[0] for c in plan.split(",")]
    whole = ",".join([plan, *(f"{n}={v}" for n, v in defaults.items() if n not in given_names)])
    (problem,) = [p for p in problems(model, whole) if rule in p.message]
    assert problem.code == "E330"
    assert (problem.hint or "").startswith(hint)


def test_no_vocabulary_is_indivisible() -> None:
    """It is padded: the prime 50 257 of GPT-2 goes over any number of ranks."""
    assert problems("gpt(hidden=1536, layers=2, heads=12, vocab=50257)", "tp=12,world=12,gbs=1,seq=1536") == ()


CASES = (
    ("llama3_70b", ""),
    ("gpt3_175b", "cp_comm=ring"),
    ("mixtral_8x7b", "zero_shard=2"),
    ("qwen3_30b_a3b", "sequence_parallel=false"),
    ("llama3_70b", "vp=2"),
    ("deepseek_v3", "first_stage_layers=3"),
)


@cache
def compiled(model: str, choices: str) -> tuple[Evaluator, dict[str, int]]:
    asked = question(model, f"world=8,gbs=16,seq=4096,{choices}".rstrip(","), None)
    return evaluator(asked.model, asked.plan.structure), dict(asked.plan.sizes)


@st.composite
def spoiled(draw: st.DrawFn, model: str, choices: str) -> tuple[dict[str, int], str]:
    """A legal plan with one size changed to what cannot be, and the name of that size."""
    found, defaults = compiled(model, choices)
    tp, cp, ep, etp = (draw(st.sampled_from((1, 1, 2, 4))) for _ in range(4))
    pp, dp, mbs = draw(st.sampled_from((1, 2, 4, 5))), draw(st.sampled_from((2, 4, 12))), draw(st.integers(1, 3))
    sizes = {"tp": tp, "cp": cp, "ep": ep, "etp": etp, "pp": pp, "mbs": mbs}
    sizes |= {"seq": 4096, "world": tp * cp * pp * dp, "gbs": mbs * dp * pp * draw(st.integers(1, 4))}
    sizes |= {n: draw(st.integers(2, 9)) for n in ("zero_shard", "vp", "first_stage_layers") if n in choices}
    assume(not found.broken({**defaults, **sizes}))
    name = draw(st.sampled_from(sorted(sizes)))
    changed = {**sizes, name: draw(st.integers(1, 3 * sizes[name] + 20))}
    assume(found.broken({**defaults, **changed}))
    return changed, name


def of_tp(model: str, choices: str, sizes: dict[str, int]) -> Evaluator:
    """The formulas of a plan: more tensor-parallel ranks than key-value heads have others."""
    asked = question(model, written(choices, sizes), None)
    return evaluator(asked.model, asked.plan.structure)


def written(choices: str, sizes: dict[str, int]) -> str:
    own = [c for c in choices.split(",") if c and c.partition("=")[0] not in sizes]
    return ",".join([*own, *(f"{n}={v}" for n, v in sizes.items())])


cases = pytest.mark.parametrize(("model", "choices"), CASES)


@cases
@some
@given(data=st.data())
def test_every_suggested_value_keeps_the_broken_rule(model: str, choices: str, data: st.DataObject) -> None:
    sizes, _ = data.draw(spoiled(model, choices))
    found, defaults = compiled(model, choices)
    reported = problems(model, written(choices, sizes))
    assert reported
    for problem in reported:
        assert suggested(problem)
        for name, values in suggested(problem).items():
            for value in values:
                there = {**sizes, name: value}
                left = (of_tp(model, choices, there) if name == "tp" else found).broken({**defaults, **there})
                assert not any(f": {rule.message};" in problem.message for rule in left)


@cases
@some
@given(data=st.data())
def test_where_one_size_spoils_a_plan_the_nearest_of_it_that_mend_it_are_suggested(
    model: str, choices: str, data: st.DataObject
) -> None:
    """Every value below and above that is suggested makes the plan possible, and none between does."""
    sizes, name = data.draw(spoiled(model, choices))
    found, defaults = compiled(model, choices)

    def possible(value: int) -> bool:
        there = {**sizes, name: value}
        return not (of_tp(model, choices, there) if name == "tp" else found).broken({**defaults, **there})

    reported = problems(model, written(choices, sizes))
    values = {v for p in reported for v in suggested(p).get(name, [])}
    assert values or any(len(suggested(p)) == MOST_NAMES for p in reported)
    for value in values:
        assert possible(value)
        step = 1 if value > sizes[name] else -1
        assert not any(possible(other) for other in range(sizes[name] + step, value, step))
