"""Regrouped sums are the same sums: fewer operations on large arrays, no other values."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.emit.code import compile_scalar
from symsim.emit.grid.sum_regrouping import regrouped
from symsim.emit.program import Instruction, Program


def program(*instructions: Instruction) -> Program:
    """Over pp, a, b: registers 0, 1, 2; the stage is 3; instructions fill 4, 5, …"""
    return Program("", ("pp", "a", "b"), instructions, {}, ())


def values(made: Program, registers: list[int]) -> tuple[Any, ...]:
    compiled = compile_scalar(made, registers)
    given = {"pp": 4, "a": 5.0, "b": 7.0}
    return compiled.run([given[n] for n in compiled.inputs], lambda *_: 0.0)


def test_few_axes_are_added_first() -> None:
    whole = program(("mul", 1, 2), ("mul", 2, 2), ("mul", 1, 1), ("add", 4, 5, 1, 6, 2))
    made, place = regrouped(whole, [7])
    assert values(made, [place[7]]) == values(whole, [7])
    sums = [made.operands(place[7])]
    assert all(len(read) == 2 for read in sums), "the last addition has one part with all axes"
    assert place[4] in sums[0]


def test_what_sums_share_is_added_once() -> None:
    whole = program(("mul", 1, 2), ("add", 1, 2, 4, 0), ("mul", 1, 1), ("add", 1, 2, 4, 6), ("add", 5, 7))
    made, place = regrouped(whole, [8])
    assert values(made, [place[8]]) == values(whole, [8])
    assert set(made.operands(place[5])) & set(made.operands(place[7]))


ITEMS: tuple[Instruction, ...] = (("mul", 3, 1), ("add", 3, 2), ("const", 2), ("add", 4, 5, 6))
"""Three items of a stage, and what it takes."""


@pytest.mark.parametrize("all_items", [True, False])
def test_all_items_of_the_slowest_stage_are_its_time(all_items: bool) -> None:
    picked: list[Instruction] = [("stage_pick", k, 7) for k in (4, 5, 6 if all_items else 5)]
    whole = program(*ITEMS, *picked, ("mul", 1, 8), ("add", 9, 10), ("mul", 1, 12), ("add", 11, 13, 2))
    made, place = regrouped(whole, [14])
    assert values(made, [place[14]]) == pytest.approx(values(whole, [14]))
    live = {made.instructions[k - made.register_of(0)][0] for k in made.leading_to(place[14]) if k > 3}
    assert ("stage_pick" in live) != all_items
    assert ("stage_max" in live) == all_items


def test_what_nobody_wants_is_left_out() -> None:
    whole = program(("mul", 1, 2), ("mul", 2, 2))
    made, place = regrouped(whole, [5])
    assert made.instructions == (("mul", 2, 2),)
    assert place[5] == 4
