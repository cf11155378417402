"""Two plans compared: what is said adds up, and the plans between are plans like any other."""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.comparing.compare import Comparison, compare
from symsim.analysis.comparing.compare_json import document
from symsim.analysis.evaluate import evaluator
from symsim.analysis.quantities import parsed
from symsim.diagnostics import InputError
from symsim.loading.changed_plan import both_count_microbatches, stated, with_values
from symsim.loading.question import Question, question

PAIRS = 1000
CHOSEN: dict[str, tuple[str, ...]] = {
    "llama3_8b": ("recompute=full", "zero=2"),
    "mixtral_8x7b": ("recompute={moe_act}", "moe_imbalance=1.25"),
    "gpt3_175b": ("sequence_parallel=false", "overlap_p2p=true"),
    "qwen3_30b_a3b": ("fused_cross_entropy=true", "recompute={layernorm}"),
}
"""Models, and what of structure a random plan may have: four formulas each."""
MOST_DIFFERENT = 3
"""Choices in which a random pair differs: 8 plans at most, with its ends."""


def plans(model: str, draw: random.Random) -> Iterator[Question]:
    """Random legal plans."""
    while True:
        tp, cp, pp, ep = (draw.choice(values) for values in ((1, 2, 4, 8), (1, 1, 2), (1, 2, 4), (1, 2)))
        world, mbs, m = draw.choice((16, 32)), draw.choice((1, 2)), draw.choice((4, 12))
        sizes = f"world={world},tp={tp},cp={cp},pp={pp},ep={ep},mbs={mbs},gbs={m * 32},seq=4096"
        chosen = ",".join([sizes, *(c for c in CHOSEN[model] if draw.random() < 0.4)])
        asked = question(model, chosen, "h100_sxm")
        if not evaluator(asked.model, asked.plan.structure).broken(asked.plan.sizes):
            yield asked


def pairs(model: str, count: int, seed: int) -> Iterator[tuple[Question, Question]]:
    draw = random.Random(seed)
    found = plans(model, draw)
    pool = [next(found) for _ in range(60)]
    while count:
        first, second = draw.sample(pool, 2)
        values = first.plan.values, second.plan.values
        if sum(values[0][n] != values[1][n] for n in values[0] if n != "microbatches") <= MOST_DIFFERENT:
            yield first, second
            count -= 1


