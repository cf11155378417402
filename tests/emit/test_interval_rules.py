"""The rule of each operation on intervals: what is inside of the arguments comes to what is inside of the result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.emit.grid.arithmetic import POINTWISE
from symsim.emit.intervals import _OPERATIONS, Bounds

POINTS = [o for o in sorted(POINTWISE) if o not in ("log", "pow")]


def box(low: float, high: float) -> Bounds:
    return Bounds(np.array([[low]]), np.array([[high]]))


def known(value: float) -> Bounds:
    array = np.array([[value]])
    return Bounds(array, array)


def ends(found: Bounds) -> tuple[float, float]:
    return float(np.ravel(found.low)[0]), float(np.ravel(found.high)[0])


def of(operation: str, *arguments: Bounds) -> tuple[float, float]:
    with np.errstate(all="ignore"):
        return ends(_OPERATIONS[operation](*arguments))


numbers = st.sampled_from([-3.0, -1.5, -1.0, 0.0, 0.5, 1.0, 2.0, 2.5, 7.0])
inside = st.tuples(numbers, numbers, numbers).map(sorted)
"""The lower end, a point, the upper end."""


@given(st.sampled_from(POINTS), st.tuples(inside, inside, inside))
def test_a_point_inside_comes_to_a_point_inside(operation: str, given: tuple[list[float], ...]) -> None:
    count = {"where": 3, "floor": 1, "ceil": 1}.get(operation, 2)
    low, high = of(operation, *(box(a, b) for a, _, b in given[:count]))
    with np.errstate(all="ignore"):
        value: Any = POINTWISE[operation](*(np.float64(x) for _, x, _ in given[:count]))
    assert not np.isfinite(value) or low <= value <= high


@given(st.sampled_from(POINTS), st.tuples(numbers, numbers, numbers))
def test_known_numbers_come_to_a_known_number(operation: str, given: tuple[float, ...]) -> None:
    arguments = given[: {"where": 3, "floor": 1, "ceil": 1}.get(operation, 2)]
    with np.errstate(all="ignore"):
        found = _OPERATIONS[operation](*map(known, arguments))
        value: Any = POINTWISE[operation](*(np.float64(x) for x in arguments))
    assert found.known
    assert float(found.low[0, 0]) == pytest.approx(float(value), nan_ok=True)


@pytest.mark.parametrize(
    ("operation", "arguments", "expected"),
    [
        ("add", (box(1, 2), box(10, 20)), (11, 22)),
        ("mul", (box(-1, 2), box(-10, 20)), (-20, 40)),
        ("mul", (box(-1, 0), box(0, np.inf)), (-np.inf, np.inf)),
        ("div", (box(1, 2), box(4, 8)), (0.125, 0.5)),
        ("div", (box(1, 2), box(-1, 8)), (-np.inf, np.inf)),
        ("div", (box(1, 2), box(0, 8)), (-np.inf, np.inf)),
        ("min", (box(1, 5), box(2, 3)), (1, 3)),
        ("max", (box(1, 5), box(2, 3)), (2, 5)),
        ("mod", (box(9, 10), known(4)), (1, 2)),
        ("mod", (box(9, 13), known(4)), (0, 4)),
        ("mod", (box(9.5, 10), box(4, 4.5)), (0.5, 2)),
        ("mod", (box(-3, -2), known(4)), (0, 4)),
        ("mod", (box(9, 10), box(0, 4)), (-np.inf, np.inf)),
        ("less", (box(1, 2), box(3, 4)), (1, 1)),
        ("less", (box(3, 4), box(1, 2)), (0, 0)),
        ("less", (box(1, 3), box(2, 4)), (0, 1)),
        ("equal", (box(1, 2), box(3, 4)), (0, 0)),
        ("equal", (box(1, 3), box(2, 4)), (0, 1)),
        ("where", (box(1, 2), box(5, 6), box(7, 8)), (5, 6)),
        ("where", (known(0), box(5, 6), box(7, 8)), (7, 8)),
        ("where", (box(0, 1), box(5, 6), box(7, 8)), (5, 8)),
        ("where", (box(-2, -1), box(5, 6), box(7, 8)), (5, 6)),
        ("floor", (box(1.5, 2.5),), (1, 2)),
        ("pow", (box(2, 3), known(2)), (4, 9)),
        ("pow", (box(-2, 3), known(2)), (-np.inf, np.inf)),
    ],
)
def test_bounds_are_as_narrow_as_the_ends_tell(
    operation: str, arguments: tuple[Bounds, ...], expected: tuple[float, float]
) -> None:
    assert of(operation, *arguments) == pytest.approx(expected)


STAGES = Bounds(np.array([[1.0, 5.0, 2.0]]), np.array([[2.0, 6.0, 4.0]]))


@pytest.mark.parametrize(
    ("operation", "low", "high"),
    [
        ("stage_sum", [8], [12]),
        ("stage_max", [5], [6]),
        ("sum_before", [0, 1, 6], [0, 2, 8]),
        ("max_to", [1, 5, 5], [2, 6, 6]),
        ("max_from", [5, 5, 2], [6, 6, 4]),
    ],
)
def test_reductions_and_scans_over_stages(operation: str, low: list[float], high: list[float]) -> None:
    found = _OPERATIONS[operation](STAGES)
    assert (np.ravel(found.low).tolist(), np.ravel(found.high).tolist()) == (low, high)


def test_a_pick_is_of_the_stages_whose_key_may_be_the_largest() -> None:
    """The second stage has the largest key for certain; with wider keys the third may have it too."""
    values = Bounds(np.array([[10.0, 20.0, 30.0]]), np.array([[11.0, 21.0, 31.0]]))
    assert of("stage_pick", values, STAGES) == (20, 21)
    wide = Bounds(STAGES.low, np.array([[2.0, 6.0, 5.5]]))
    assert of("stage_pick", values, wide) == (20, 31)
