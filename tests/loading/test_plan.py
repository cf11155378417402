"""Choices of a strategy settled: what one of them means for the others."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError
from symsim.loading.impossible_plans import nearest_legal
from symsim.loading.question import question


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


@pytest.mark.parametrize(
    ("legal", "found"),
    [
        ({4, 6, 7}, [4, 6]),
        ({5}, []),
        ({1, 3}, [3]),
        ({8}, [8]),
    ],
)
def test_the_nearest_legal_values_are_below_and_above(legal: set[int], found: list[int]) -> None:
    assert nearest_legal(5, legal.__contains__) == found


@pytest.mark.parametrize(
    ("below", "above"), [(1, 10**6 * 16), (2**19, 10**6 * 2), (2**10, 10**6 + 1), (10**6 - 1, 10**6 * 4)]
)
def test_far_off_powers_of_two_and_doublings_are_tried(below: int, above: int) -> None:
    assert nearest_legal(10**6, {below, above}.__contains__) == [below, above]


def test_no_size_below_one_is_tried() -> None:
    assert nearest_legal(4, lambda v: v < 1) == []
