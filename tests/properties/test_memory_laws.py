"""Laws of memory: what splits it never adds to it, what fills it never takes from it.

A law holds for every stage or for the fullest one, at any legal sizes. Where something of a rank does
grow with what should make it smaller, it has a name in the formulas and is listed here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from itertools import combinations, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from symsim.analysis.evaluate import Answer, Evaluator, evaluator
from symsim.loading.question import question

pytestmark = pytest.mark.slow

NARROW = "llama(hidden=64, layers=8, heads=16, ffn=64, vocab=100)"
"""Weights and activations of a layer are next to nothing: what is gathered or padded would show."""

CASES = (
    ("llama3_70b", ""),
    ("llama3_8b", "recompute=full,zero=2"),
    ("llama32_1b", "fused_cross_entropy=true,te_version=2.11.0"),
    ("gpt3_175b", "attention=unfused,dropout=true"),
    ("bloom_176b", "recompute={core_attn},schedule=gpipe"),
    ("nemotron4_15b", "sequence_parallel=false,grad_dtype=bf16"),
    ("mixtral_8x7b", "recompute={layernorm,moe_act}"),
    ("qwen3_30b_a3b", "moe_probs_in_activation=true,cp_comm=ring"),
    (NARROW, ""),
    (NARROW, "recompute=full,fused_cross_entropy=true,zero=0"),
    (NARROW.replace("llama", "gpt"), "attention=unfused,dropout=true"),
    ("moe(hidden=64, layers=8, heads=16, expert_ffn=32, experts=16, topk=2, vocab=100)", "te_version=2.11.0"),
)
cases = pytest.mark.parametrize(("model", "choices"), CASES)
some = settings(max_examples=20, derandomize=True, suppress_health_check=[HealthCheck.filter_too_much])

Sizes = Mapping[str, int]


@cache
def compiled(model: str, choices: str) -> tuple[Evaluator, dict[str, int]]:
    asked = question(model, f"world=8,gbs=16,seq=4096,{choices}".rstrip(","), None)
    return evaluator(asked.model, asked.plan.structure), dict(asked.plan.sizes)


def evaluated(model: str, choices: str, sizes: Sizes) -> Answer:
    """What a legal plan holds; an illegal one is not an example of a law."""
    found, defaults = compiled(model, choices)
    whole = {**defaults, **sizes}
    assume(not found.broken(whole))
    return Answer(found.scalar(whole, None), whole["pp"])


@st.composite
def plans(draw: st.DrawFn) -> dict[str, int]:
    """Sizes of a plan; ``dp`` ranks hold one part, ``m`` micro-batches make a step."""
    tp, cp, ep = (draw(st.sampled_from((1, 2, 4))) for _ in range(3))
    pp, dp = draw(st.sampled_from((1, 2, 4, 8))), draw(st.sampled_from((1, 2, 3, 4, 16)))
    mbs, m = draw(st.integers(1, 4)), draw(st.integers(1, 12))
    seq = draw(st.sampled_from((256, 1024, 4096, 8192)))
    return {"tp": tp, "cp": cp, "ep": ep, "pp": pp, "mbs": mbs, "seq": seq, "dp": dp, "m": m}


def settled(plan: Sizes) -> dict[str, int]:
    """A plan's sizes by the names of a strategy."""
    ranks = plan["tp"] * plan["cp"] * plan["pp"] * plan["dp"]
    own = {k: v for k, v in plan.items() if k not in ("dp", "m")}
    return {**own, "world": ranks, "gbs": plan["mbs"] * plan["dp"] * plan["m"]}


def nothing(found: Answer, stage: int) -> float:
    return 0


def held_by_the_embedding(found: Answer, stage: int) -> float:
    """What the embedding saves for the micro-batches in flight: more stages have more of them."""
    return found.of_stage("f")[0] * found.values["A_embedding"] if stage == 0 else 0


def fullest(found: Answer, but: Callable[[Answer, int], float] = nothing) -> float:
    return max(peak - but(found, stage) for stage, peak in enumerate(found.of_stage("peak")))


SPLITS: dict[str, Callable[[Answer, int], float]] = {
    "tp": nothing,
    "cp": nothing,
    "pp": held_by_the_embedding,
}
"""Each divides what a rank holds, at the same number of replicas; and what may grow all the same."""


