"""Error bars: from the nearest measured cases, wider the farther they are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from symsim.analysis.fitting.error_bar import SIZES, SMALLEST_PCT, Known, bar_of, distance, read, shipped, traits_of
from symsim.analysis.load import question
from tests.errors.case import run

PLAN = "tp=8,pp=4,world=128,gbs=128,seq=8192"
HERE = traits_of(question("llama3_70b", PLAN, "h100_sxm"))


def known(error_pct: float, **sizes: float) -> Known:
    """A case that differs from the plan in the logarithms of some sizes."""
    moved = tuple(s + sizes.get(n, 0.0) for n, s in zip(SIZES, HERE.sizes, strict=True))
    return Known("a", "g", error_pct, replace(HERE, sizes=moved))


def pct(*cases: Known) -> float:
    found = bar_of(HERE, cases)
    assert found is not None
    return found.pct


def test_a_size_doubled_is_a_distance_of_one() -> None:
    assert distance(HERE, known(0, seq=1).traits) == pytest.approx(1)
    assert distance(HERE, traits_of(question("llama3_70b", PLAN, "h100_sxm", ("seq=16384",)))) == pytest.approx(1)
    assert distance(HERE, known(0, seq=1, tp=-1).traits) == pytest.approx(2**0.5)


@pytest.mark.parametrize(
    ("settings", "far"),
    [("precision=fp8", 2), ("framework=nanotron", 3), ("recompute=full", 1), ("recompute={mlp}", 1)],
)
def test_other_choices_are_farther_than_sizes(settings: str, far: float) -> None:
    assert distance(HERE, traits_of(question("llama3_70b", PLAN, "h100_sxm", (settings,)))) == far


def test_another_machine_and_experts_are_farther() -> None:
    assert distance(HERE, traits_of(question("llama3_70b", PLAN, "b200"))) == 3
    assert HERE.words[-1] == "dense"
    assert traits_of(question("mixtral_8x7b", PLAN, "h100_sxm")).words[-1] == "moe"


def test_equally_near_cases_count_alike_whatever_their_sign() -> None:
    assert pct(known(3), known(-4)) == pytest.approx(12.5**0.5)


def test_the_nearer_case_decides() -> None:
    assert pct(known(3), known(30, seq=10)) == pytest.approx(3, rel=0.1)


def test_far_cases_widen_the_bar() -> None:
    assert pct(known(5, seq=3)) == pytest.approx(5 * 2**0.5)
    assert pct(known(5, seq=6)) > pct(known(5, seq=3)) > pct(known(5))


def test_no_bar_is_smaller_than_runs_differ() -> None:
    assert pct(known(0.1)) == SMALLEST_PCT


def test_nothing_measured_means_no_bar() -> None:
    assert bar_of(HERE, []) is None


def test_the_shipped_table_is_read_whole() -> None:
    assert len(shipped()) > 200
    assert len({k.id for k in shipped()}) == len(shipped())
    assert {"b200", "a100_sxm", "h100_sxm", "a100_pcie"} <= {k.traits.words[0] for k in shipped()}


def test_a_row_of_the_table() -> None:
    lines = ["# a comment", "id,set,group,error_pct,system,framework,precision,recompute,experts," + ",".join(SIZES),
             "x,s,7,-2.5,b200,megatron,bf16,none,dense,8,1,2,1,1,1,4096,8192,12"]  # fmt: skip
    (row,) = read(lines)
    assert (row.id, row.group, row.error_pct) == ("x", "7", -2.5)
    assert row.traits.words == ("b200", "megatron", "bf16", "none", "dense")
    assert row.traits.sizes[:3] == (3, 0, 1)


def test_a_measured_plan_is_its_own_nearest_case() -> None:
    case: Any = next(k for k in shipped() if k.id.startswith("b200-llama3_70b"))
    found = bar_of(case.traits, shipped())
    assert found is not None
    assert found.nearest[0][1] == 0


def test_eval_shows_the_bar_on_a_machine_alone() -> None:
    shown = run("eval", "llama3_70b", "-s", PLAN, "-y", "h100_sxm").out
    assert " % (nearest measured: " in shown
    assert "nearest measured" not in run("eval", "llama3_70b", "-s", PLAN).out
