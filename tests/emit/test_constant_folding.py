"""What is known is put in, what is shared is there once, and what signs prove is a bound."""

from __future__ import annotations

from typing import Any

import pytest
import sympy

from symsim.emit.code import compile_scalar
from symsim.emit.grid.constant_folding import Folder, Known
from symsim.functions import less, maximum, minimum, table, where
from symsim.records.cost import Definition, Segment
from symsim.symbols import symbol

TP, PP, MBS, HBM = (symbol(n) for n in ("tp", "pp", "mbs", "hbm.bandwidth"))


def folder(**numbers: Any) -> Folder:
    return Folder(
        "", ["tp", "pp", "mbs"], {"hbm.bandwidth": 4.0, **numbers}, lambda name: 0.5 if name == "flat" else None
    )


def definition(name: str, expression: Any, scope: Any = "run") -> Definition:
    return Definition(name, sympy.sympify(expression), "", "", scope, "sizes")


def one(expression: Any, names: tuple[str, ...] = ()) -> tuple[Folder, Any]:
    made = folder()
    return made, made.define([Segment((definition("y", expression),), names)])["y"]


@pytest.mark.parametrize(
    ("expression", "number"),
    [
        (HBM * 3 + 2, 14.0),
        (where(less(HBM, 5), HBM, TP), 4.0),
        (TP * 0, 0),
        (maximum(HBM, 7), 7),
        (table(sympy.Symbol("flat"), TP) * 2, 1.0),
        (sympy.ceiling(HBM / 3), 2),
    ],
)
def test_what_is_known_is_a_number(expression: Any, number: float) -> None:
    _, found = one(expression)
    assert isinstance(found, Known)
    assert found.number == number


def test_a_factor_of_one_and_a_branch_not_taken_go() -> None:
    made, found = one(where(less(HBM, 5), TP * HBM / 4, MBS))
    assert not isinstance(found, Known)
    program = made.program()
    function = compile_scalar(program, [found])
    assert "mbs" not in function.inputs
    assert function.run([8], None)[0] == 8  # type: ignore[arg-type]


def test_a_segment_that_is_there_already_adds_nothing() -> None:
    made = folder()
    shared = Segment((definition("x", TP * MBS),), ("tp", "mbs"))
    first = made.define([shared, Segment((definition("y", symbol("x") + 1),), ("x",))])
    before = len(made.program().instructions)
    second = made.define([shared, Segment((definition("y", symbol("x") + 1),), ("x",))])
    assert first == second
    assert len(made.program().instructions) == before


def test_a_bound_leaves_out_what_is_not_negative() -> None:
    made = folder()
    part, rest = symbol("part"), symbol("rest")
    found = made.define(
        [
            Segment((definition("part", TP - MBS), definition("rest", TP * 3)), ("tp", "mbs")),
            Segment((definition("whole", 100 / (part + rest) + minimum(0, HBM)),), ("part", "rest", "hbm.bandwidth")),
        ]
    )
    whole, dear = int(found["whole"]), int(found["part"])  # type: ignore[arg-type]
    assert made.bound(whole, [dear], [dear], 1) is None
    bound = made.bound(whole, [dear], [dear], -1)
    assert bound is not None
    program = made.program()
    values = [compile_scalar(program, [r]) for r in (whole, bound)]
    exact, least = (f.run([{"tp": 8, "mbs": 2}[n] for n in f.inputs], None)[0] for f in values)  # type: ignore[arg-type]
    assert -least <= -exact


def test_no_bound_where_a_part_comes_in_both_ways() -> None:
    made = folder()
    part = symbol("part")
    found = made.define([Segment((definition("part", TP * 2), definition("whole", part + 9 / part)), ("tp",))])
    whole, dear = int(found["whole"]), int(found["part"])  # type: ignore[arg-type]
    assert made.bound(whole, [dear], [dear], 1) is None