@pytest.mark.slow
@pytest.mark.parametrize("model", CHOSEN)
@pytest.mark.parametrize(("of", "count"), [(None, PAIRS // len(CHOSEN)), ("throughput.mfu * memory.peak", 3)])
def test_attributions_of_random_pairs_sum_to_the_whole_difference(model: str, of: str | None, count: int) -> None:
    """By terms and by choices, for time, memory and a quantity of a user, to 1e-9."""
    impossible = 0
    for first, second in pairs(model, count, seed=count):
        found = compare(first, second, parsed(of) if of is not None else None)
        impossible += found.impossible > 0
        assert len(found.differences) == (2 if of is None else 3)
        for difference in found.differences:
            size = max(abs(difference.first), abs(difference.second))
            near = max(1e-9 * abs(difference.change), 1e-15 * size)
            assert abs(math.fsum(p.change for p in difference.parts) - difference.change) <= near
            if difference.terms:
                assert abs(math.fsum(t.change for t in difference.terms) - difference.change) <= max(near, 1e-14 * size)
    assert impossible or count < 10


def pair(model: str, first: str, second: str, system: str | None = "h100_sxm") -> Comparison:
    return compare(question(model, first, system), question(model, second, system))


def parts(found: Comparison, name: str) -> dict[tuple[str, ...], float]:
    return {p.choices: p.change for p in found.difference(name).parts}


BASE = "world=16,tp=4,pp=2,gbs=32,seq=4096"


def test_exchanged_plans_turn_every_sign() -> None:
    other = "world=16,tp=2,pp=4,vp=2,gbs=32,seq=4096,recompute=full"
    there, back = pair("llama3_8b", BASE, other), pair("llama3_8b", other, BASE)
    for name in ("time.iteration", "memory.peak"):
        assert parts(there, name) == pytest.approx({n: -c for n, c in parts(back, name).items()}, rel=1e-12)
        assert there.difference(name).change == -back.difference(name).change


def test_of_two_choices_each_has_the_mean_of_being_first_and_last() -> None:
    found = pair("llama3_8b", BASE, f"{BASE},zero=2".replace("tp=4", "tp=2"))
    times = [
        compare(question("llama3_8b", BASE, "h100_sxm"), question("llama3_8b", plan, "h100_sxm"))
        .difference("time.iteration")
        .second
        for plan in (BASE, BASE.replace("tp=4", "tp=2"), f"{BASE},zero=2", f"{BASE},zero=2".replace("tp=4", "tp=2"))
    ]
    expected = ((times[1] - times[0]) + (times[3] - times[2])) / 2
    assert parts(found, "time.iteration")["tp",] == pytest.approx(expected, rel=1e-12)


def test_a_choice_without_effect_adds_nothing() -> None:
    """All-to-all or ring: the same where nothing is context-parallel."""
    found = pair("llama3_8b", BASE, f"{BASE},cp_comm=ring,zero=2")
    assert parts(found, "time.iteration")["cp_comm",] == 0
    assert parts(found, "time.iteration")["zero",] != 0


def test_what_follows_is_no_choice() -> None:
    """Interleaving follows from vp, gbs from micro-batches; both are told as what differs."""
    first = "world=16,tp=4,pp=2,microbatches=8,seq=4096"
    found = pair("llama3_8b", first, first.replace("tp=4", "tp=2") + ",vp=2")
    assert [c.name for c in found.choices] == ["tp", "vp"]
    assert {"schedule", "gbs", "dp"} <= {d["name"] for d in document(found)["differs"]}


def test_choices_that_mean_nothing_alone_go_together() -> None:
    plan = "world=16,cp=4,gbs=16,seq=8192"
    found = pair("llama3_8b", plan, f"{plan},cp_comm=a2a_ring,cp_a2a=2,zero=2")
    assert ("cp_comm", "cp_a2a") in found.attribution.groups and ("zero",) in found.attribution.groups
    assert document(found)["attribution"]["together"] == [["cp_comm", "cp_a2a"]]


def test_impossible_plans_between_are_refused_and_never_evaluated() -> None:
    """Eight GPUs cannot hold tp = 8 and pp = 8 at once."""
    found = pair("llama3_8b", "world=8,tp=8,gbs=8,seq=4096", "world=8,pp=8,gbs=8,seq=4096")
    assert (found.plans, found.impossible) == (1, 1)
    assert found.attribution.groups == (("tp",), ("pp",)) and found.attribution.orders == 1


def test_many_choices_are_changed_in_two_orders() -> None:
    first = "world=16,tp=2,ep=2,pp=2,mbs=2,gbs=64,seq=4096"
    second = "world=32,tp=4,cp=2,ep=4,pp=4,mbs=1,gbs=128,seq=8192,zero=2"
    found = pair("mixtral_8x7b", first, second, None)
    assert found.attribution.method == "two orders"
    assert len(document(found)["attribution"]["sequences"]) == 2
    assert found.plans <= 2 * len(found.choices)


def test_machines_are_compared_like_choices() -> None:
    first = question("llama3_8b", BASE, "h100_sxm")
    found = compare(first, question("llama3_8b", BASE.replace("tp=4", "tp=2"), "b200"))
    assert set(parts(found, "time.iteration")) == {("machine",), ("tp",)}
    faster = question("llama3_8b", f"{BASE},network.bandwidth=100 GB/s,hbm.bandwidth=5 TB/s", "h100_sxm")
    figures = parts(compare(first, faster), "time.iteration")
    assert set(figures) == {("network.bandwidth",), ("hbm.bandwidth",)} and all(c < 0 for c in figures.values())


def test_other_dimensions_are_one_choice() -> None:
    found = pair("llama3_8b", BASE, f"{BASE},layers=16,zero=2")
    assert set(parts(found, "memory.peak")) == {("model",), ("zero",)}
    assert document(found)["model"] is None


def test_without_a_machine_memory_is_compared() -> None:
    found = pair("llama3_8b", BASE, f"{BASE},zero=3", None)
    assert [d.name for d in found.differences] == ["memory.peak"]


def test_peaks_on_unlike_stages_still_sum() -> None:
    plan = "world=16,tp=4,pp=4,gbs=64,seq=4096"
    found = pair("llama3_8b", plan, f"{plan},recompute=full")
    assert found.first.fullest != found.second.fullest
    difference = found.difference("memory.peak")
    assert math.fsum(t.change for t in difference.terms) == pytest.approx(difference.change, rel=1e-12)


def test_alike_plans_differ_in_nothing() -> None:
    found = pair("llama3_8b", BASE, BASE)
    assert not found.choices and all(d.change == 0 for d in found.differences)
    assert document(found)["words"] == ["A and B take the same time for a step", "A and B have the same peak"]


def test_a_quantity_that_is_compared_anyway_is_compared_once() -> None:
    asked = question("llama3_8b", BASE, "h100_sxm")
    assert len(compare(asked, asked, parsed("memory.peak")).differences) == 2


def test_a_quantity_without_a_number_is_refused() -> None:
    asked = question("llama3_8b", BASE, "h100_sxm")
    with pytest.raises(InputError) as refused:
        compare(asked, replace(asked), parsed("1 / (pp - 2)"))
    assert refused.value.diagnostics[0].code == "E331"


@pytest.mark.parametrize(
    "plan",
    [
        "world=32,tp=2,pp=4,vp=2,microbatches=8,seq=4096,schedule=interleaved",
        "world=8,pp=4,gbs=32,seq=4096,schedule=zb_v",
        'world=8,gbs=32,seq=4096,layout="Et*4|(t*4|)*7L"',
        "world=16,cp=4,gbs=16,seq=8192,cp_comm=a2a_ring,cp_a2a=2,zero=3,zero_shard=2",
    ],
)
def test_what_is_stated_gives_the_plan_back(plan: str) -> None:
    asked = question("llama3_8b", plan, None)
    again = with_values(asked, stated(asked.plan, both_count_microbatches(asked.plan, asked.plan))).plan
    assert (again.values, again.structure, again.sizes) == (asked.plan.values, asked.plan.structure, asked.plan.sizes)


def test_json_has_every_field_of_its_page() -> None:
    found = document(pair("llama3_8b", BASE, BASE.replace("tp=4", "tp=2")))
    page = (Path(__file__).parents[2] / "docs" / "compare.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"`([\w.\[\]]+)`", page))
    json.dumps(found)

    def fields(value: Any, name: str) -> Iterator[str]:
        for key, inner in value.items():
            path = f"{name}{key}"
            if isinstance(inner, list) and inner and isinstance(inner[0], dict):
                yield f"{path}[]"
                yield from fields(inner[0], f"{path}[].")
            elif isinstance(inner, dict) and key not in ("strategy", "model"):
                yield path
                yield from fields(inner, f"{path}.")
            else:
                yield path

    assert set(fields(found, "")) <= documented
