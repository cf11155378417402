"""Operations on arrays are those on numbers, and leave their arguments as they were."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from symsim.emit.grid.arithmetic import apply
from symsim.emit.grid.point_slices import _joined
from symsim.emit.grid.sampled_stages import Doubtful, Staged, plain

A = np.array([1.0, 2.5, -3.0, 4.0])
B = np.array([2.0, 2.5, 7.0, -1.0])
COLUMN = np.array([[3.0], [0.5]])

NUMBERS: dict[str, tuple[int, Callable[..., float]]] = {
    "add": (3, lambda *v: math.fsum(v)),
    "mul": (3, lambda *v: math.prod(v)),
    "div": (2, lambda a, b: a / b),
    "min": (3, min),
    "max": (3, max),
    "mod": (2, lambda a, b: a % b),
    "equal": (2, lambda a, b: float(a == b)),
    "less": (2, lambda a, b: float(a < b)),
    "at_most": (2, lambda a, b: float(a <= b)),
    "where": (3, lambda c, a, b: a if c else b),
    "floor": (1, math.floor),
    "ceil": (1, math.ceil),
}


def applied(operation: str, *arguments: Any) -> Any:
    return plain(apply(operation, arguments, None, lambda *_: None))


@pytest.mark.parametrize("operation", NUMBERS)
def test_an_operation_on_arrays_is_that_on_each_of_their_numbers(operation: str) -> None:
    count, expected = NUMBERS[operation]
    given = [A, B, A[::-1].copy()][:count]
    found = applied(operation, *given)
    assert found.tolist() == pytest.approx([float(expected(*row)) for row in zip(*given, strict=True)])
    assert found.dtype == np.float64


@pytest.mark.parametrize("operation", ["add", "mul", "min", "max"])
def test_arguments_broadcast_and_stay_as_they_were(operation: str) -> None:
    _, expected = NUMBERS[operation]
    given = [A.copy(), COLUMN.copy(), B.copy(), 2.0, COLUMN.copy()]
    found = applied(operation, *given)
    assert found.shape == (2, 4)
    assert found.tolist() == [
        pytest.approx([expected(a, c, b, 2.0, c) for a, b in zip(A, B, strict=True)]) for c in (3.0, 0.5)
    ]
    assert [given[0].tolist(), given[1].tolist(), given[2].tolist()] == [A.tolist(), COLUMN.tolist(), B.tolist()]


@pytest.mark.parametrize("exponent", [0, 1, 2, 3])
def test_powers(exponent: int) -> None:
    assert applied("pow", A, float(exponent)).tolist() == pytest.approx([a**exponent for a in A.tolist()])
    assert applied("pow", 3.0, float(exponent)) == 3.0**exponent


def test_powers_of_arrays_of_exponents() -> None:
    assert applied("pow", np.array([2.0, 3.0]), np.array([2.0, 3.0])).tolist() == [4.0, 27.0]


def test_where_takes_anything_but_zero_for_true() -> None:
    assert applied("where", np.array([-1.0, 0.0, 0.5]), 1.0, 2.0).tolist() == [1.0, 2.0, 1.0]


def test_an_operation_of_one_argument_is_that_argument() -> None:
    for operation in ("add", "mul", "min", "max"):
        assert applied(operation, A) is A


def test_slices_are_joined_along_the_points() -> None:
    found = _joined([(np.array([1.0, 2.0]), 2), (3.0, 3)])
    assert plain(found).tolist() == [1.0, 2.0, 3.0, 3.0, 3.0]


def test_a_number_of_every_slice_stays_one() -> None:
    assert _joined([(4.0, 2), (4.0, 3)]) == 4.0


def test_joined_slices_remember_which_points_are_in_doubt() -> None:
    doubtful = Doubtful(np.array([1.0, 2.0]), np.array([True, False]))
    found = _joined([(doubtful, 2), (np.array([3.0]), 1)])
    assert isinstance(found, Doubtful)
    assert (plain(found).tolist(), np.asarray(found.exact).tolist()) == ([1.0, 2.0, 3.0], [True, False, True])


def test_joined_slices_of_stages_are_of_stages() -> None:
    found = _joined([(Staged(np.ones((2, 3))), 3), (Staged(np.zeros((2, 1))), 1)])
    assert isinstance(found, Staged)
    assert plain(found).tolist() == [[1.0, 1.0, 1.0, 0.0]] * 2
