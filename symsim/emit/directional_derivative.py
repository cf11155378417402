"""The derivative of a program along any direction of its inputs, on either side of a kink.

One program answers for every name: next to the inputs there are ``along NAME``, how fast each of them moves,
and ``nudge``, how far off its point the program decides what to follow. With a nudge of 0 the result is
that of :mod:`symsim.emit.derivative`. With a nudge n each argument x of a maximum or minimum counts as
x + n·x', so that of arguments that are equal the one is followed that has the word on that side of the
point. Only decisions move: the numbers stay those of the point, steps and tables stay flat, and the
stages stay as many as they are.

======================  ================================================================
``max, min``            x' of the first argument whose x + n·x' is the extreme one
``[a < b]·x``           on the side of the comparison that holds at n, where x is 0
``where``               on the side of its comparison that holds at n, where both branches are equal
``stage_max(x)``        stage_pick(x', x + n·x'); likewise the scans ``max_to``, ``max_from``
``stage_pick(v, key)``  stage_pick(v', key + n·key'); likewise ``pick_to``, ``pick_from``
======================  ================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from symsim.emit.derivative import RULES, Rule, Tangents, partial
from symsim.emit.program import Output, Program, with_inputs

NUDGE = "nudge"

COMPARISONS = ("less", "at_most")
JOINED = ("min", "max")
"""What joins conditions: all must hold, or one."""

EQUAL = 1e-9
"""Branches that differ by less than this part are equal: crossing from one to the other is a kink, no step."""


def along(name: str) -> str:
    """The input that says how fast ``name`` moves."""
    return f"along {name}"


@dataclass(frozen=True, slots=True)
class Directional:
    """``program`` has the outputs of the given one, and ``slope``, the derivative of the asked one.

    ``tangents``: register → register of its derivative, for all that lead to the output and may move.
    """

    program: Program
    value: int
    slope: int
    tangents: Mapping[int, int]


def directional(program: Program, output: str, names: Sequence[str]) -> Directional:
    """The derivative of an output along any direction of the inputs ``names``."""
    wider = with_inputs(program, (*(along(n) for n in names), NUDGE))
    tangents = Tangents(wider)
    wanted = wider.outputs[output]
    seeds = {wider.inputs.index(n): wider.inputs.index(along(n)) for n in names}
    found = tangents.along(wanted.register, seeds, _rules(wider.inputs.index(NUDGE)))
    slope = found[wanted.register] if wanted.register in found else tangents.emit("const", 0)
    outputs = {**wider.outputs, partial(output, NUDGE): Output(slope, wanted.scope, wanted.unit, wanted.part)}
    whole = Program(wider.title, wider.inputs, tuple(tangents.instructions), outputs, ())
    return Directional(whole, wanted.register, slope, found)


def _rules(nudge: int) -> Mapping[str, Rule]:
    """The rules of a derivative, those of kinks replaced."""

    def moved(t: Tangents, register: int, by: Mapping[int, int]) -> int:
        return t.emit("add", register, t.product(nudge, by[register])) if register in by else register

    def extreme(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
        keys = [moved(t, a, by) for a in arguments]
        best = t.emit(t.operation(register), *keys)
        chosen = t.or_zero(by.get(arguments[-1]))
        for argument, key in list(zip(arguments, keys, strict=True))[-2::-1]:
            mine = t.or_zero(by.get(argument))
            if mine != chosen:
                chosen = t.emit("where", t.emit("equal", key, best), mine, chosen)
        return chosen

    def on_this_side(t: Tangents, condition: int, by: Mapping[int, int]) -> int:
        """A comparison, or several joined by ``and`` and ``or``, as it is a nudge away."""
        operation, sides = t.operation(condition), t.operands(condition)
        if operation in COMPARISONS:
            return t.emit(operation, *(moved(t, s, by) for s in sides))
        return t.emit(operation, *(on_this_side(t, s, by) for s in sides)) if operation in JOINED else condition

    def where(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int | None:
        condition, a, b = arguments
        if t.operation(condition) in (*COMPARISONS, *JOINED) and (a in by or b in by):
            # At the crossing itself the comparison is false for one side and true for the other.
            apart = t.emit("add", a, t.negative(b))
            size = t.emit("max", a, t.negative(a), b, t.negative(b))
            close = t.emit("max", apart, t.negative(apart))
            joined = t.emit("at_most", close, t.product(t.emit("const", EQUAL), size))
            condition = t.emit("where", joined, on_this_side(t, condition, by), condition)
        return RULES["where"](t, register, (condition, a, b), by)

    def product(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int | None:
        # [a < b]·x is ``where(a < b, x, 0)``: where x is 0 at the crossing, the side decides.
        decided = list(arguments)
        for k, condition in enumerate(arguments):
            comparison, others = t.operation(condition), [*arguments[:k], *arguments[k + 1 :]]
            if comparison not in COMPARISONS or not any(a in by for a in others):
                continue
            if any(s in by for s in t.operands(condition)):
                joined = t.emit("equal", t.product(*others), t.emit("const", 0))
                decided[k] = t.emit("where", joined, on_this_side(t, condition, by), condition)
        return RULES["mul"](t, register, decided, by)

    def largest(picks: str) -> Rule:
        def rule(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int:
            (x,) = arguments
            return t.emit(picks, by[x], moved(t, x, by))

        return rule

    def picked(t: Tangents, register: int, arguments: Sequence[int], by: Mapping[int, int]) -> int | None:
        value, key = arguments
        return t.emit(t.operation(register), by[value], moved(t, key, by)) if value in by else None

    return {
        **RULES,
        "max": extreme,
        "min": extreme,
        "where": where,
        "mul": product,
        "stage_max": largest("stage_pick"),
        "max_to": largest("pick_to"),
        "max_from": largest("pick_from"),
        **dict.fromkeys(("stage_pick", "pick_to", "pick_from"), picked),
    }
