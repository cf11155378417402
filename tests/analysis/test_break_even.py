"""Where the order of two strategies changes, against both evaluated value by value."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from symsim.analysis.evaluate import evaluator, machine_of
from symsim.analysis.quantities import parsed
from symsim.analysis.solving.break_even import BreakEven, break_even
from symsim.diagnostics import InputError
from symsim.loading.question import question

MODEL = "llama3_70b"
WIDE = "world=64,tp=8,pp=2,mbs=1,gbs=256,seq=4096"
DEEP = "world=64,tp=4,pp=4,mbs=1,gbs=256,seq=4096"
AGAIN = "world=64,tp=8,pp=2,mbs=1,gbs=256,seq=4096,recompute=full"


def compared(first: str, second: str, name: str, of: str = "time.iteration", **ends: float) -> BreakEven:
    return break_even(question(MODEL, first, "h100_sxm"), question(MODEL, second, "h100_sxm"), name, parsed(of), **ends)


def value(plan: str, setting: str, of: str) -> float | None:
    asked = question(MODEL, plan, "h100_sxm", (setting,))
    compiled = evaluator(asked.model, asked.plan.structure)
    if compiled.broken(asked.plan.sizes):
        return None
    return float(compiled.scalar(asked.plan.sizes, machine_of(asked))[of])


@pytest.mark.parametrize(("name", "of", "high"), [("gbs", "time.iteration", 96), ("mbs", "time.iteration", 64)])
def test_whole_numbers_change_their_order_between_neighbours(name: str, of: str, high: int) -> None:
    found = compared(WIDE, DEEP, name, of, low=1, high=high)
    orders = []
    for number in range(1, high + 1):
        one, other = value(WIDE, f"{name}={number}", of), value(DEEP, f"{name}={number}", of)
        if one is not None and other is not None:
            orders.append((number, "first" if one < other else "second"))
    changes = [(a[0], b[0], a[1], b[1]) for a, b in pairwise(orders) if a[1] != b[1]]
    assert [(c.below, c.above, c.less_below, c.less_above) for c in found.crossings] == changes
    assert changes and found.less == orders[0][1]


def test_a_real_number_is_where_both_are_equal() -> None:
    """Few stages reduce more gradients over the network, many stages wait longer; the times are rational in between."""
    flat, deep = (f"world=64,tp=8,pp={pp},mbs=1,gbs=64,seq=4096" for pp in (1, 4))
    found = compared(flat, deep, "network.bandwidth", low=1e10, high=1e12)
    (crossing,) = found.crossings
    assert (crossing.less_below, crossing.less_above, crossing.method) == ("second", "first", "closed form")
    assert crossing.below == crossing.above
    row = next(r for r in found.values if r[0] == crossing.below)
    assert row[1] == pytest.approx(row[2], rel=1e-12)


def test_a_plan_that_computes_more_never_catches_up() -> None:
    found = compared(WIDE, AGAIN, "matmul.bf16")
    assert (found.less, found.crossings) == ("first", ())
    less_memory = compared(WIDE, AGAIN, "seq", "memory.peak")
    assert (less_memory.less, less_memory.crossings) == ("second", ())


def test_the_same_plan_is_equal_everywhere() -> None:
    assert compared(WIDE, WIDE, "network.bandwidth").less == "equal"
    same = compared(WIDE, WIDE, "gbs", low=1, high=100)
    assert (same.less, same.crossings) == ("equal", ())


def test_a_quantity_may_be_any_expression() -> None:
    found = compared(WIDE, DEEP, "seq", "memory.peak - 10 GiB", low=1024, high=16384)
    assert len(found.values) >= 2
    assert np.all(np.isfinite(found.values))


def test_plans_that_are_never_legal_together_have_no_order() -> None:
    found = compared(WIDE, "world=64,tp=4,pp=5,mbs=1,gbs=256,seq=4096", "world", low=1, high=10)
    assert (found.less, found.crossings, found.values) == (None, (), ())


def test_a_condition_is_no_quantity() -> None:
    with pytest.raises(InputError) as problem:
        compared(WIDE, DEEP, "gbs", "memory.peak <= 80 GiB")
    assert problem.value.diagnostics[0].code == "E207"


def test_quantities_without_bound_are_equal_where_both_are() -> None:
    """A network without messages of a kind has no fixed cost of them: the quotient is infinite for both."""
    found = compared(WIDE, AGAIN, "network.bandwidth", "hbm.bandwidth / network.reduce_scatter.fixed")
    assert found.less in ("equal", None)
