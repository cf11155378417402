"""Choices of a strategy settled: what one of them means for the others."""

from __future__ import annotations

import pytest

from symsim.analysis.load import question
from symsim.diagnostics import InputError


def settled(choices: str) -> tuple[object, object]:
    """Schedule and chunks of a rank."""
    values = question("llama3_8b", f"world=8,pp=4,gbs=64,seq=4096,{choices}", None).plan.values
    return values["schedule"], values["vp"]


@pytest.mark.parametrize(
    ("choices", "schedule", "chunks"),
    [
        ("vp=1", "1f1b", 1),
        ("vp=2", "interleaved", 2),
        ("schedule=interleaved", "1f1b", 1),
        ("schedule=1f1b,vp=4", "interleaved", 4),
        ("schedule=zb_v", "zb_v", 2),
        ("schedule=zb_v,vp=2", "zb_v", 2),
        ("schedule=zb_h1", "zb_h1", 1),
    ],
)
def test_virtual_chunks_are_interleaved_and_zb_v_has_two(choices: str, schedule: str, chunks: int) -> None:
    assert settled(choices) == (schedule, chunks)


@pytest.mark.parametrize(
    ("choices", "said"),
    [
        ("schedule=zb_v,vp=4", "schedule = zb_v has two chunks per rank, not vp = 4"),
        ("schedule=zb_h1,vp=2", "schedule = zb_h1 has one chunk per rank, not vp = 2"),
        ("schedule=gpipe,vp=2", "schedule = gpipe has one chunk per rank, not vp = 2"),
    ],
)
def test_other_numbers_of_chunks_are_refused(choices: str, said: str) -> None:
    with pytest.raises(InputError) as problem:
        settled(choices)
    assert problem.value.diagnostics[0].message == said
