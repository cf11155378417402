"""Bounds of a program's outputs over boxes of its inputs: what no plan in a whole range can exceed.

Interval arithmetic over the same instructions that are evaluated: each register is a smallest and a
largest value, for many boxes at once. The bounds hold for every point of a box and are wider than
what is reached, less so for small boxes. A search that leaves out only boxes that are certain leaves
out no answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from symsim.emit.code import settled
from symsim.emit.program import REDUCING, SCANNING, Program

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Bounds:
    """The smallest and the largest of a number in each box. One array in both places: a known number."""

    low: Array
    high: Array

    @property
    def known(self) -> bool:
        return self.low is self.high


TableBounds = Callable[[str, Sequence[Bounds]], Bounds]
"""``lookup(name, dimensions)`` → bounds of a table's number."""

SLACK = 1e-12
"""Share of a number by which two must differ before rounding cannot make them equal."""


def bounds(
    program: Program,
    wanted: Sequence[int],
    inputs: Mapping[str, Bounds],
    lookup: TableBounds,
    known: dict[int, Bounds] | None = None,
) -> list[Bounds]:
    """Bounds of registers, one number for each box; those of a stage over all its stages.

    ``inputs`` are arrays over the boxes, or of one element; ``pp`` is one known number where stages matter.
    ``known`` takes the registers that no box touches, for the next call with the same known inputs.

    Raises:
        ValueError: an input has no bounds, or the number of stages varies.
    """
    found: dict[int, Bounds] = {}
    kept = {} if known is None else known
    needed = program.leading_to(*wanted)
    stages = _stages(inputs.get("pp")) if _of_stages(program, needed) else 1
    for register in needed:
        if register in kept:
            found[register] = kept[register]
            continue
        if register < program.stage_register:
            given = inputs.get(program.inputs[register])
            if given is None:
                raise ValueError(f"no bounds of '{program.inputs[register]}'")
            low = given.low[:, None]
            found[register] = Bounds(low, low if given.known else given.high[:, None])
        elif register == program.stage_register:
            stage = np.arange(stages, dtype=float)[None, :]
            found[register] = Bounds(stage, stage)
        else:
            operation, *arguments = program.instructions[register - program.register_of(0)]
            if operation == "const":
                found[register] = _exact(np.full((1, 1), float(arguments[0])))
            elif operation == "table":
                found[register] = lookup(arguments[0], [found[a] for a in arguments[1:]])
            else:
                read = [found[a] for a in arguments]
                if operation in REDUCING or operation in SCANNING:
                    read = [_spread(a, stages) for a in read]
                with np.errstate(all="ignore"):
                    found[register] = _OPERATIONS[operation](*read)
        if found[register].known:
            kept[register] = found[register]
    return [Bounds(found[k].low.min(-1), found[k].high.max(-1)) for k in wanted]


def _of_stages(program: Program, registers: Sequence[int]) -> bool:
    first = program.register_of(0)
    return any(
        k == program.stage_register or (k >= first and program.instructions[k - first][0] in REDUCING | SCANNING)
        for k in registers
    )


def _stages(pp: Bounds | None) -> int:
    if pp is None or not pp.known or pp.low.size != 1:
        raise ValueError("the number of stages varies")
    return int(pp.low.item())


def _spread(value: Bounds, stages: int) -> Bounds:
    """What does not differ between stages, once for each of them."""
    low = np.broadcast_to(value.low, (len(value.low), stages))
    return _exact(low) if value.known else Bounds(low, np.broadcast_to(value.high, (len(value.high), stages)))


def _exact(value: Array) -> Bounds:
    return Bounds(value, value)


def _ends(low: Array, high: Array) -> Bounds:
    """Where the arithmetic of infinities gives no number, nothing is known."""
    return Bounds(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high))


def _hull(*values: Array) -> Bounds:
    low = high = values[0]
    for value in values[1:]:
        low, high = np.minimum(low, value), np.maximum(high, value)
    return _ends(low, high)


def _known(*arguments: Bounds) -> bool:
    return all(a.known for a in arguments)


def _add(*terms: Bounds) -> Bounds:
    low, high = terms[0].low, terms[0].high
    for term in terms[1:]:
        low, high = low + term.low, high + term.high
    return _exact(low) if _known(*terms) else _ends(low, high)


def _mul(*factors: Bounds) -> Bounds:
    product = factors[0]
    for factor in factors[1:]:
        product = _times(product, factor)
    return product


def _times(a: Bounds, b: Bounds) -> Bounds:
    if _known(a, b):
        return _exact(a.low * b.low)
    if (a.low >= 0).all() and (b.low >= 0).all():
        return _ends(a.low * b.low, a.high * b.high)
    return _corners(lambda x, y: x * y, a, b)


def _corners(operation: Callable[[Array, Array], Array], a: Bounds, b: Bounds) -> Bounds:
    """Where one corner is no number, nothing is known: the hull has none either."""
    return _hull(*(operation(x, y) for x in (a.low, a.high) for y in (b.low, b.high)))


def _div(a: Bounds, b: Bounds) -> Bounds:
    if _known(a, b):
        return _exact(a.low / b.low)
    through_zero = (b.low <= 0) & (b.high >= 0)
    quotient = _corners(lambda x, y: x / y, a, b)
    return Bounds(np.where(through_zero, -np.inf, quotient.low), np.where(through_zero, np.inf, quotient.high))


