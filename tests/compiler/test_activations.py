"""Saved bytes of every rank are those of its layers, embedding and head, run through the schedule pass by pass."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import Answer, evaluator
from symsim.loading.question import question
from symsim.simulator.held import held_while_running
from symsim.simulator.orders import ORDERS, interleaved
from symsim.simulator.passes import stage as place_of

MOE = (
    "moe(hidden=64, heads=8, vocab=1024, experts=8, topk=2, expert_ffn=64, dense_ffn=512, layers={layers},"
    "dense_layers={dense})"
)
LLAMA = "llama(hidden=64, heads=8, ffn=64, vocab=1024, layers={layers})"


def held(model: str, choices: str) -> tuple[dict[str, float], list[float]]:
    """What single units save, and the saved activations of every rank."""
    asked = question(model, f"world=48,seq=1024,{choices}", None)
    compiled = evaluator(asked.model, asked.plan.structure)
    assert not compiled.broken(asked.plan.sizes)
    values = compiled.scalar(asked.plan.sizes, None)
    return values, list(Answer(values, int(asked.plan.sizes["pp"])).of_stage("activations"))


def simulated(
    values: dict[str, float], schedule: str, sizes: list[int], dense: int, pp: int, m: int, group: int = 0
) -> list[float]:
    """``sizes``: layers of every stage of the pipeline, the first ``dense`` of all being dense."""
    single = "A" in values
    saved = [
        values["A"] if single else values[f"A_{'dense' if k < dense else 'moe'}_decoder"] for k in range(sum(sizes))
    ]
    starts = [sum(sizes[:k]) for k in range(len(sizes))]
    stage = [sum(saved[a : a + n]) for a, n in zip(starts, sizes, strict=True)]
    stage[0] += values["A_embedding"]
    stage[-1] += values["A_head"]
    turns = len(sizes) // pp
    chunks = 2 if schedule in ("zb_v", "dualpipe") else turns
    out = []
    for i in range(pp):
        in_turns = schedule == "interleaved"
        order = interleaved(pp, i, m, turns, group or pp) if in_turns else ORDERS[schedule](pp, i, m)
        own = [stage[place_of(schedule, pp, i, c)[1]] for c in range(chunks)]
        late = [0.0] * chunks
        if schedule in ("zb_h1", "zb_h2"):
            late = [sizes[i] * values["A.late"] + (values["A.late_head"] if i == pp - 1 else 0)]
        out.append(
            max(
                sum(n * size for n, size in zip(s, own, strict=True))
                + sum(n * size for n, size in zip(w, late, strict=True))
                for s, w in held_while_running(order, chunks)
            )
        )
    return out


@pytest.mark.parametrize("m", [1, 3, 4, 9, 16])
@pytest.mark.parametrize("schedule", ["1f1b", "gpipe", "zb_h1", "zb_h2", "zb_v"])
def test_layers_that_are_alike(schedule: str, m: int) -> None:
    values, found = held(LLAMA.format(layers=16), f"pp=4,schedule={schedule},microbatches={m}")
    sizes = [2] * 8 if schedule == "zb_v" else [4] * 4
    assert found == pytest.approx(simulated(values, schedule, sizes, 0, 4, m), rel=1e-12)


@pytest.mark.parametrize("m", [8, 10, 20])
def test_two_copies_of_the_model(m: int) -> None:
    values, found = held(LLAMA.format(layers=16), f"pp=4,schedule=dualpipe,microbatches={m}")
    assert found == pytest.approx(simulated(values, "dualpipe", [4] * 4, 0, 4, m), rel=1e-12)


@pytest.mark.parametrize("vp", [2, 3, 4])
@pytest.mark.parametrize(("m", "group"), [(4, 4), (8, 4), (20, 4), (10, 5), (11, 7), (14, 7), (16, 8), (13, 9)])
def test_virtual_chunks_that_are_alike(vp: int, m: int, group: int) -> None:
    choices = f"pp=4,vp={vp},microbatches={m}" + (f",microbatch_group={group}" if group != 4 else "")
    values, found = held(LLAMA.format(layers=8 * vp), choices)
    assert found == pytest.approx(simulated(values, "interleaved", [2] * (4 * vp), 0, 4, m, group), rel=1e-12)


@pytest.mark.parametrize(("m", "group"), [(4, 4), (8, 4), (12, 6), (24, 8)])
@pytest.mark.parametrize(("vp", "dense"), [(2, 1), (2, 5), (3, 3), (4, 9)])
def test_virtual_chunks_with_dense_layers_first(vp: int, dense: int, m: int, group: int) -> None:
    choices = f"pp=4,vp={vp},microbatches={m}" + (f",microbatch_group={group}" if group != 4 else "")
    values, found = held(MOE.format(layers=8 * vp, dense=dense), choices)
    assert found == pytest.approx(simulated(values, "interleaved", [2] * (4 * vp), dense, 4, m, group), rel=1e-12)


@pytest.mark.parametrize("dense", [1, 4])
@pytest.mark.parametrize(("schedule", "sizes"), [
    ("interleaved", [0, 3, 1, 1, 2, 2, 2, 0]),
    ("interleaved", [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 0]),
    ("interleaved", [4, 4, 4, 4, 0, 0, 0, 0]),
    ("zb_v", [3, 1, 0, 2, 2, 2, 1, 1]),
    ("dualpipe", [1, 3, 2, 2]),
    ("1f1b", [1, 3, 4, 0]),
])  # fmt: skip
def test_stages_written_out(schedule: str, sizes: list[int], dense: int) -> None:
    text = "E" + "|".join("t" * n for n in sizes) + "L"
    for model in (MOE.format(layers=sum(sizes), dense=dense), LLAMA.format(layers=sum(sizes))):
        values, found = held(model, f'pp=4,schedule={schedule},layout="{text}",microbatches=12')
        assert found == pytest.approx(simulated(values, schedule, sizes, dense, 4, 12), rel=1e-12)


def test_dense_first_under_gpipe_holds_every_micro_batch() -> None:
    values, found = held(MOE.format(layers=8, dense=1), "pp=4,schedule=gpipe,microbatches=6")
    assert found == pytest.approx(simulated(values, "gpipe", [2] * 4, 1, 4, 6), rel=1e-12)
