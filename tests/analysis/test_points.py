"""Rows of a table are points of a sheet: each column's distinct values, and where each row is among them."""

from __future__ import annotations

import numpy as np
import pytest

from symsim.analysis.points import WIDEST, _factorised


@pytest.mark.parametrize(
    "column",
    [
        [8.0, 1.0, 4.0, 1.0, 8.0],
        [5.0],
        [1.5, 1.25, 1.5, 1.0],
        [0.1, 0.1],
        [2.75, 0.25, 1.5],
        [1.0, 2.0 + WIDEST, 1.0],
        [3.0, WIDEST + 2.0, 3.0],
        [-2.0, 2.0],
    ],
)
def test_a_column_is_its_distinct_values_in_order_and_their_places(column: list[float]) -> None:
    axes, places = _factorised({"a": np.array(column)})
    assert axes["a"].tolist() == sorted(set(column))
    assert axes["a"][places["a"]].tolist() == column
