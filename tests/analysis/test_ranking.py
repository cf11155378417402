"""The best plans and the front: the same in whatever order and portions points are offered."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.analysis.searching.ranking import Front, Ranking, rounded, undominated
from symsim.analysis.searching.search import front_value

LITTLE = 3e-13
"""Less than the digits that are compared can tell: scalars and arrays differ by so much."""


def offered(ranking: Ranking, *portions: list[tuple[float, int]]) -> Ranking:
    for portion in portions:
        values, points = zip(*portion, strict=True)
        ranking.offer(np.array([values], dtype=float), np.array(points, dtype=np.int64))
    return ranking


def test_of_equal_plans_the_first_is_kept_though_it_comes_later_and_is_a_rounding_error_dearer() -> None:
    best = offered(Ranking.empty(1, 1), [(1.0, 7)], [(1.0 + LITTLE, 3)])
    assert best.points.tolist() == [3]


def test_the_limit_is_the_worst_of_the_best_and_little_more() -> None:
    best = offered(Ranking.empty(2, 1), [(1.0, 0), (2.0, 1)])
    assert 2.0 + LITTLE < best.limit < 2.0 + 1e-9


def test_the_limit_of_a_negative_objective_is_above_it() -> None:
    """What is maximised is made small with its sign turned."""
    best = offered(Ranking.empty(1, 1), [(-2.0, 0)])
    assert -2.0 < best.limit < -2.0 + 1e-9


def test_there_is_no_limit_while_there_are_too_few() -> None:
    assert offered(Ranking.empty(2, 1), [(1.0, 0)]).limit == np.finfo(float).max


def test_a_limit_that_others_know_holds_too() -> None:
    class Shared:
        value = 1.5

    best = Ranking(2, np.empty((1, 0)), np.empty(0, dtype=np.int64), Shared())
    assert best.limit == 1.5
    offered(best, [(2.0, 0), (1.0, 1)], [(1.2, 2)])
    assert best.points.tolist() == [1, 2]
    assert Shared.value == 1.5 and best.shared.value == best.limit == pytest.approx(1.2)


def test_values_that_are_not_finite_are_no_plans() -> None:
    best = offered(Ranking.empty(4, 1), [(math.nan, 0), (math.inf, 1), (5.0, 2)])
    assert best.points.tolist() == [2]


def test_ties_of_the_last_place_are_counted() -> None:
    best = offered(Ranking.empty(5, 1), [(1.0, 0), (2.0, 1), (2.0 + 1e-10, 2), (2.1, 3)])
    assert (best.ties(1), best.ties(2), best.ties(3), best.ties(9)) == (1, 3, 3, 4)


def test_rounding_keeps_twelve_digits_and_what_is_no_number() -> None:
    found = rounded(np.array([1.0 + LITTLE, 123456.7890123456, 0.0, -3e-20 * (1 + LITTLE), math.inf]))
    assert found[0] == 1.0
    assert found[1] == pytest.approx(123456.789012, rel=1e-15)
    assert found[2] == 0.0
    assert found[3] == pytest.approx(-3e-20, rel=1e-15)
    assert math.isinf(found[4])


outcomes = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=30)


@given(outcomes, st.integers(2, 3))
def test_the_front_is_what_no_other_point_dominates(points: list[tuple[int, int, int]], values: int) -> None:
    rows = [point[:values] for point in points]
    front = Front.empty(values)
    for k in range(0, len(rows), 4):
        part = np.array(rows[k : k + 4], dtype=float).T
        front.offer(part, np.arange(k, k + part.shape[1]))
    first = {row: k for k, row in reversed(list(enumerate(rows)))}
    expected = {
        first[row]
        for row in first
        if not any(o != row and all(a <= b for a, b in zip(o, row, strict=True)) for o in rows)
    }
    assert set(front.points.tolist()) == expected


def test_a_point_that_is_best_in_the_third_value_alone_stays() -> None:
    ordered = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0], [9.0, 9.0, 1.0]])
    assert undominated(ordered).tolist() == [True, False, True]


def test_a_point_without_all_values_is_not_on_the_front() -> None:
    front = Front.empty(2)
    front.offer(np.array([[1.0, 0.5], [1.0, math.inf]]), np.array([0, 1]))
    assert front.points.tolist() == [0]


def test_portions_in_any_order_give_the_same_best() -> None:
    portions = [[(3.0, 5), (1.0, 4)], [(1.0, 2), (2.0, 6)], [(2.0, 1), (0.5, 9)]]
    found = {tuple(offered(Ranking.empty(3, 1), *order).points.tolist()) for order in itertools.permutations(portions)}
    assert found == {(9, 2, 1)}


@pytest.mark.parametrize(
    ("value", "sign"), [("throughput.mfu", -1), ("throughput.tokens_per_s", -1), ("memory.peak", 1), ("2 * tp", 1)]
)
def test_of_a_throughput_more_is_better_and_of_anything_else_less(value: str, sign: int) -> None:
    assert front_value(value)[1] == sign