def _pow(base: Bounds, exponent: Bounds) -> Bounds:
    if _known(base, exponent):
        return _exact(base.low**exponent.low)
    powers = _corners(lambda x, y: x**y, base, exponent)
    unclear = (base.low <= 0) & ~((base.low >= 0) & (exponent.low >= 0))
    return Bounds(np.where(unclear, -np.inf, powers.low), np.where(unclear, np.inf, powers.high))


def _rising(function: Callable[[Array], Array]) -> Callable[[Bounds], Bounds]:
    def operation(x: Bounds) -> Bounds:
        low = function(x.low)
        return _exact(low) if x.known else _ends(low, function(x.high))

    return operation


def _extreme(choose: Callable[[Array, Array], Array]) -> Callable[..., Bounds]:
    def operation(*arguments: Bounds) -> Bounds:
        low, high = arguments[0].low, arguments[0].high
        for other in arguments[1:]:
            low, high = choose(low, other.low), choose(high, other.high)
        return _exact(low) if _known(*arguments) else Bounds(low, high)

    return operation


def _mod(x: Bounds, by: Bounds) -> Bounds:
    if _known(x, by):
        return _exact(x.low % by.low)
    turns = np.floor(x.low / by.high - SLACK * np.abs(x.low / by.high))
    last = np.floor(x.high / by.low + SLACK * np.abs(x.high / by.low))
    one = (turns == last) & (x.low >= 0)
    low = np.where(one, np.maximum(0.0, x.low - turns * by.high), 0.0)
    high = np.where(one, np.minimum(by.high, x.high - turns * by.low), by.high)
    positive = by.low > 0
    return _ends(np.where(positive, low, -np.inf), np.where(positive, high, np.inf))


def _apart(a: Bounds, b: Bounds) -> Array:
    """All of ``a`` is below all of ``b``, by more than rounding."""
    rounding = SLACK * np.maximum(np.abs(a.high), np.abs(b.low))
    return np.asarray((a.high < b.low) & (np.isinf(rounding) | (b.low - a.high > rounding)))


def _verdict(certainly: Array, certainly_not: Array) -> Bounds:
    return Bounds(np.where(certainly, 1.0, 0.0), np.where(certainly_not, 0.0, 1.0))


def _equal(a: Bounds, b: Bounds) -> Bounds:
    if _known(a, b):
        return _exact((a.low == b.low) + 0.0)
    same = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
    return _verdict(same, _apart(a, b) | _apart(b, a))


def _less(a: Bounds, b: Bounds) -> Bounds:
    return _exact((a.low < b.low) + 0.0) if _known(a, b) else _verdict(_apart(a, b), _apart(b, a))


def _at_most(a: Bounds, b: Bounds) -> Bounds:
    return _exact((a.low <= b.low) + 0.0) if _known(a, b) else _verdict(_apart(a, b), _apart(b, a))


def _where(condition: Bounds, then: Bounds, other: Bounds) -> Bounds:
    if _known(condition, then, other):
        return _exact(np.where(condition.low != 0, then.low, other.low))
    holds, fails = (condition.low > 0) | (condition.high < 0), (condition.low == 0) & (condition.high == 0)
    low = np.where(holds, then.low, np.where(fails, other.low, np.minimum(then.low, other.low)))
    high = np.where(holds, then.high, np.where(fails, other.high, np.maximum(then.high, other.high)))
    return _ends(low, high)


def _over_stages(reduce: Callable[[Array], Array]) -> Callable[[Bounds], Bounds]:
    return _rising(reduce)


def _picked(values: Bounds, keys: Bounds) -> Bounds:
    """Hull over the stages whose key may be the largest."""
    may = keys.high >= keys.low.max(-1, keepdims=True)
    low = np.where(may, values.low, np.inf).min(-1, keepdims=True)
    return _ends(low, np.where(may, values.high, -np.inf).max(-1, keepdims=True))


def _picked_so_far(values: Bounds, keys: Bounds) -> Bounds:
    """Hull over all stages: wide, and only derivatives have it."""
    shape = np.broadcast_shapes(values.low.shape, keys.low.shape)
    low, high = np.broadcast_to(values.low, shape), np.broadcast_to(values.high, shape)
    return Bounds(low.min(-1, keepdims=True), high.max(-1, keepdims=True))


def _from_last(scan: Callable[[Array], Array]) -> Callable[[Array], Array]:
    return lambda x: scan(x[..., ::-1])[..., ::-1]


def _largest_so_far(x: Array) -> Array:
    return np.maximum.accumulate(x, -1)


_OPERATIONS: Mapping[str, Callable[..., Bounds]] = {
    "add": _add,
    "mul": _mul,
    "div": _div,
    "pow": _pow,
    "min": _extreme(np.minimum),
    "max": _extreme(np.maximum),
    "floor": _rising(lambda x: np.floor(settled(x))),
    "ceil": _rising(lambda x: np.ceil(settled(x))),
    "log": _rising(np.log),
    "mod": _mod,
    "equal": _equal,
    "less": _less,
    "at_most": _at_most,
    "where": _where,
    "stage_sum": _over_stages(lambda x: x.sum(-1, keepdims=True)),
    "stage_max": _over_stages(lambda x: x.max(-1, keepdims=True)),
    "stage_pick": _picked,
    "sum_before": _over_stages(lambda x: np.cumsum(x, -1) - x),
    "max_to": _over_stages(_largest_so_far),
    "max_from": _over_stages(_from_last(_largest_so_far)),
    "pick_to": _picked_so_far,
    "pick_from": _picked_so_far,
}
"""One rule for each operation of a program; ``const`` and ``table`` are handled apart."""
