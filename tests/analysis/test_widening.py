"""What error bars hold of whole groups that were left out, from the shipped table of errors alone."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import replace

import pytest

from symsim.analysis.fitting.bar_coverage import by_set, covered, surety_of
from symsim.analysis.fitting.error_bar import Known, Table, bar_of, learned, shipped
from symsim.analysis.fitting.plan_traits import DIFFERENCES
from symsim.analysis.fitting.widening import SCHEMES, START, Held, LeftOut, as_learned

TABLE = shipped()
NUMBERS = learned()
assert TABLE is not None and NUMBERS is not None
VALUES = {
    **{f"weight.{n}": w for n, w in zip(DIFFERENCES, NUMBERS.weights, strict=True)},
    **{n: getattr(NUMBERS, n) for n in START if not n.startswith("weight.")},
}


@pytest.fixture(scope="module")
def left_out() -> LeftOut:
    assert TABLE is not None
    return LeftOut(TABLE.runs)


def held(left_out: LeftOut, scheme: str) -> list[Held]:
    """Every run's bar and error without its group, by the shipped numbers."""
    bars = left_out.bars(scheme, VALUES)
    return [
        Held(run, float(bar), left_out.error(scheme, run))
        for bar, point in zip(bars, left_out.points, strict=True)
        for run in point.runs
    ]


MISSED = pytest.mark.xfail(strict=True, reason="wanted, and not reached: docs/accuracy.md has the figures")


@pytest.mark.parametrize("scheme", ["layout", "set", pytest.param("framework", marks=MISSED), "system"])
def test_one_bar_holds_what_it_says_where_a_group_is_left_out(left_out: LeftOut, scheme: str) -> None:
    found = covered(held(left_out, scheme))
    assert found.runs > 500
    assert 0.60 <= found.one <= 0.76


@pytest.mark.parametrize("scheme", ["layout", "set", "framework", "system"])
def test_two_bars_hold_what_they_say_where_a_group_is_left_out(left_out: LeftOut, scheme: str) -> None:
    """With the shipped widening; learned without the group it is a few points less: docs/accuracy.md."""
    assert covered(held(left_out, scheme)).two >= 0.92


def test_bars_of_plans_that_somebody_measured_are_no_wider_than_their_errors(left_out: LeftOut) -> None:
    """The median bar against 1.6 times the median error; a normal distribution has 1.48."""
    assert covered(held(left_out, "layout")).width <= 1.6


def test_no_set_is_mostly_outside_its_bars(left_out: LeftOut) -> None:
    assert min(found.one for found in by_set(held(left_out, "layout")).values()) >= 0.45


@MISSED
def test_no_set_is_nearly_always_within_its_bars(left_out: LeftOut) -> None:
    assert max(found.one for found in by_set(held(left_out, "layout")).values()) <= 0.90


def test_eval_gives_the_bars_that_were_learned(left_out: LeftOut) -> None:
    """One formula, as arrays and for one plan."""
    assert TABLE is not None and NUMBERS is not None
    bars = left_out.bars("set", VALUES)
    for k in range(0, len(bars), 40):
        run = left_out.points[k].runs[0]
        others = Table.of(r for r in TABLE.runs if r.set != run.set)
        # What is left has the constants that were fitted to all.
        others = replace(others, runs=tuple(r for r in TABLE.runs if r.set != run.set))
        assert bar_of(run.traits, others, NUMBERS).pct == pytest.approx(bars[k], rel=1e-4)


@pytest.mark.parametrize(("low", "high"), [(0.8, 0.9), (0.9, 0.95), (0.95, 0.99), (0.99, 1.0)])
def test_what_is_said_of_an_order_is_right_as_often_as_it_says(left_out: LeftOut, low: float, high: float) -> None:
    assert NUMBERS is not None
    for scheme in ("layout", "set"):
        (found,) = (s for s in surety_of(held(left_out, scheme), NUMBERS) if s.low == low)
        assert found.high == high and found.pairs > 50
        assert found.right == pytest.approx(found.said, abs=0.08)


# Made-up errors: what is learned from them.


def made_up(error_of: dict[str, float], scatter: float) -> list[Known]:
    """The shipped runs, with an error that depends on their framework alone, and a scatter."""
    assert TABLE is not None
    out = []
    for k, run in enumerate(TABLE.runs):
        error = error_of[run.in_group("framework")] + scatter * math.sin(7.0 * k)
        out.append(replace(run, error_pct=error, left_out=dict.fromkeys(run.left_out, error)))
    return out


def median_bar(runs: Sequence[Known], scheme: str) -> float:
    table = Table.of(runs)
    left_out = LeftOut(table.runs)
    return statistics.median(left_out.bars(scheme, left_out.learn()).tolist())


@pytest.mark.slow
def test_errors_that_frameworks_share_make_bars_of_an_unseen_framework_wide() -> None:
    frameworks = {"megatron": 2.0, "nanotron": -20.0, "deepspeed": 25.0, "fsdp": -30.0, "internevo": 15.0}
    runs = made_up({**frameworks, "torchtitan": -10.0}, 1.0)
    assert median_bar(runs, "framework") > 10
    assert median_bar(made_up(dict.fromkeys([*frameworks, "torchtitan"], 0.0), 3.0), "framework") < 6


def test_learned_numbers_go_by_their_names() -> None:
    found = as_learned(VALUES, 0.9, 2.0)
    assert NUMBERS is not None
    assert found.weights == NUMBERS.weights and found.widening == NUMBERS.widening
    assert (found.shared, found.parting) == (0.9, 2.0)
    assert set(SCHEMES) == {"layout", "set", "framework", "system", "experts"}
