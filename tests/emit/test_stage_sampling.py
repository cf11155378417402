"""Which stages of a long pipeline are sampled: both ends, corners, and both sides of where two lines cross."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from symsim.emit.grid.open_axes import Group, Sheet
from symsim.emit.program import Program

# Registers 0, 1 and 2 are pp, m and the stage; 5 is pp − i.
ON_STAGE = (("const", -1), ("mul", 3, 2), ("add", 0, 4))


def sampled(stages: int, microbatches: int, *instructions: tuple[Any, ...]) -> list[float]:
    program = Program("", ("pp", "m"), (*ON_STAGE, *instructions), {}, ())
    sheet = Sheet(program, {"pp": [stages], "m": [microbatches]}, lambda name, *sizes: np.nan)
    return np.unique(Group(sheet, (0,)).samples.at).tolist()


@pytest.mark.parametrize("stages", [5, 64, 1000])
def test_a_line_is_sampled_at_both_ends(stages: int) -> None:
    assert sampled(stages, 8, ("mul", 5, 1), ("stage_sum", 6)) == [0, stages - 1]


@pytest.mark.parametrize(("stages", "microbatches"), [(64, 8), (1000, 999), (16, 15)])
def test_a_crossing_is_sampled_on_both_sides(stages: int, microbatches: int) -> None:
    """min(m, pp − i) bends where pp − i falls to m."""
    at = sampled(stages, microbatches, ("min", 1, 5), ("stage_sum", 6))
    bend = stages - microbatches
    assert at[0] == 0 and at[-1] == stages - 1
    assert bend in at and {bend - 1, bend + 1} & set(at)
    assert len(at) <= 4


def test_a_corner_is_sampled() -> None:
    """[i = 0] stands out from the other stages."""
    at = sampled(64, 8, ("const", 0), ("equal", 2, 6), ("mul", 7, 1), ("stage_sum", 8))
    assert {0, 1, 63} <= set(at) and len(at) < 8


@pytest.mark.parametrize("stages", [1, 2, 4])
def test_of_few_stages_each_is_a_sample(stages: int) -> None:
    assert sampled(stages, 8, ("min", 1, 5), ("stage_sum", 6)) == list(range(stages))
