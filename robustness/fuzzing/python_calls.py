"""Calls of ``import symsim``: arguments of the right kind with any value, and some of no right kind."""

from __future__ import annotations

from fractions import Fraction
from random import Random
from typing import Any

import numpy as np

from fuzzing import vocabulary
from fuzzing.expressions import choices, condition, expression, number, value_of
from fuzzing.inputs import Call, Input, PlanOf
from symsim.records.strategy import CHOICES

FUNCTIONS = ("load", "evaluate", "evaluate table", "compile", "search", "solve", "sensitivity", "compare", "formula")


def python_call(draw: Random) -> Input:
    """One call of a public function."""
    function = draw.choice(FUNCTIONS)
    match function:
        case "load":
            call = Call("load", _plan(draw), {"set": _settings(draw)} if draw.random() < 0.5 else {})
        case "evaluate":
            call = Call("evaluate", (PlanOf(_plan(draw)),))
        case "evaluate table":
            call = Call("evaluate", (_known(draw), _table(draw)), {"wanted": _wanted(draw)})
        case "compile":
            call = Call("compile", (_known(draw),), {"then": (_table(draw), _wanted(draw))})
        case "search":
            space = {n: _setting(draw, n) for n in draw.sample(tuple(CHOICES), 2)}
            space = {"world": 8, "gbs": 16, "seq": 128, "tp": [1, 2], "mbs": range(1, 3), **space}
            keywords: dict[str, Any] = {"top": draw.choice((1, 2, 0, -1, 10))}
            keywords |= {"require": (condition(draw),)} if draw.random() < 0.3 else {}
            keywords |= {"pareto": (expression(draw), expression(draw))} if draw.random() < 0.3 else {}
            keywords |= {"minimize": expression(draw)} if draw.random() < 0.3 else {}
            call = Call("search", (vocabulary.MODEL, space, vocabulary.SYSTEM), keywords)
        case "solve":
            name = draw.choice(draw.choice((vocabulary.sizes(), vocabulary.figure_names(), vocabulary.dimensions())))
            keywords = {"subject_to": [condition(draw)]} if draw.random() < 0.5 else {}
            keywords |= {"sought": draw.choice(("largest", "smallest", "x"))} if draw.random() < 0.3 else {}
            keywords |= {draw.choice(("low", "high")): _number(draw)} if draw.random() < 0.3 else {}
            call = Call("solve", (_known(draw), name), keywords)
        case "sensitivity":
            names = [vocabulary.name(draw) for _ in range(draw.randint(0, 2))]
            call = Call("sensitivity", (_known(draw), expression(draw)), {"with_respect_to": names or None})
        case "compare":
            other = PlanOf((vocabulary.MODEL, ",".join(choices(draw)), vocabulary.SYSTEM))
            call = Call("compare", (_known(draw), other), {"of": draw.choice((None, number(draw)))})
        case _:
            shown = draw.choice(("memory", "params", "flops", "communication", "time", "all", "x"))
            form = draw.choice(("text", "latex", "markdown", "python", "json", "x"))
            per = draw.choice((None, None, "total", "stage", "layer", "operator", "moment", "x"))
            keep = draw.sample(vocabulary.dimensions(), draw.choice((0, 0, 1, 2)))
            call = Call("formula", (_known(draw),), {"show": shown, "format": form, "per": per, "keep": keep})
    return Input("python call", call=call)


def _known(draw: Random) -> PlanOf:
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    return PlanOf((model, vocabulary.PLAN, vocabulary.SYSTEM if draw.random() < 0.9 else None))


def _plan(draw: Random) -> tuple[Any, ...]:
    """Arguments of ``load``: texts, or a dictionary of choices."""
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    if not vocabulary.calm(draw) and draw.random() < 0.2:
        model = vocabulary.name(draw)
    if draw.random() < 0.5:
        return model, ",".join(choices(draw)), vocabulary.SYSTEM
    given = {"world": 8, "gbs": 16, "seq": 128, **_settings(draw)}
    return model, given, draw.choice((None, vocabulary.SYSTEM))


def _settings(draw: Random) -> dict[str, Any]:
    names = draw.choice((tuple(CHOICES), tuple(CHOICES), vocabulary.figure_names(), vocabulary.dimensions()))
    return {n: _setting(draw, n) for n in draw.sample(names, draw.randint(0, 3))}


def _setting(draw: Random, name: str) -> Any:
    chance = 0 if vocabulary.calm(draw) else draw.random()
    if chance < 0.4:
        return value_of(draw, name)
    if chance < 0.6:
        return _number(draw)
    values: tuple[Any, ...] = (
        *(None, True, False, "none", "full", "", "1 GB/s", Fraction(1, 3), [1, 2], (4,), [], range(3), range(0), {"a"}),
        *(frozenset({"mlp"}), set(), {1, 2}, [None], ["none", "full"], [{"mlp"}, "none"], np.int64(2), np.float64(0.5)),
        *(np.array(3), np.array([1, 2]), b"2", 1j, object, {"x": 1}, "\x00", "\x1b[31m", "2\n4", "1;tp=4"),
    )
    return draw.choice(values)


def _number(draw: Random) -> Any:
    numbers = (1, 2, 3, 4, 8, 0, -1, 1.0, 2.5, 1e300, -1e300, 10**400, 2**53 + 1, 1e-320, float("nan"), float("inf"))
    return draw.choice(numbers)


def _column(draw: Random, length: int) -> Any:
    calm = vocabulary.calm(draw)
    rows = length if calm or draw.random() < 0.93 else draw.randint(0, 4)
    values = [_number(draw) if not calm and draw.random() < 0.2 else draw.choice((1, 2, 4, 8)) for _ in range(rows)]
    return draw.choice((values, values, tuple(values), draw.choice(values) if values else 1))


def _table(draw: Random) -> dict[str, Any]:
    """Columns of one length, most of them of sizes."""
    length = draw.choice((0, 1, 2, 3, 3, 5))
    names = draw.sample(vocabulary.given_sizes() if vocabulary.calm(draw) else vocabulary.sizes(), draw.randint(0, 4))
    if draw.random() < 0.2:
        names.append(draw.choice(vocabulary.quantities()))
    table = {n: _column(draw, length) for n in names}
    if draw.random() < 0.2:
        choice = draw.choice(tuple(CHOICES))
        table[choice] = [_setting(draw, choice) for _ in range(length)]
    return table


def _wanted(draw: Random) -> list[str] | None:
    if draw.random() < 0.4:
        return None
    return [draw.choice((number, condition, expression))(draw) for _ in range(draw.randint(0, 2))]
