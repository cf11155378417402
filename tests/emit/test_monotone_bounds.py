"""Both ends of a box: never above and never below any plan in it."""

from __future__ import annotations

import itertools
import math
import random
from typing import Any

import pytest

from symsim.emit.code import compile_scalar
from symsim.emit.grid.constant_folding import Folder

AXES = {"pp": (1,), "a": (1, 2, 5), "b": (2, 3, 7)}
PP, A, B = range(3)


def folder() -> Folder:
    return Folder("", list(AXES), {}, lambda name: None)


def ends(made: Folder, target: Any, counts: tuple[int, ...] = (), along: str = "ab") -> list[tuple[int, int]]:
    return made.boxes([made.register(target)], counts, {n: AXES[n] for n in along})


def value(made: Folder, register: int, a: int, b: int) -> Any:
    compiled = compile_scalar(made.program(), [register])
    given = {"pp": 1, "a": a, "b": b}
    try:
        return compiled.run([given[n] for n in compiled.inputs], lambda *_: 0.0)[0]
    except ZeroDivisionError:
        return math.inf


@pytest.mark.parametrize("seed", range(40))
def test_no_plan_is_outside(seed: int) -> None:
    """Random formulas of sums, products, quotients, extremes, comparisons and choices."""
    draw = random.Random(seed)
    made = folder()
    parts: list[Any] = [A, B, made.emit("const", 3), made.emit("const", -2)]
    for _ in range(12):
        operation = draw.choice(["add", "mul", "min", "max", "div", "less", "at_most", "ceil", "where"])
        count = {"ceil": 1, "where": 3}.get(operation, 2)
        parts.append(made.emit(operation, *draw.choices(parts, k=count)))
        target = parts[-1]
        boxes = ends(made, target)
        if isinstance(target, int) and boxes:
            (high, low), register = boxes[0], made.register(target)
            for a, b in itertools.product(AXES["a"], AXES["b"]):
                assert value(made, low, a, b) <= value(made, register, a, b) <= value(made, high, a, b)


def test_ends_are_reached_where_all_parts_go_one_way() -> None:
    """9/min(a, 4) + 12 falls in a: its ends are its values at both ends."""
    made = folder()
    shard = made.emit("min", A, made.emit("const", 4))
    target = made.emit("add", made.emit("div", made.emit("const", 9), shard), made.emit("const", 12))
    ((high, low),) = ends(made, target)
    assert (value(made, high, 2, 3), value(made, low, 2, 3)) == (21, 14.25)


def test_no_box_where_what_is_counted_depends_on_the_axis() -> None:
    """At the ends of the axis there may be no plan, and a number of layers may be negative."""
    made = folder()
    layers = made.emit("add", made.emit("const", 3), made.emit("mul", made.emit("const", -1), A))
    condition = made.emit("less", layers, B)
    assert ends(made, condition, (made.register(layers),), along="a") == []
    ((high, low),) = ends(made, condition, (made.register(layers),), along="b")
    assert (value(made, high, 1, 2), value(made, low, 1, 2)) == (1, 0)


def test_an_axis_is_left_out_where_signs_tell_nothing() -> None:
    made = folder()
    difference = made.emit("add", A, made.emit("mul", made.emit("const", -1), B))
    squared = made.emit("mul", difference, difference)
    assert ends(made, made.emit("less", squared, B)) == []
