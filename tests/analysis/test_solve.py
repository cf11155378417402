"""An answer satisfies, the next legal value does not: over random questions, against plans evaluated one by one."""

from __future__ import annotations

import random
from dataclasses import replace
from functools import cache
from typing import Any

import pytest

from symsim.analysis.evaluate import answer, evaluator, machine_of
from symsim.analysis.quantities import parsed
from symsim.analysis.solving.solve import Solution, solve
from symsim.diagnostics import InputError
from symsim.language import tree
from symsim.language.expressions import Plain, evaluate
from symsim.loading.question import Question, question

pytestmark = pytest.mark.slow

PLANS = (
    ("llama3_8b", "world=16,tp=2,pp=2,mbs=1,gbs=64,seq=4096", "h100_sxm"),
    ("llama3_70b", "world=64,tp=8,pp=4,mbs=1,microbatches=16,seq=8192", "h100_sxm"),
    ("mixtral_8x7b", "world=32,tp=2,ep=4,mbs=2,gbs=96,seq=2048,recompute={layernorm,moe_act}", "b200"),
    ("gemma3_27b", "world=32,tp=4,pp=2,mbs=1,gbs=48,seq=4096,zero=2", "h100_sxm"),
    ("gpt3_175b", "world=96,tp=8,pp=12,vp=2,mbs=1,gbs=96,seq=2048", "a100_sxm"),
    ("deepseek_v3", "world=64,pp=4,ep=16,mbs=1,gbs=64,seq=4096,first_stage_layers=16,last_stage_layers=15", "b200"),
)
SIZES = {
    "mbs": 64,
    "seq": 8_192,
    "gbs": 300,
    "microbatches": 64,
    "world": 1024,
    "tp": 64,
    "pp": 64,
    "ep": 64,
    "cp": 16,
}
DIMENSIONS = {"layers": 200, "ffn": 60_000, "heads": 256, "hidden": 16_384, "vocab": 400_000, "experts": 512}
COUNT = 500
FITS = parsed("memory.device <= memory.capacity")
"""Holds of every answer unless a strategy says otherwise."""


@cache
def asked_about(number: int) -> Question:
    return question(*PLANS[number])


@cache
def present(number: int) -> Any:
    asked = asked_about(number)
    return answer(asked.model, asked.plan, machine_of(asked)).values


def conditions_of(draw: random.Random, number: int) -> list[str]:
    """One or two conditions around what the plan has now."""
    now, near = present(number), draw.choice((0.5, 0.8, 0.95, 1.0, 1.1, 1.5, 2.5))
    one = f"memory.peak <= {near * now['memory.peak']:.0f}"
    several = (
        [one],
        [one, f"time.iteration <= {draw.choice((0.7, 1.2, 3.0)) * now['time.iteration']:.6g}"],
        [f"throughput.mfu >= {draw.choice((0.6, 0.9, 1.0)) * now['throughput.mfu']:.6g}"],
        [f"memory.peak + 2 GiB <= memory.capacity and mbs * seq <= {draw.choice((8192, 32768, 100000))}"],
        [f"weights + optimizer <= {draw.choice((10, 20, 40))} GiB"],
    )
    return draw.choices(several, (6, 2, 1, 2, 2))[0]


def at_value(number: int, name: str, value: float) -> Question | None:
    """The plan as a user would ask for it."""
    model, strategy, _ = PLANS[number]
    other = {"gbs": "microbatches", "microbatches": "gbs"}.get(name)
    chosen = ",".join(part for part in strategy.split(",") if part.partition("=")[0] != other)
    try:
        return replace(question(model, chosen, None, (f"{name}={value:.0f}",)), system=asked_about(number).system)
    except InputError:
        return None


def satisfied(number: int, name: str, value: float, wanted: list[tree.Expression]) -> bool | None:
    """What ``eval`` finds: ``None`` where the plan is not legal. Evaluated by the interpreter, not by the program."""
    asked = at_value(number, name, value)
    if (
        asked is None
        or asked.plan.structure["repeat_kv_heads"] != asked_about(number).plan.structure["repeat_kv_heads"]
    ):
        return None  # fewer key-value heads than ranks: other formulas, which solve does not look at
    try:
        compiled = evaluator(asked.model, asked.plan.structure)
    except InputError:
        return None
    if compiled.broken(asked.plan.sizes):
        return None
    assert asked.system is not None
    found = compiled.scalar(asked.plan.sizes, machine_of(asked))
    known: dict[str, Any] = {**asked.model.dimensions, **asked.plan.sizes}
    known |= {n: f.value for n, f in asked.system.figures.items()}
    stages = int(asked.plan.sizes["pp"])
    for stage in range(stages):
        here = {n: v[stage] if isinstance(v, list) else v for n, v in found.items()}
        if not all(evaluate(w, Plain({**known, **here})) for w in (*wanted, FITS)):
            return False
    return True


@pytest.mark.parametrize("chunk", range(10))
def test_the_answer_satisfies_and_the_next_legal_value_does_not(chunk: int) -> None:
    draw = random.Random(chunk)
    for _ in range(COUNT // 10):
        number = draw.randrange(len(PLANS))
        dimensions = [n for n in DIMENSIONS if n in asked_about(number).model.dimensions]
        name = draw.choice(list(SIZES)) if draw.random() < 0.985 else draw.choice(dimensions)
        texts = conditions_of(draw, number)
        sought = draw.choice(("largest", "smallest"))
        high = (SIZES | DIMENSIONS)[name]
        wanted = [parsed(t) for t in texts]
        found = solve(asked_about(number), name, wanted, sought, high=high)
        check(number, name, wanted, found, high, draw)


def check(
    number: int, name: str, wanted: list[tree.Expression], found: Solution, high: int, draw: random.Random
) -> None:
    where = f"{PLANS[number]} {name} {[w.place.source.text for w in wanted]} {found.sought}: {found.value}"
    if found.outcome == "nothing":
        for value in (1, found.about.now, *(draw.randint(1, high) for _ in range(2))):
            assert value is None or value > high or not satisfied(number, name, value, wanted), f"{where}, {value}"
        return
    assert found.outcome == "found" and found.value is not None, where
    assert satisfied(number, name, found.value, wanted), where
    step = 1 if found.sought == "largest" else -1
    end = high if found.sought == "largest" else 1
    if found.neighbour is not None:
        assert satisfied(number, name, found.neighbour.value, wanted) is False, where
        end = int(found.neighbour.value) - step
    between = range(int(found.value) + step, end + step, step)
    for value in draw.sample(between, min(2, len(between))):
        assert satisfied(number, name, value, wanted) is None, f"{where}, {value} is legal"
    beyond = range(int(found.value) + step, high + 1 if step > 0 else 0, step)
    for value in draw.sample(beyond, min(1, len(beyond))):
        assert not satisfied(number, name, value, wanted), f"{where}, {value} satisfies"
