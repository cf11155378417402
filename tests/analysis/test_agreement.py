"""Errors in per cent, and the order of predictions."""

from __future__ import annotations

import pytest

from symsim.analysis.fitting.agreement import spearman, spearman_within, summary


def test_summary() -> None:
    assert summary([-2.0, 1.0, 4.0]) == {
        "n": 3, "mean_abs_pct": pytest.approx(7 / 3), "median_abs_pct": 2.0, "max_abs_pct": 4.0, "bias_pct": 1.0,
        "within_1_pct": pytest.approx(100 / 3), "within_5_pct": 100.0,
    }  # fmt: skip


def test_the_same_order_has_correlation_one_whatever_the_values() -> None:
    assert spearman([(1, 10), (2, 11), (30, 500)]) == pytest.approx(1)
    assert spearman([(1, 10), (2, 9), (30, -500)]) == pytest.approx(-1)


def test_two_neighbours_swapped_among_four() -> None:
    assert spearman([(1, 1), (2, 3), (3, 2), (4, 4)]) == pytest.approx(1 - 6 * 2 / (4 * 15))


def test_ties_take_their_mean_rank() -> None:
    assert spearman([(1, 1), (2, 2), (2, 3), (3, 4)]) == pytest.approx(4.5 / (4.5 * 5) ** 0.5)


def test_what_does_not_vary_has_no_order() -> None:
    assert spearman([(1, 1), (1, 2), (1, 3)]) is None


def test_only_cases_of_one_group_are_ordered() -> None:
    far_apart = [
        ("a", 1.0, 3.0),
        ("a", 2.0, 2.0),
        ("a", 3.0, 1.0),
        ("b", 101.0, 103.0),
        ("b", 102.0, 102.0),
        ("b", 103.0, 101.0),
    ]
    assert spearman_within(far_apart) == pytest.approx(-1)
    assert spearman_within(far_apart[:2]) is None


def test_larger_groups_weigh_more() -> None:
    rising = [("a", float(k), float(k)) for k in range(6)]
    falling = [("b", float(k), -float(k)) for k in range(3)]
    assert spearman_within(rising + falling) == pytest.approx((6 - 3) / 9)