@cases
@pytest.mark.parametrize("axis", SPLITS)
@some
@given(plan=plans())
def test_more_ranks_that_share_a_replica_never_need_more(model: str, choices: str, axis: str, plan: Sizes) -> None:
    few = evaluated(model, choices, settled(plan))
    many = evaluated(model, choices, settled({**plan, axis: 2 * plan[axis]}))
    assert fullest(many, SPLITS[axis]) <= fullest(few, SPLITS[axis])


@pytest.mark.parametrize(("model", "choices"), [c for c in CASES if "mo" in c[0] or "mix" in c[0] or "a3b" in c[0]])
@some
@given(plan=plans())
def test_more_expert_parallelism_never_needs_more(model: str, choices: str, plan: Sizes) -> None:
    """The world is the same: experts are spread over ranks that held copies of them.

    At ep = 1 nothing is exchanged. The buffers of the exchange, there for a moment, may be more than a rank saves
    on small experts; what is held all the time never grows.
    """
    few = evaluated(model, choices, settled(plan))
    many = evaluated(model, choices, {**settled(plan), "ep": 2 * plan["ep"]})
    for name in ("static", "activations"):
        assert all(a <= b for a, b in zip(many.of_stage(name), few.of_stage(name), strict=True)), name
    if plan["ep"] > 1:
        assert fullest(many) <= fullest(few)


