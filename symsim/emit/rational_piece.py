"""One output of a program in one name, as the rational function that holds around a point.

A cost is piecewise: a maximum has one argument that is the largest, a stage that is the fullest, a
number of tiles. On the piece around a point every choice is made, and what is left of a memory is
``a + b·x``, of a time ``a + b/x``: a quotient of two short polynomials, which can be solved for x.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from symsim.emit.program import Program

MAX_DEGREE = 4
"""Of a numerator or a denominator; beyond it nothing is solved in closed form."""


class NotRationalError(Exception):
    """The output is no short rational function of the name here."""


Polynomial = tuple[float, ...]
"""Coefficients by power, the last one not 0."""


@dataclass(frozen=True, slots=True)
class Rational:
    """``above / below``, and its value at the point."""

    above: Polynomial
    below: Polynomial
    value: float

    @property
    def degrees(self) -> tuple[int, int]:
        return len(self.above) - 1, len(self.below) - 1

    def minus(self, other: Rational) -> Rational:
        return _plus(self, _times(other, constant(-1.0)))


def constant(value: float) -> Rational:
    return Rational((float(value),), (1.0,), float(value))


def variable(at: float) -> Rational:
    return Rational((0.0, 1.0), (1.0,), float(at))


def piece(
    program: Program,
    output: str,
    inputs: Mapping[str, Rational],
    lookup: Callable[..., Any],
) -> Rational:
    """The rational function that an output of a run is around a point.

    ``inputs`` are constants and what varies, each at the point; ``lookup`` answers tables for the
    values there, with a number or a :class:`Rational`.

    Raises:
        NotRationalError: a logarithm, a power, or a quotient of too high a degree.
        ArithmeticError: the output has no value at the point.
    """
    wanted = program.outputs[output].register
    found: dict[int, list[Rational]] = {}
    for register in program.leading_to(wanted):
        if register < program.stage_register:
            found[register] = [inputs[program.inputs[register]]]
        elif register == program.stage_register:
            found[register] = [constant(k) for k in range(_stages(inputs))]
        else:
            operation, *arguments = program.instructions[register - program.register_of(0)]
            if operation == "const":
                found[register] = [constant(arguments[0])]
            elif operation in _REDUCTIONS:
                spread = [_spread(found[a], _stages(inputs)) for a in arguments]
                found[register] = _REDUCTIONS[operation](*spread)
            else:
                read = [found[a] for a in (arguments[1:] if operation == "table" else arguments)]
                count = max(map(len, read), default=1)
                rows = zip(*(_spread(r, count) for r in read), strict=True)
                if operation == "table":
                    found[register] = [_entry(lookup(arguments[0], *(a.value for a in row))) for row in rows]
                else:
                    found[register] = [_OPERATIONS[operation](*row) for row in rows]
    return found[wanted][0]


def roots(difference: Rational) -> tuple[float, ...]:
    """Where a rational function of degree one or two is 0, positive ones only.

    Raises:
        NotRationalError: a numerator of a higher degree, or a constant.
    """
    scale = max(map(abs, difference.above))
    if not 0 < scale < math.inf:
        raise NotRationalError
    coefficients = [c / scale for c in difference.above]
    while coefficients and coefficients[0] == 0:
        coefficients = coefficients[1:]  # x = 0 is no root that is asked for
    if len(coefficients) == 2:
        return tuple(x for x in (-coefficients[0] / coefficients[1],) if x > 0)
    if len(coefficients) == 3:
        c, b, a = coefficients
        inside = b * b - 4 * a * c
        if inside < 0:
            return ()
        q = -(b + math.copysign(math.sqrt(inside), b)) / 2
        return tuple(sorted(x for x in (q / a, c / q if q else 0.0) if x > 0))
    raise NotRationalError


def _entry(value: Any) -> Rational:
    return value if isinstance(value, Rational) else constant(value)


def _stages(inputs: Mapping[str, Rational]) -> int:
    pp = inputs["pp"]
    if len(pp.above) > 1:
        raise NotRationalError
    return int(pp.value)


def _spread(values: list[Rational], count: int) -> list[Rational]:
    return values * count if len(values) == 1 else values


def _trimmed(coefficients: Sequence[float]) -> Polynomial:
    end = len(coefficients)
    while end > 1 and coefficients[end - 1] == 0:
        end -= 1
    if end > MAX_DEGREE + 1 or not all(map(math.isfinite, coefficients)):
        raise NotRationalError
    return tuple(coefficients[:end])


def _sum(a: Polynomial, b: Polynomial) -> Polynomial:
    if len(a) < len(b):
        a, b = b, a
    return _trimmed([x + (b[k] if k < len(b) else 0.0) for k, x in enumerate(a)])


def _product(a: Polynomial, b: Polynomial) -> Polynomial:
    out = [0.0] * (len(a) + len(b) - 1)
    for j, x in enumerate(a):
        for k, y in enumerate(b):
            out[j + k] += x * y
    return _trimmed(out)


def _quotient(above: Polynomial, below: Polynomial, value: float) -> Rational:
    """Without a common power of x; the denominator's first coefficient is 1."""
    if above == (0.0,):
        return Rational(above, (1.0,), value)
    while above[0] == 0 and below[0] == 0:
        above, below = above[1:], below[1:]
    first = next(c for c in below if c != 0)
    return Rational(tuple(c / first for c in above), tuple(c / first for c in below), value)


