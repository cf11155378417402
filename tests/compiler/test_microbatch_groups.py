"""Interleaving takes micro-batches in groups, of which the last one may be shorter."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import answer
from symsim.diagnostics import InputError
from symsim.loading.question import question

ALIKE, UNLIKE = "llama3_8b", "gpt_oss_20b"
"""The second has layers with a window and layers without one in turn."""


def said(model: str, microbatches: int, group: int) -> str | None:
    """What is wrong with a plan of 4 stages."""
    asked = question(model, f"world=4,pp=4,vp=2,microbatches={microbatches},microbatch_group={group},seq=4096", None)
    try:
        answer(asked.model, asked.plan, None)
    except InputError as problem:
        return problem.diagnostics[0].message
    return None


@pytest.mark.parametrize("model", [ALIKE, UNLIKE])
def test_whole_groups_are_legal(model: str) -> None:
    assert said(model, 12, 6) is None


@pytest.mark.parametrize("model", [ALIKE, UNLIKE])
def test_a_short_group_of_at_least_the_stages_is_legal(model: str) -> None:
    assert said(model, 10, 6) is None
    assert "the last group has fewer than pp = 4" in (said(model, 9, 6) or "")
