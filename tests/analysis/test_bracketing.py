"""The extreme real number that satisfies: found wherever it is, and bounded work where there is none."""

from __future__ import annotations

import numpy as np
import pytest

from symsim.analysis.one_parameter import Sought
from symsim.analysis.solving.bracketing import EXACT, NARROW, bracket, halved
from symsim.analysis.solving.extreme import PARTS, MayHold
from symsim.diagnostics import InputError


def may(low: float, high: float) -> MayHold:
    """Bounds that are exact: a range may hold where it meets low..high."""
    return lambda begin, end: (end >= low) & (begin <= high)


@pytest.mark.parametrize("sought", ["largest", "smallest"])
@pytest.mark.parametrize(("low", "high"), [(3.0, 700.0), (1.0, 2.5), (999.5, 1000.0), (40.0, 40.1)])
def test_a_bracket_is_next_to_the_extreme_number(sought: Sought, low: float, high: float) -> None:
    found = bracket(1.0, 1000.0, sought, may(low, high), lambda x: (x >= low) & (x <= high))
    wanted, at_end = (high, high == 1000) if sought == "largest" else (low, low == 1)
    assert found is not None
    assert found.holds == pytest.approx(wanted, rel=NARROW)
    assert (found.fails is None) is at_end
    if found.fails is not None:
        assert found.fails == pytest.approx(wanted, rel=NARROW)
        assert not low <= found.fails <= high


def test_there_is_no_bracket_where_bounds_rule_everything_out() -> None:
    assert bracket(1.0, 1000.0, "largest", may(2000, 3000), lambda x: x > 2000) is None


def test_bounds_that_rule_nothing_out_are_given_up() -> None:
    looked = 0

    def never(values: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        nonlocal looked
        looked += 1
        return values < 0

    with pytest.raises(InputError) as problem:
        bracket(1.0, 1e9, "largest", may(0, 1e10), never)
    (said,) = problem.value.diagnostics
    assert (said.code, said.message) == ("E352", "more than 20,000 ranges would have to be looked at")
    assert looked <= 20_000 + PARTS


@pytest.mark.parametrize("limit", [3.0, 1e-30, 7.25e12])
def test_halving_ends_at_the_last_number_that_satisfies(limit: float) -> None:
    found = halved(limit / 2, limit * 2, lambda x: x <= limit)
    assert found <= limit
    assert found == pytest.approx(limit, rel=2 * EXACT)
