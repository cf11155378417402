"""What signs tell of a program: what is never negative, and which way a number goes when others grow."""

from __future__ import annotations

import pytest

from symsim.emit.grid.sign_analysis import Signs
from symsim.emit.program import Instruction

INPUTS = 3
"""Registers 0 to 2 are sizes, 3 is the stage; instructions follow from register 4 on."""
A, B, C = range(INPUTS)
FIRST = INPUTS + 1


def signs(*instructions: Instruction) -> Signs:
    return Signs(instructions, INPUTS)


@pytest.mark.parametrize(("number", "known"), [(0, True), (2.5, True), (-1, False)])
def test_constants(number: float, known: bool) -> None:
    assert signs(("const", number)).not_negative(FIRST) is known


def test_sizes_and_the_stage_are_not_negative() -> None:
    assert all(signs().not_negative(register) for register in (A, B, C, INPUTS))


@pytest.mark.parametrize(
    ("instruction", "known"),
    [
        (("add", A, B), True),
        (("add", A, FIRST), False),
        (("mul", A, FIRST), False),
        (("div", A, B), True),
        (("div", A, FIRST), False),
        (("min", A, FIRST), False),
        (("max", A, FIRST), True),
        (("max", FIRST, FIRST), False),
        (("floor", A), True),
        (("mod", A, B), True),
        (("pow", A, B), True),
        (("log", A), False),
        (("less", FIRST, A), True),
        (("equal", FIRST, FIRST), True),
        (("where", FIRST, A, B), True),
        (("where", A, FIRST, B), False),
        (("where", A, B, FIRST), False),
        (("stage_sum", A), True),
        (("stage_max", FIRST), False),
        (("stage_pick", A, B), True),
        (("stage_pick", A, FIRST), False),
    ],
)
def test_what_is_made_of_sizes_and_of_a_negative_number(instruction: Instruction, known: bool) -> None:
    assert signs(("const", -1), instruction).not_negative(FIRST + 1) is known


def test_what_is_declared_is_known() -> None:
    made = signs(("const", -1), ("add", A, FIRST))
    made.declare([FIRST])
    assert made.not_negative(FIRST + 1)


@pytest.mark.parametrize(
    ("instruction", "way"),
    [
        (("add", A, B), 1),
        (("add", B, C), 0),
        (("max", A, FIRST), 1),
        (("mul", A, B), 1),
        (("mul", A, A), 1),
        (("mul", A, FIRST), None),
        (("div", A, B), 1),
        (("div", B, A), -1),
        (("div", FIRST, A), None),
        (("div", A, FIRST), None),
        (("div", A, A), None),
        (("mod", A, B), None),
        (("where", A, B, C), None),
        (("less", A, B), None),
        (("floor", A), 1),
    ],
)
def test_the_way_of_one_operation_when_its_first_size_grows(instruction: Instruction, way: int | None) -> None:
    assert signs(("const", -1), instruction).way(FIRST + 1, [A]) == way


def test_ways_follow_one_another() -> None:
    """b / a + c falls, 1 / (b / a) grows, and a less what falls is not known to go either way."""
    made = signs(("div", B, A), ("add", FIRST, C), ("div", B, FIRST + 1), ("add", A, FIRST))
    assert [made.way(register, [A]) for register in range(FIRST, FIRST + 4)] == [-1, -1, 1, None]


def test_what_leads_from_a_part_to_the_target_is_found_in_order() -> None:
    made = signs(("mul", A, B), ("add", B, C), ("add", FIRST, C), ("mul", FIRST + 2, FIRST + 1))
    assert made.above(FIRST + 3, [FIRST]) == [FIRST + 2, FIRST + 3]
    assert made.above(FIRST + 3, [A]) == [FIRST, FIRST + 2, FIRST + 3]
    assert made.above(FIRST + 1, [FIRST]) == []
