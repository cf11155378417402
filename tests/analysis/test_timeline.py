"""A simulated step of real plans, beside their formulas."""

from __future__ import annotations

from itertools import pairwise

import pytest

import symsim.analysis.timeline
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.timeline import Timeline, shortened, timeline
from symsim.diagnostics import InputError
from symsim.loading.question import question

PLAN = "tp=8,pp=4,world=128,mbs=1,gbs=128,seq=8192"


def of(model: str, *choices: str, micro_batches: int | None = None) -> Timeline:
    asked = question(model, PLAN, "h100_sxm", choices)
    if micro_batches is not None:
        asked = shortened(asked, micro_batches)
    return timeline(asked, answer(asked.model, asked.plan, machine_of(asked)))


@pytest.mark.parametrize("recompute", ["none", "full"])
@pytest.mark.parametrize("schedule", ["1f1b", "gpipe"])
def test_the_simulated_step_is_the_formula(schedule: str, recompute: str) -> None:
    found = of("llama3_70b", f"schedule={schedule}", f"recompute={recompute}")
    assert found.pipeline_s == pytest.approx(found.formula_s, rel=1e-9)


@pytest.mark.parametrize(
    ("choices", "low", "high"),
    [
        (("vp=4",), -0.01, 1e-9),
        (("vp=4", "overlap_p2p=true"), -0.01, 1e-9),
        (("overlap_p2p=true",), -0.01, 1e-9),
        (("schedule=zb_h1",), -0.03, 0.03),
        (("schedule=zb_h2",), -0.03, 0.03),
        (("schedule=zb_v",), -0.03, 0.03),
        (("schedule=dualpipe",), 0, 0.06),
    ],
    ids=lambda c: "+".join(c) if isinstance(c, tuple) else "",
)
def test_the_formula_is_near_the_simulated_step(choices: tuple[str, ...], low: float, high: float) -> None:
    """The last stage, with the head, takes longer than the others."""
    found = of("llama3_70b", *choices)
    assert low <= found.formula_s / found.pipeline_s - 1 <= high


@pytest.mark.parametrize(
    "choices",
    [(), ("schedule=gpipe",), ("schedule=zb_h1",), ("schedule=zb_h2",), ("schedule=zb_v",), ("recompute=full",)],
    ids="+".join,
)
def test_each_rank_reaches_its_peak_and_no_more(choices: tuple[str, ...]) -> None:
    for rank in of("llama3_70b", *choices, micro_batches=16).ranks:
        assert max(held for _, held in rank.held) == pytest.approx(rank.peak_bytes, rel=1e-12)


def test_ranks_whose_chunks_differ_reach_their_peaks() -> None:
    for rank in of("deepseek_v3", "ep=8", "vp=4", 'layout="Et*4|(t*4|)*14tL"', micro_batches=8).ranks:
        assert max(held for _, held in rank.held) == pytest.approx(rank.peak_bytes, rel=1e-12)


def test_nothing_but_states_is_held_at_the_end() -> None:
    for rank in of("llama3_70b", "schedule=zb_v").ranks:
        assert rank.held[-1][1] == pytest.approx(rank.held[0][1], rel=1e-12)


def test_passes_of_a_rank_do_not_overlap() -> None:
    found = of("llama3_70b", "vp=2", "recompute=full", micro_batches=8)
    for i in range(4):
        own = sorted((s.start_s, s.end_s) for s in found.spans if s.rank == i and s.kind != "send")
        assert all(a[1] <= b[0] + 1e-12 for a, b in pairwise(own))


def test_what_is_recomputed_is_shown_before_the_backward_pass() -> None:
    found = of("llama3_70b", "recompute=full", micro_batches=4)
    again = {(s.rank, s.micro_batch): s.end_s for s in found.spans if s.kind == "recompute"}
    assert again == {(s.rank, s.micro_batch): s.start_s for s in found.spans if s.kind == "B"}


def test_the_number_of_micro_batches_can_be_chosen() -> None:
    assert of("llama3_70b", micro_batches=6).micro_batches == 6


def test_one_rank_never_waits() -> None:
    found = of("llama3_8b", "pp=1")
    assert found.waiting_share == pytest.approx(0, abs=1e-12)
    assert found.pipeline_s == pytest.approx(found.formula_s, rel=1e-12)


def test_only_backward_passes_compute_something_again() -> None:
    """Forward passes last as long as they do without recomputation, and nothing stands before them."""
    found = of("llama3_70b", "recompute=full")
    again = [span for span in found.spans if span.kind == "recompute"]
    backward = [span for span in found.spans if span.kind == "B"]
    starts = {(s.rank, s.chunk, s.micro_batch, s.end_s) for s in again}
    assert len(again) == len(backward)
    assert starts == {(s.rank, s.chunk, s.micro_batch, s.start_s) for s in backward}
    assert not any(span.kind == "recompute" for span in of("llama3_70b", "recompute=none").spans)


@pytest.mark.parametrize(
    "choices",
    [(), ("vp=4",), ("schedule=gpipe",), ("schedule=zb_h1",), ("schedule=zb_v",), ("schedule=dualpipe",)],
    ids="+".join,
)
def test_a_trace_that_is_refused_would_have_had_the_passes_that_are_named(
    choices: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = of("llama3_70b", *choices, micro_batches=8)
    passes = sum(span.kind not in ("send", "recompute") for span in whole.spans)
    monkeypatch.setattr(symsim.analysis.timeline, "MOST_PASSES", passes - 1)
    with pytest.raises(InputError) as problem:
        of("llama3_70b", *choices, micro_batches=8)
    said = problem.value.diagnostics[0].message
    assert said == f"a trace of this step has {passes} passes, more than {passes - 1}"
