"""A search finds what evaluating every point one by one finds: the same plans, in the same order, the same front."""

from __future__ import annotations

import random

import pytest

from symsim.analysis.evaluate import Evaluator, evaluator
from symsim.analysis.quantities import asked_for, machine_for, parsed
from symsim.analysis.searching import feasible_points, pruning
from symsim.analysis.searching.ranking import rounded
from symsim.analysis.searching.search import Result, search
from symsim.analysis.searching.space import load_space
from symsim.diagnostics import InputError
from symsim.emit.grid import point_slices
from symsim.emit.grid.constant_folding import Folder
from symsim.loading.question import question
from tests.properties.points import CASES, Case, legal_sizes, load

pytestmark = pytest.mark.slow

MODELS = ("llama3_8b", "llama3_70b", "mixtral_8x7b", "qwen3_30b_a3b", "gemma3_27b", "gpt3_175b", "deepseek_v3")
SIZES = {
    "tp": ("{1, 2, 4, 8}", "{2, 8}"),
    "pp": ("{1, 2, 4}", "{1, 2, 3, 4, 8}", "divisors(layers)"),
    "cp": ("{1, 2}",),
    "vp": ("{1, 2}", "{1, 2, 4}"),
    "ep": ("{1, 2, 8}",),
    "mbs": ("{1, 2, 3}", "1..4"),
    "recompute": ("{none, full}", "{none, {core_attn}, {layernorm, mlp}}"),
    "recompute_layers": ("{none, 1, 2}",),
    "zero": ("{0, 1, 2, 3}",),
    "sequence_parallel": ("{true, false}",),
    "schedule": ("{1f1b, gpipe}", "{1f1b, zb_h1, interleaved}"),
    "overlap_grad_reduce": ("{true, false}",),
    "overlap_p2p": ("{true, false}",),
    "precision": ("{bf16, fp8}",),
    "network.bandwidth": ("{25 GB/s, 50 GB/s}",),
    "loss_in_split": ("{true, false}",),
}
REQUIRES = (
    "memory.peak <= 0.9 * memory.capacity",
    "tp <= gpus_per_node",
    "time.bubble_share < 0.3",
    "tp * cp <= 8 and pp > 1",
    "peak <= 70 GiB",
)
OBJECTIVES = (
    "minimize time.iteration",
    "maximize throughput.mfu",
    "minimize memory.peak",
    "minimize time.iteration * world",
)


def space(seed: int) -> tuple[str, str]:
    draw = random.Random(seed)
    model = draw.choice(MODELS)
    lines = [f"world = {draw.choice((16, 64))}", "gbs = 96" if draw.random() < 0.3 else "gbs = 128", "seq = 4096"]
    lines += [f"{name} in {draw.choice(SIZES[name])}" for name in draw.sample(sorted(SIZES), 4)]
    lines += [f"require {text}" for text in draw.sample(REQUIRES, draw.choice((0, 1, 2)))]
    return model, "\n".join([*lines, draw.choice(OBJECTIVES)])