def _plus(a: Rational, b: Rational) -> Rational:
    value = a.value + b.value
    if a.below == b.below:
        return _quotient(_sum(a.above, b.above), a.below, value)
    wider, other = (a, b) if len(a.below) >= len(b.below) else (b, a)
    if _is_power(wider.below) and _is_power(other.below):
        shift = (0.0,) * (len(wider.below) - len(other.below))
        return _quotient(_sum(wider.above, (*shift, *other.above)), wider.below, value)
    above = _sum(_product(a.above, b.below), _product(b.above, a.below))
    return _quotient(above, _product(a.below, b.below), value)


def _is_power(below: Polynomial) -> bool:
    return not any(below[:-1])


def _times(a: Rational, b: Rational) -> Rational:
    value = a.value * b.value
    if a.below == b.above and len(a.below) > 1:
        return _quotient(a.above, b.below, value)
    if b.below == a.above and len(b.below) > 1:
        return _quotient(b.above, a.below, value)
    return _quotient(_product(a.above, b.above), _product(a.below, b.below), value)


def _over(a: Rational, b: Rational) -> Rational:
    if b.value == 0:
        raise ZeroDivisionError("division by zero")
    return _times(a, Rational(b.below, b.above, 1 / b.value))


def _add(*terms: Rational) -> Rational:
    out = terms[0]
    for term in terms[1:]:
        out = _plus(out, term)
    return out


def _mul(*factors: Rational) -> Rational:
    out = factors[0]
    for factor in factors[1:]:
        out = _times(out, factor)
    return out


def _is_constant(*arguments: Rational) -> bool:
    return all(len(a.above) == 1 and len(a.below) == 1 for a in arguments)


def _pow(base: Rational, exponent: Rational) -> Rational:
    if not _is_constant(exponent):
        raise NotRationalError
    if _is_constant(base):
        return constant(base.value**exponent.value)
    if exponent.value != int(exponent.value) or not 0 <= exponent.value <= MAX_DEGREE:
        raise NotRationalError
    return _mul(constant(1.0), *[base] * int(exponent.value))


def _log(x: Rational) -> Rational:
    if not _is_constant(x):
        raise NotRationalError
    return constant(math.log(x.value))


def _step(function: Callable[..., float]) -> Callable[..., Rational]:
    return lambda *arguments: constant(function(*(a.value for a in arguments)))


def _near_whole(x: float) -> float:
    near = round(x)
    return near if abs(x - near) <= 1e-9 * max(1, abs(near)) else x


def _mod(x: Rational, by: Rational) -> Rational:
    turns = constant(-math.floor(x.value / by.value))
    return _plus(x, _times(turns, by))


def _where(condition: Rational, then: Rational, other: Rational) -> Rational:
    return then if condition.value != 0 else other


def _by_value(r: Rational) -> float:
    return r.value


_OPERATIONS: Mapping[str, Callable[..., Rational]] = {
    "add": _add,
    "mul": _mul,
    "div": _over,
    "pow": _pow,
    "min": lambda *a: min(a, key=_by_value),
    "max": lambda *a: max(a, key=_by_value),
    "floor": _step(lambda x: math.floor(_near_whole(x))),
    "ceil": _step(lambda x: math.ceil(_near_whole(x))),
    "log": _log,
    "mod": _mod,
    "equal": _step(lambda a, b: a == b),
    "less": _step(lambda a, b: a < b),
    "at_most": _step(lambda a, b: a <= b),
    "where": _where,
}


def _larger(a: Rational, b: Rational) -> Rational:
    return max(a, b, key=_by_value)


def _pick(values: list[Rational], keys: list[Rational]) -> list[Rational]:
    return [values[max(range(len(keys)), key=lambda k: keys[k].value)]]


def _refuse(*arguments: list[Rational]) -> list[Rational]:
    raise NotRationalError


_REDUCTIONS: Mapping[str, Callable[..., list[Rational]]] = {
    "stage_sum": lambda x: [_add(*x)],
    "stage_max": lambda x: [max(x, key=_by_value)],
    "stage_pick": _pick,
    "sum_before": lambda x: list(accumulate([constant(0.0), *x[:-1]], _plus)),
    "max_to": lambda x: list(accumulate(x, _larger)),
    "max_from": lambda x: list(accumulate(x[::-1], _larger))[::-1],
    "pick_to": _refuse,
    "pick_from": _refuse,
}
"""Over stages: of one of each stage. Picks up to a stage are of derivatives alone."""
