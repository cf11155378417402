"""Answers for real numbers, and answers that are none."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.quantities import parsed
from symsim.analysis.solving import solve as module
from symsim.analysis.solving.condition import conditions
from symsim.analysis.solving.plan_at_value import plan_at
from symsim.analysis.solving.solve import Solution, solve
from symsim.diagnostics import InputError
from symsim.language.figures import canonical
from symsim.loading.question import Question, question

PLAN = "world=64,tp=8,pp=2,mbs=1,gbs=64,seq=4096"


def asked(settings: tuple[str, ...] = (), model: str = "llama3_70b", plan: str = PLAN) -> Question:
    return question(model, plan, "h100_sxm", settings)


def now(asked: Question, name: str) -> float:
    return float(answer(asked.model, asked.plan, machine_of(asked)).values[name])


def solved(asked: Question, name: str, *texts: str, **options: Any) -> Solution:
    return solve(asked, name, [parsed(t) for t in texts], **options)


NO_FIT = "fit=none"

FIGURES = ("network.bandwidth", "nvlink.bandwidth", "matmul.bf16", "hbm.bandwidth", "framework.launch", "hbm.latency")


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("share", [0.97, 1.03])
def test_a_figure_is_solved_to_the_last_digits(name: str, share: float) -> None:
    """The time is met, and is not met a billionth further on."""
    question_ = asked()
    wanted = f"time.iteration <= {share * now(question_, 'time.iteration')!r}"
    found = solved(question_, name, wanted)
    if found.outcome == "nothing":
        assert found.neighbour is not None and not found.neighbour.satisfied
        return
    assert found.outcome == "found" and found.value is not None and found.neighbour is not None
    there = asked((found.setting.removeprefix("--set ").replace("'", ""),))
    assert now(there, "time.iteration") <= share * now(question_, "time.iteration") * (1 + 1e-12)
    assert found.neighbour.value == pytest.approx(found.value, rel=1e-8)
    assert not found.neighbour.satisfied


@pytest.mark.parametrize("name", FIGURES[:4])
def test_closed_form_and_bracketing_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = f"time.iteration <= {1.02 * now(asked(), 'time.iteration')!r}"
    closed = solved(asked(), name, wanted)
    monkeypatch.setattr(module, "inverse", lambda *_: None)
    bracketed = solved(asked(), name, wanted)
    assert (closed.method, bracketed.method) == ("closed form", "bracketing")
    assert closed.value == pytest.approx(bracketed.value, rel=1e-12)
    assert closed.inverse is not None and closed.inverse.residual < 1e-9


@pytest.mark.parametrize(("fit", "output"), [("device", "memory.device"), ("peak", "memory.peak")])
def test_the_memory_that_a_plan_needs_is_what_has_to_fit(fit: str, output: str) -> None:
    found = solved(asked((f"fit={fit}",)), "memory.capacity")
    assert found.value == pytest.approx(now(asked(), output), rel=1e-15)
    assert (found.sought, found.method) == ("smallest", "closed form")


def test_a_plan_has_to_fit_whatever_else_is_asked() -> None:
    """``fit = none`` drops that; then something else has to be asked for."""
    tokens = "throughput.tokens_per_s >= 1"
    assert solved(asked(), "mbs", tokens).value == solved(asked(), "mbs").value == 2
    assert solved(asked((NO_FIT,)), "mbs", tokens).value == 16
    with pytest.raises(InputError, match="there is fit = none and no --subject-to"):
        solved(asked((NO_FIT,)), "mbs")


def test_a_burden_is_sought_at_its_largest() -> None:
    wanted = f"time.iteration <= {1.05 * now(asked(), 'time.iteration')!r}"
    found = solved(asked(), "network.straggler", wanted)
    assert found.sought == "largest" and found.value is not None
    assert found.value > asked().system.figures["network.straggler"].value  # type: ignore[union-attr]


def test_a_count_of_the_machine_is_a_whole_number() -> None:
    found = solved(asked(), "gpus_per_node", f"time.iteration <= {now(asked(), 'time.iteration')!r}")
    assert found.value is not None and found.value == int(found.value)


def test_one_figure_may_stand_for_several_names() -> None:
    """``hbm.efficiency`` answers for every class of traffic without its own."""
    plan = question("llama3_70b", PLAN, "h100_sxm", ("hbm.efficiency=0.9",))
    found = solved(plan, "hbm.efficiency", f"time.iteration <= {1.001 * now(plan, 'time.iteration')!r}")
    assert found.value is not None and found.value < 0.9


def test_a_number_of_the_strategy_may_be_real() -> None:
    plan = asked(("moe_imbalance=1.5", NO_FIT), "mixtral_8x7b", "world=16,tp=2,ep=4,gbs=64,seq=4096")
    peak = now(plan, "memory.peak")
    found = solved(plan, "moe_imbalance", f"memory.peak <= {1.01 * peak!r}")
    assert found.sought == "largest" and found.value is not None and found.value > 1.5


# no answer


def test_where_nothing_satisfies_the_nearest_plan_says_what_fails() -> None:
    found = solved(asked(), "mbs", "time.iteration <= 1 ms")
    assert (found.outcome, found.value) == ("nothing", None)
    assert found.neighbour is not None and found.neighbour.checked[0].holds is False
    assert found.neighbour.checked[0].missing > 1


def test_where_no_value_is_legal_there_is_no_nearest() -> None:
    found = solved(asked(), "world", low=65, high=79)
    assert (found.outcome, found.at, found.neighbour) == ("nothing", None, None)


def test_there_is_no_largest_batch_where_memory_does_not_depend_on_it() -> None:
    found = solved(asked(), "gbs")
    assert (found.outcome, found.value, found.depends) == ("everything", None, True)
    unrelated = solved(asked((NO_FIT,)), "gbs", "weights <= 60 GiB")
    assert (unrelated.outcome, unrelated.depends) == ("everything", False)


def test_the_range_of_the_caller_is_an_end() -> None:
    found = solved(asked(), "gbs", high=99)
    assert (found.outcome, found.value, found.neighbour) == ("found", 96, None)


def test_the_divisors_of_a_batch_are_an_end() -> None:
    found = solved(asked((NO_FIT,)), "mbs", "memory.peak <= 100 TiB")
    assert (found.outcome, found.value, found.neighbour) == ("found", 16, None)


def test_smallest_bandwidth_for_a_memory_has_no_end() -> None:
    found = solved(asked(), "network.bandwidth", "memory.peak <= 80 GiB")
    assert (found.outcome, found.depends) == ("everything", False)


def test_a_gap_within_the_answer_is_told() -> None:
    found = solved(asked((NO_FIT,)), "seq", "seq <= 4096 or seq >= 8192", "seq <= 16384")
    assert (found.value, found.gap) == (16384, 8184)
    assert solved(asked(), "seq", "seq <= 16384").gap is None


def test_what_a_strategy_requires_always_holds() -> None:
    text = "strategy s\nworld = 64; tp = 8; pp = 2; mbs = 1; gbs = 64; seq = 4096\nrequire mbs * seq <= 8192\n"
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "s.sym")
        path.write_text(text)
        found = solve(question("llama3_70b", str(path), "h100_sxm"), "mbs")
    assert found.value == 2
    assert [c.text for c in found.at.checked] == ["memory.device <= memory.capacity", "mbs * seq <= 8192"]  # type: ignore[union-attr]


# what follows


def test_microbatches_follow_gbs_and_gbs_follows_microbatches() -> None:
    plan = question("llama3_8b", "world=8,tp=2,mbs=1,microbatches=16,seq=4096", "h100_sxm")
    found = solve(plan, "mbs")
    assert found.at is not None
    assert found.at.asked.plan.values["gbs"] == found.value * 4 * 16  # type: ignore[operator]
    fewest = solve(plan, "gbs", [parsed("gbs >= 30")], "smallest")
    assert fewest.value == 32 and fewest.setting == "--set microbatches=none --set gbs=32"


def test_dimensions_that_follow_are_those_of_set() -> None:
    """gpt3's feed-forward is four times its width, and its heads split the width."""
    plan = question("gpt3_175b", "world=64,tp=8,pp=8,mbs=1,gbs=64,seq=2048", "h100_sxm")
    found = solve(plan, "hidden")
    assert found.at is not None and found.value is not None
    dimensions = found.at.asked.model.dimensions
    assert (dimensions["ffn"], dimensions["head_dim"]) == (4 * found.value, found.value / 96)


