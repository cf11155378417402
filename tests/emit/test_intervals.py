"""Bounds hold what is evaluated, and close in on it."""

from __future__ import annotations

import random

import numpy as np
import pytest

from symsim.analysis.one_parameter import parameter
from symsim.analysis.quantities import parsed
from symsim.analysis.solving.break_even import QUANTITY, _with_quantity
from symsim.analysis.solving.formula_range import Array
from symsim.analysis.solving.parameter_ranges import ParameterRanges, parameter_ranges
from symsim.loading.question import question

PLANS = (
    ("llama3_8b", "world=16,tp=2,pp=2,mbs=1,gbs=64,seq=4096", "h100_sxm"),
    ("deepseek_v3", "world=64,pp=4,ep=16,mbs=1,gbs=64,seq=4096,first_stage_layers=16,last_stage_layers=15", "b200"),
    ("mixtral_8x7b", "world=32,tp=2,pp=2,vp=2,ep=4,mbs=1,gbs=96,seq=2048,recompute={layernorm},zero=2", "b200"),
)
NAMES = ("mbs", "seq", "gbs", "world", "network.bandwidth", "matmul.bf16", "hbm.bandwidth", "link.bandwidth")
QUANTITIES = ("memory.peak", "time.iteration", "throughput.mfu", "seq % 3000 + mbs")


def line_of(number: int, name: str, quantity: str) -> ParameterRanges:
    asked = question(*PLANS[number])
    wanted = parsed(quantity)
    return parameter_ranges(
        asked, parameter(asked, name), lambda program, names: _with_quantity(program, names, wanted)
    )


def points(plans: ParameterRanges, low: float, high: float) -> Array:
    """Legal values of a range."""
    if not plans.about.whole:
        return np.geomspace(low, high, 33)
    inside = np.arange(np.ceil(low), np.floor(min(high, low + 20_000)) + 1)
    return inside[plans.holds((), inside)][-64:]


@pytest.mark.parametrize("number", range(len(PLANS)))
@pytest.mark.parametrize("quantity", QUANTITIES)
def test_no_point_of_a_range_is_outside_of_its_bounds(number: int, quantity: str) -> None:
    draw = random.Random(f"{number} {quantity}")
    for name in NAMES:
        plans = line_of(number, name, quantity)
        now = plans.about.now or 64
        for _ in range(2):
            low = max(1.0, now * 2 ** draw.uniform(-4, 3))
            high = low * 2 ** draw.uniform(0.01, 5)
            values = points(plans, low, high)
            if not values.size:
                continue
            register = plans.ranges[0].program.outputs[QUANTITY].register
            (found,) = plans.ranges[0].run([register], values)
            (bound,) = plans.ranges[0].bounds_of([register], np.array([low]), np.array([high]))
            assert bound is not None
            slack = 1e-9 * np.abs(found)
            assert np.all((found >= bound.low - slack) & (found <= bound.high + slack)), (name, low, high)


@pytest.mark.parametrize("name", [n for n in NAMES if n != "world"])
def test_bounds_of_narrow_ranges_are_narrow(name: str) -> None:
    """Just below a plan: above one a message or a tile more may begin."""
    plans = line_of(0, name, "time.iteration")
    stretch, now = plans.ranges[0], np.array([plans.about.now])
    register = stretch.program.outputs[QUANTITY].register
    (value,) = stretch.run([register], now)
    (bound,) = stretch.bounds_of([register], now * (1 - 1e-10), now)
    assert bound is not None
    assert 0 <= bound.high[0] - bound.low[0] < 1e-6 * value[0]


def test_nothing_is_known_of_a_range_of_stages() -> None:
    """Each number of stages has formulas over as many of them."""
    stretch = line_of(0, "pp", "memory.peak").ranges[0]
    register = stretch.program.outputs[QUANTITY].register
    assert stretch.bounds_of([register], np.array([1.0]), np.array([4.0])) == [None]


def test_at_no_values_there_are_no_answers() -> None:
    (found,) = line_of(0, "mbs", "memory.peak").ranges[0].evaluate([QUANTITY], np.zeros(0))
    assert found.shape == (0,)