def one_by_one(model: str, text: str, values: list[dict[str, str]]) -> list[tuple[int, float, tuple[float, float]]]:
    """Number, objective and front of every plan that is legal, meets what is required and fits."""
    fixed = [line for line in text.split("\n") if " in " not in line]
    goal = next(line for line in fixed if line.startswith(("minimize", "maximize")))
    given = [line for line in fixed if "=" in line and not line.startswith(("require", "minimize", "maximize"))]
    requires = [line.removeprefix("require ") for line in fixed if line.startswith("require")]
    out = []
    lowered: dict[int, Evaluator] = {}
    for number, chosen in enumerate(values):
        choices = ",".join(
            [
                *(line.replace(" ", "") for line in given),
                *(f"{n}={v}" for n, v in chosen.items() if v != "none" or n == "recompute"),
            ]
        )
        try:
            asked = question(model, choices, "h100_sxm")
            compiled = evaluator(asked.model, asked.plan.structure)
        except InputError:
            continue
        if compiled.broken(asked.plan.sizes):
            continue
        wanted = {"goal": goal.split(" ", 1)[1], "time": "time.iteration", "memory": "memory.peak"}
        wanted |= {f"require{k}": t for k, t in enumerate([*requires, "memory.device <= memory.capacity"])}
        if id(compiled) not in lowered:
            lowered[id(compiled)] = Evaluator(
                asked_for(asked, compiled.program, {n: parsed(t) for n, t in wanted.items()})
            )
        whole = lowered[id(compiled)]
        found = whole.scalar(asked.plan.sizes, machine_for(asked.system, whole.program))
        if all(found[n] for n in wanted if n.startswith("require")):
            sign = -1 if goal.startswith("maximize") else 1
            out.append((number, sign * float(found["goal"]), (float(found["time"]), float(found["memory"]))))
    return out


@pytest.mark.parametrize("seed", range(20))
def test_search_is_every_point_evaluated(seed: int) -> None:
    import numpy as np

    model, text = space(seed)
    strategy = text.replace("\n", ";")
    found_space = load_space(model, strategy, "h100_sxm")
    values = []
    for number in range(found_space.points):
        chosen = found_space.choices(number)
        values.append({n: _text(v) + (" B/s" if "." in n else "") for n, v in chosen.items()})
    expected = one_by_one(model, text, values)
    try:
        result = search(found_space, top=7, pareto=("time.iteration", "memory.peak"))
    except InputError:
        assert not expected
        return
    assert result.feasible == len(expected)
    assert result.points == result.legal + sum(result.removed.values()) - (result.legal - result.feasible)
    best: dict[tuple[float, ...], int] = {}
    key = lambda e: tuple(float(v) for v in rounded(np.array([e[1], *e[2]])))  # noqa: E731
    for entry in expected:
        best.setdefault(key(entry), entry[0])
    order = [n for _, n in sorted(((k, n) for k, n in best.items()))[:7]]
    assert [p.point for p in result.plans] == order
    # Without a front, points are dropped whose bound is behind.
    bounded = search(found_space, top=7)
    assert [p.point for p in bounded.plans] == order
    assert (bounded.legal, bounded.feasible, bounded.removed) == (result.legal, result.feasible, result.removed)
    pairs = {tuple(float(v) for v in rounded(np.array(e[2]))) for e in expected}
    front = {p for p in pairs if not any(q != p and q[0] <= p[0] and q[1] <= p[1] for q in pairs)}
    assert result.front is not None
    assert {tuple(float(v) for v in rounded(np.array(f.front))) for f in result.front} == front


def _text(value: object) -> str:
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(value)) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return "none" if value is None else str(value)


def test_bounds_drop_most_plans_and_none_of_the_best() -> None:
    choices = (
        "world=64,gbs=256,seq=4096,tp in {1,2,4,8},cp in {1,2},pp in {1,2,4,8},mbs in {1,2,4,8},zero in {1,2},"
        "overlap_grad_reduce in {true,false},overlap_p2p in {true,false},recompute in {none,full}"
    )
    found_space = load_space("llama3_8b", choices, "h100_sxm")
    whole = search(found_space, top=5, pareto=("time.iteration", "memory.peak"))
    bounded = search(found_space, top=5)
    assert [p.point for p in bounded.plans] == [p.point for p in whole.plans]
    assert whole.bounded == 0
    assert bounded.bounded > bounded.feasible / 2