@cases
@pytest.mark.parametrize("name", ["mbs", "seq", "m"])
@some
@given(plan=plans(), data=st.data())
def test_less_work_at_a_time_never_needs_more(model: str, choices: str, name: str, plan: Sizes, data: Any) -> None:
    """Sequences of a micro-batch, tokens of a sequence, micro-batches of a step; on every stage."""
    more = evaluated(model, choices, settled(plan))
    unit = plan["tp"] * plan["cp"] if name == "seq" else 1
    fewer = data.draw(st.integers(1, plan[name] // unit)) * unit
    less = evaluated(model, choices, settled({**plan, name: fewer}))
    for small, large in zip(less.of_stage("peak"), more.of_stage("peak"), strict=True):
        assert small <= large


def of(model: str, choices: str, changed: str) -> str:
    """Choices with one of them replaced."""
    name = changed.partition("=")[0]
    return ",".join([c for c in choices.split(",") if c and not c.startswith(f"{name}=")] + [changed])


ZERO = (("llama3_70b", ""), ("mixtral_8x7b", "grad_dtype=bf16"), (NARROW, "optimizer=adam_bf16"))


@pytest.mark.parametrize(("model", "choices"), ZERO)
@some
@given(plan=plans())
def test_more_zero_never_holds_more(model: str, choices: str, plan: Sizes) -> None:
    """Between steps on every stage; and at the peak, but for gradients that stage 2 has whole for a moment, and
    for the workspace, where stage 3 gathers."""
    found = [evaluated(model, of(model, choices, f"zero={z}"), settled(plan)) for z in range(4)]
    for less, more in pairwise(found):
        for part in ("weights", "gradients", "optimizer", "static"):
            assert all(b <= a for a, b in zip(less.of_stage(part), more.of_stage(part), strict=True)), part
    workspace = [lambda a, i: a.of_stage("workspace")[i]] * 2
    for less, more in pairwise(found[:3]):
        reducing = max((v for n in more.values if n.startswith("reducing") for v in more.of_stage(n)), default=0)
        assert fullest(more) - reducing <= fullest(less)
    assert fullest(found[3], workspace[1]) <= fullest(found[2], workspace[0])


@pytest.mark.parametrize(("model", "choices"), ZERO)
@pytest.mark.parametrize("zero", [1, 2, 3])
@some
@given(plan=plans(), data=st.data())
def test_a_shard_between_one_rank_and_all_lies_between(
    model: str, choices: str, zero: int, plan: Sizes, data: Any
) -> None:
    """zero_shard = 1 shards nothing; all of dp·cp is what zero does without it, unless experts have more replicas."""
    sizes, ranks = settled(plan), plan["dp"] * plan["cp"]
    some_ranks = data.draw(st.sampled_from([n for n in range(1, ranks + 1) if ranks % n == 0]))
    whole = of(model, choices, f"zero={zero}")
    sharded = of(model, whole, "zero_shard=2")
    one, between, every = (evaluated(model, sharded, {**sizes, "zero_shard": n}) for n in (1, some_ranks, ranks))
    none, full = evaluated(model, of(model, choices, "zero=0"), sizes), evaluated(model, whole, sizes)
    assert one.of_stage("static") == none.of_stage("static")
    stages = zip(*(a.of_stage("static") for a in (one, between, every, full)), strict=True)
    assert all(a >= b >= c >= d for a, b, c, d in stages)
    if model != "mixtral_8x7b" or plan["ep"] == plan["tp"]:
        assert every.of_stage("static") == full.of_stage("static")


REGIONS = {
    "llama3_70b": ("core_attn", "layernorm", "mlp", "attention"),
    "gpt3_175b": ("core_attn", "layernorm", "mlp"),
    "mixtral_8x7b": ("core_attn", "layernorm", "moe_act", "moe"),
    "deepseek_v2": ("layernorm", "mla_up_proj", "shared_experts", "moe"),
}


@pytest.mark.parametrize("model", REGIONS)
@some
@given(plan=plans(), data=st.data())
def test_more_recomputed_regions_never_need_more(model: str, plan: Sizes, data: Any) -> None:
    sizes = {**settled(plan), "ep": 1}
    sets = [s for k in range(3) for s in combinations(REGIONS[model], k)]
    more = data.draw(st.sampled_from([s for s in sets if s]))
    fewer = data.draw(st.sampled_from([s for s in sets if set(s) < set(more)]))
    before, after = (evaluated(model, recomputing(s), sizes) for s in (fewer, more))
    assert all(b <= a for a, b in zip(before.of_stage("S"), after.of_stage("S"), strict=True))
    assert fullest(after) <= fullest(before)


def recomputing(regions: tuple[str, ...]) -> str:
    return f"recompute={{{','.join(regions)}}}" if regions else "recompute=none"


@pytest.mark.parametrize("model", [*REGIONS, NARROW])
@some
@given(plan=plans(), data=st.data())
def test_full_recomputation_never_needs_more(model: str, plan: Sizes, data: Any) -> None:
    """Than none at the peak; than any region between micro-batches, for a layer that is made again whole
    needs more workspace than its parts."""
    sizes = {**settled(plan), "ep": 1}
    region = data.draw(st.sampled_from(REGIONS.get(model, ("mlp",))))
    none, some_of_it, full = (
        evaluated(model, c, sizes) for c in ("recompute=none", recomputing((region,)), "recompute=full")
    )
    assert fullest(full) <= fullest(none)
    assert all(b <= a for a, b in zip(some_of_it.of_stage("S"), full.of_stage("S"), strict=True))


@pytest.mark.parametrize("model", ["llama3_70b", "mixtral_8x7b", NARROW])
@some
@given(plan=plans(), data=st.data())
def test_more_recomputed_layers_never_need_more(model: str, plan: Sizes, data: Any) -> None:
    layers = int(question(model, None, None, (), needs_sizes=False).model.dimensions["layers"])
    each = data.draw(st.integers(1, max(1, layers // plan["pp"])))
    fewer = data.draw(st.integers(1, each))
    less, more = (
        evaluated(model, "recompute=full,recompute_layers=2", {**settled(plan), "recompute_layers": n})
        for n in (fewer, each)
    )
    assert all(b <= a for a, b in zip(less.of_stage("S"), more.of_stage("S"), strict=True))
    assert fullest(more) <= fullest(less)


@pytest.mark.parametrize(("text", "choices"), [
    ("llama(hidden=512, layers={}, heads=8, ffn=1536, vocab=8192)", ""),
    ("gpt(hidden=512, layers={}, heads=8, vocab=8192)", "recompute=full,attention=unfused"),
    ("moe(hidden=512, layers={}, heads=8, expert_ffn=512, experts=8, topk=2, vocab=8192)", "vp=2"),
])  # fmt: skip
@some
@given(plan=plans(), data=st.data())
def test_more_layers_never_need_less(text: str, choices: str, plan: Sizes, data: Any) -> None:
    """On every stage, where each has as many layers more."""
    few, many = (16, 32) if data.draw(st.booleans()) else (16, 48)
    sizes = {**settled(plan), "gbs": settled(plan)["gbs"] * (plan["pp"] if choices == "vp=2" else 1)}
    small, large = (evaluated(text.format(n), choices, sizes) for n in (few, many))
    assert all(a <= b for a, b in zip(small.of_stage("peak"), large.of_stage("peak"), strict=True))
