"""How sure it is that one of two plans is faster."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from symsim.analysis.fitting.error_bar import learned, shipped
from symsim.analysis.fitting.faster_of_two import correlation, ratio_error_pct, sure_faster, t_below
from symsim.analysis.fitting.plan_traits import traits_of
from symsim.language.figures import UNMEASURED
from symsim.loading.question import Question, question
from tests.errors.case import run

PLAN = "tp=8,pp=4,world=128,gbs=128,seq=8192"


def asked(*settings: str, model: str = "llama3_70b", system: str | None = "h100_sxm") -> Question:
    return question(model, PLAN, system, settings)


def sure(first: Question, second: Question, first_s: float = 1.0, second_s: float = 1.1) -> float:
    found = sure_faster(first, second, first_s, second_s)
    assert found is not None
    return found


def test_the_distribution_is_students() -> None:
    """With four degrees of freedom: the quantiles of its tables."""
    for x, probability in ((0.0, 0.5), (0.741, 0.75), (1.533, 0.9), (2.132, 0.95), (3.747, 0.99)):
        assert t_below(x) == pytest.approx(probability, abs=1e-4)
        assert t_below(-x) == pytest.approx(1 - probability, abs=1e-4)


def test_equal_times_are_a_toss() -> None:
    assert sure(asked(), asked("tp=4"), 1.0, 1.0) == 0.5


def test_both_ways_add_up_to_one() -> None:
    assert sure(asked(), asked("tp=4")) + sure(asked("tp=4"), asked(), 1.1, 1.0) == pytest.approx(1)


def test_a_larger_difference_is_surer() -> None:
    assert sure(asked(), asked("tp=4"), 1, 1.02) < sure(asked(), asked("tp=4"), 1, 1.1) < 1


def test_plans_that_hardly_differ_share_their_error() -> None:
    assert sure(asked(), asked("tp=4")) > sure(asked(), asked("tp=1", "pp=32", "recompute=full", "mbs=4"))
    numbers = learned()
    assert numbers is not None
    one = traits_of(asked())
    assert correlation(one, one, numbers) == numbers.shared > 0.5


def test_other_machines_and_models_share_none() -> None:
    assert sure(asked(), asked(system="b200")) < sure(asked(), asked("mbs=2"))


def test_a_machine_with_borrowed_kernels_is_less_surely_slower() -> None:
    borrowed = asked(system="tpu_v5p")
    assert borrowed.system is not None
    figures = {n: f for n, f in borrowed.system.figures.items() if n != UNMEASURED}
    told = replace(borrowed, system=replace(borrowed.system, figures=figures))
    assert 0.5 < sure(asked(), borrowed) < sure(asked(), told)


def test_shared_errors_cancel() -> None:
    assert ratio_error_pct(20, 20, 1) == pytest.approx(2**0.5)
    assert ratio_error_pct(20, 20, 0) == pytest.approx(802**0.5)


def test_without_a_machine_nothing_is_said() -> None:
    assert sure_faster(asked(system=None), asked(system=None), 1, 2) is None


def test_compare_says_how_sure() -> None:
    given = ("compare", "llama3_70b", "-s", PLAN, "-s", f"{PLAN},recompute=full", "-y", "h100_sxm")
    shown = run(*given).out
    assert " ".join(shown.split()).count("The order is more than 99 % sure.") == 1
    told = json.loads(run(*given, "--json").out)
    assert told["faster"]["plan"] == "A"
    assert told["faster"]["probability"] > 0.99
    assert "The order is more than 99 % sure." in told["verdict"]


def test_compare_says_what_is_too_close_to_call() -> None:
    given = ("compare", "llama3_70b", "-s", PLAN, "-s", f"{PLAN},vocab_multiple=1", "-y", "h100_sxm", "--json")
    told = json.loads(run(*given).out)
    assert told["faster"]["plan"] is None
    assert "Too close to call: " in told["verdict"]


def test_search_says_which_plans_are_as_good() -> None:
    space = "world=128,gbs=128,seq=8192,tp in {4, 8},pp in {2, 4, 8},mbs in {1, 2}"
    given = ("search", "llama3_70b", "-s", space, "-y", "h100_sxm")
    told = json.loads(run(*given, "--json").out)
    sures = [plan["best_is_faster"] for plan in told["plans"]]
    assert sures[0] is None
    assert all(0.5 <= s <= 1 for s in sures[1:])
    assert told["as_good"] == sum(s < 0.68 for s in sures[1:])
    assert "sure" in run(*given).out or "too close to call" in run(*given).out


def test_plans_not_ranked_by_time_have_no_surety() -> None:
    space = "world=128,gbs=128,seq=8192,tp in {4, 8},pp=4;minimize memory.peak"
    told = json.loads(run("search", "llama3_70b", "-s", space, "-y", "h100_sxm", "--json").out)
    assert told["plans"][1]["best_is_faster"] is None
    assert told["as_good"] is None
    assert shipped() is not None