def test_the_best_of_many_ties_does_not_depend_on_how_many_are_asked_for() -> None:
    """Of plans with the same objective the fastest is first, then the one that holds least."""
    text = (
        "world=64;seq=4096;precision in {bf16,fp8};gbs in {96,128};memory.capacity in {40 GiB,80 GiB,20 GiB};"
        "tp in {1,2,4,8};zero in {2,3};zero_shard in {2,4,8};minimize time.bubble_share"
    )
    tied = load_space("llama3_8b", text, "h100_sxm")
    longest = search(tied, top=100).plans
    outcomes = [(p.answer.values["time.iteration"], p.answer.values["memory.peak"]) for p in longest]
    assert outcomes == sorted(outcomes)
    for top in (1, 7, 40):
        assert [p.point for p in search(tied, top=top).plans] == [p.point for p in longest[:top]]


@pytest.mark.parametrize("expression", ["1/(tp-1)", "memory.peak/(pp-pp)"])
def test_an_objective_without_a_value_is_an_error(expression: str) -> None:
    text = f"world=64;gbs=128;seq=4096;pp in {{2,4}};minimize {expression}"
    with pytest.raises(InputError, match="no finite value") as raised:
        search(load_space("llama3_8b", text, "h100_sxm"))
    assert raised.value.diagnostics[0].code == "E331"
    assert raised.value.diagnostics[0].place is not None


def test_a_requirement_that_divides_by_zero_is_not_met() -> None:
    text = "world=64;gbs=128;seq=4096;pp in {2,4};require 1/(tp-1) <= 2"
    found = search(load_space("llama3_8b", text, "h100_sxm"))
    assert (found.legal, found.feasible) == (2, 0)


BOXED = (
    "world=256,gbs=512,seq=4096,tp in {1,2,4,8},cp in {1,2},pp in {1,2,4,8},mbs in {1,2,4,8},zero in {1,2,3},"
    "zero_shard in {none,2,4,8,16},recompute in {none,full}"
)


def test_boxes_decide_what_points_decide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where memory changes one way along an axis, its ends tell of all plans between: counts and answers stay."""
    found_space = load_space("llama3_70b", BOXED, "h100_sxm")
    asked_one_by_one: list[int] = []
    original = feasible_points._one_by_one
    monkeypatch.setattr(
        feasible_points,
        "_one_by_one",
        lambda rows, removed: [asked_one_by_one.append(len(rows)), original(rows, removed)][1],
    )
    boxed = search(found_space, top=9)
    in_boxes = sum(asked_one_by_one)
    asked_one_by_one.clear()
    monkeypatch.setattr(Folder, "boxes", lambda *_: [])
    plain = search(found_space, top=9)
    assert 0 < boxed.feasible < boxed.legal
    assert in_boxes < 0.8 * sum(asked_one_by_one)
    assert _summary(boxed) == _summary(plain)


def test_slices_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Points are computed a few thousand at a time; here a handful, with what they share told apart at once."""
    found_space = load_space("llama3_70b", BOXED, "h100_sxm")
    whole, front = search(found_space, top=9), search(found_space, top=9, pareto=("time.iteration", "memory.peak"))
    monkeypatch.setattr(point_slices, "SLICE", 37)
    monkeypatch.setattr(point_slices, "MANY", 4)
    monkeypatch.setattr(pruning, "SLICE", 53)
    assert _summary(search(found_space, top=9)) == _summary(whole)
    again = search(found_space, top=9, pareto=("time.iteration", "memory.peak"))
    assert _summary(again) == _summary(front)
    assert front.front is not None and again.front is not None
    assert [f.point for f in again.front] == [f.point for f in front.front]


def _summary(result: Result) -> tuple[object, ...]:
    return result.legal, result.feasible, dict(result.removed), [(p.point, p.objective) for p in result.plans]


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.model)
def test_what_counts_elements_is_never_negative(case: Case) -> None:
    """Boxes rest on it."""
    asked, compiled, _ = load(case, None)
    counts = [n for n, output in compiled.program.outputs.items() if output.unit == "elements"]
    assert counts
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), 20, seed=5):
        values = compiled.scalar(sizes, None)
        for name in (n for n in counts if n in values):
            value = values[name]
            assert min(value if isinstance(value, list) else [value]) >= 0, name
