"""Sizes of a job that the user left out."""

from __future__ import annotations

import pytest

from symsim.analysis.job_size import STEP_TOKENS, USUAL_CONTEXT, usual_sequence, usual_step
from symsim.records.model import Model


def test_a_sequence_is_the_models_own_context() -> None:
    assert usual_sequence(Model("m", "", "llama", {"max_positions": 2048}))[0] == 2048
    assert usual_sequence(Model("m", "", "llama", {"max_positions": 0}))[0] == USUAL_CONTEXT


@pytest.mark.parametrize(("world", "seq", "gbs"), [(512, 4096, 1024), (8, 8192, 512), (8, 131072, 32), (7, 4096, 896)])
def test_a_step_has_about_four_million_tokens(world: int, seq: int, gbs: int) -> None:
    assert usual_step(world, seq)[0] == gbs


@pytest.mark.parametrize("world", range(1, 400, 7))
@pytest.mark.parametrize("seq", [1, 512, 4095, 8192, 10**6, 10**8])
def test_a_step_is_within_a_factor_of_two_of_that_as_far_as_sequences_allow(world: int, seq: int) -> None:
    gbs, _ = usual_step(world, seq)
    assert gbs >= 1
    assert gbs == 1 or 0.5 <= gbs * seq / STEP_TOKENS <= 2