def test_every_number_of_chunks_has_formulas_of_its_own() -> None:
    found = solve(asked(("pp=4",)), "vp", [parsed("time.bubble_share <= 0.05")], "smallest", high=5)
    assert found.value is not None and found.neighbour is not None
    assert found.value > found.neighbour.value


def test_a_default_has_formulas_of_its_own() -> None:
    """``vocab_multiple = 128`` is no symbol, any other value is."""
    found = solve(asked(), "vocab_multiple", [parsed("vocab_multiple <= 128")])
    assert (found.value, found.outcome) == (128, "found")


def test_conditions_may_be_about_each_stage() -> None:
    found = solved(asked(), "seq", "activations <= 20 GiB")
    assert found.at is not None and found.value is not None
    assert found.at.checked[0].left is None
    peak = solved(asked(), "seq", "max_stages(activations) <= 20 GiB")
    assert peak.value == found.value


# names


@pytest.mark.parametrize(
    ("name", "hint"),
    [("mbz", "mbs"), ("hiden", "hidden"), ("memory.capacty", "memory.capacity"), ("optimizer", "number")],
)
def test_a_wrong_name_has_a_hint(name: str, hint: str) -> None:
    with pytest.raises(InputError) as problem:
        solve(asked(), name)
    assert problem.value.diagnostics[0].code == "E350"
    assert hint in str(problem.value.diagnostics[0].hint)


def test_nvlink_is_the_link() -> None:
    assert canonical("nvlink.bandwidth") == "link.bandwidth"
    assert solved(asked(), "nvlink.bandwidth", "time.iteration <= 1000").about.name == "link.bandwidth"


def test_a_plan_at_a_value_is_the_plan_of_set() -> None:
    plan = asked()
    found = solve(plan, "seq", high=30_000)
    wanted = conditions(plan, ())
    assert found.value is not None
    at = plan_at(plan, found.about, wanted, found.value)
    assert at.asked.plan.values == asked((f"seq={found.value:.0f}",)).plan.values


def test_a_condition_that_divides_by_zero_does_not_hold() -> None:
    """At tp = 1 its side has no value; from tp = 2 on it holds."""
    plan = question("llama3_8b", "world=64,gbs=128,seq=4096,pp=2", "h100_sxm")
    nothing = solved(plan, "mbs", "1 / (tp - 1) <= 2", "mbs <= 4")
    assert nothing.outcome == "nothing"
    smallest = solved(plan, "tp", "1 / (tp - 1) <= 2", sought="smallest")
    assert smallest.at is not None and smallest.at.value == 2
