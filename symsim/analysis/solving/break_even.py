"""Where two strategies are equal along a name, and which has less of a quantity on each side.

Ranges in which bounds of the two do not overlap have one order; any other range is split, down to
single whole numbers, or to a narrow range in which the difference changes its sign: there it is
solved in closed form where the formulas allow, else halved to the last digits.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from typing import Literal

import numpy as np

from symsim.analysis.one_parameter import Parameter, Sought, parameter
from symsim.analysis.quantities import parsed
from symsim.analysis.solving.bracketing import NARROW, halved
from symsim.analysis.solving.condition import base_unit
from symsim.analysis.solving.extreme import LEAF, extreme, split
from symsim.analysis.solving.formula_range import Array
from symsim.analysis.solving.parameter_ranges import ParameterRanges, parameter_ranges
from symsim.diagnostics import error
from symsim.emit.program import Program
from symsim.emit.quantity import Names, is_condition, with_quantities
from symsim.emit.rational_piece import NotRationalError, roots
from symsim.language import tree
from symsim.loading.question import Question

AROUND = 64
"""How many times smaller and larger than the present values a name is looked at."""
MAX_RANGES = 2**16
"""Most ranges that are looked at."""
PARTS = 4
"""Into how many parts a range is split."""
BATCH = 512
"""Ranges that are bounded at once."""
SAME = 1e-12
"""Share of a number by which two may differ that are called equal."""
PLACES = 5
QUANTITY = "break even"

Less = Literal["first", "second", "equal"]


@dataclass(frozen=True, slots=True)
class Crossing:
    """``below`` and ``above`` are neighbouring whole numbers, or both the real number of equality."""

    below: float
    above: float
    less_below: Less
    less_above: Less
    method: Literal["closed form", "bracketing"]


@dataclass(frozen=True, slots=True)
class BreakEven:
    """``less`` is the order at the lowest value at which both plans are legal, ``None`` where there is none.

    ``of`` is what is compared, in base ``unit``.
    """

    first: Question
    second: Question
    about: Parameter
    of: str
    unit: str
    less: Less | None
    crossings: tuple[Crossing, ...]
    values: tuple[tuple[float, float, float], ...]
    """The name's value and both quantities, at the ends and on both sides of each crossing."""


def break_even(
    first: Question,
    second: Question,
    name: str,
    of: tree.Expression | None = None,
    low: float | None = None,
    high: float | None = None,
) -> BreakEven:
    """Every value of ``name`` in a range at which the order of two plans in ``of`` changes.

    ``of`` is the time of a step where it is not given; the range is from a 64th to 64 times the present value.

    Raises:
        InputError: an unknown name or quantity, a condition in its place, or too many ranges to look at.
    """
    wanted = of or parsed("time.iteration")
    about = _range(parameter(first, name, low, high), parameter(second, name, low, high), low, high)
    lower = partial(_with_quantity, wanted=wanted)
    lines = (parameter_ranges(first, about, lower), parameter_ranges(second, about, lower))
    segments = _segments(lines, about)
    crossings = _crossings(lines, about, segments)
    ends = (segments[0].low, segments[-1].high) if segments else ()
    shown = sorted({*ends, *(value for c in crossings for value in (c.below, c.above))})
    columns = _both(lines, np.array(shown, dtype=float))
    values = tuple((float(v), float(a), float(b)) for v, a, b in zip(shown, *columns, strict=True))
    less = segments[0].less if segments else None
    place = wanted.place
    text = place.source.line(place.line)[place.column - 1 : place.column - 1 + place.width]
    unit = _unit(wanted, lines[0].ranges[0].program)
    return BreakEven(first, second, about, text, unit, less, crossings, values)


def _unit(wanted: tree.Expression, program: Program) -> str:
    if not isinstance(wanted, tree.Name) or wanted.name not in program.outputs:
        return ""
    return base_unit(program, wanted.name)


def _with_quantity(program: Program, names: Names, wanted: tree.Expression) -> Program:
    lowered = with_quantities(program, {QUANTITY: wanted}, names)
    if is_condition(lowered, QUANTITY):
        raise error("E207", "expected a number, not a condition", wanted.place, "for example --of memory.peak")
    return lowered


def _range(one: Parameter, other: Parameter, low: float | None, high: float | None) -> Parameter:
    now = [v.now for v in (one, other) if v.now]
    if low is None and now:
        least = min(now) / AROUND
        low = max(one.low, float(np.ceil(least)) if one.whole else least)
    if high is None and now:
        high = min(one.high, max(now) * AROUND)
    return replace(one, low=one.low if low is None else low, high=one.high if high is None else high)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A range with one order at all its legal values, if it has any."""

    low: float
    high: float
    less: Less


Lines = tuple[ParameterRanges, ParameterRanges]


def _segments(lines: Lines, about: Parameter) -> list[_Segment]:
    """The order over the range, from its low end; neighbours have different orders, and each has a legal value."""
    found: list[_Segment] = []
    looked_at = 0
    low, high = (float(np.ceil(about.low)), float(np.floor(about.high))) if about.whole else (about.low, about.high)
    pending = [(low, high)] if low <= high else []
    while pending:
        wide = [part for part in pending if _is_wide(about, *part)]
        found += _one_by_one(lines, about, [part for part in pending if not _is_wide(about, *part)])
        equal = set() if about.whole else _equal_throughout(lines, wide)
        found += [_Segment(*part, "equal") for part in equal]
        left = [part for part in wide if part not in equal]
        parts = [p for a, b in left for p in (split(int(a), int(b), PARTS) if about.whole else _parts(a, b))]
        looked_at += len(parts)
        if looked_at > MAX_RANGES:
            hint = "give --from and --to around the values of interest"
            raise error("E352", f"more than {MAX_RANGES:,} ranges would have to be looked at", None, hint)
        pending = []
        for k in range(0, len(parts), BATCH):
            settled, open_ = _by_bounds(lines, parts[k : k + BATCH])
            found += settled
            pending += open_
    return _joined(lines, about, sorted(found, key=lambda s: s.low))


def _is_wide(about: Parameter, begin: float, end: float) -> bool:
    return end - begin >= LEAF if about.whole else end - begin > NARROW * end


def _by_bounds(lines: Lines, parts: list[tuple[float, float]]) -> tuple[list[_Segment], list[tuple[float, float]]]:
    """The ranges that have one order, and those that may have several; neither where no plan is legal."""
    low, high = (np.array([p[k] for p in parts], dtype=float) for k in (0, 1))
    one, other = (plans.bounds(QUANTITY, low, high) for plans in lines)
    nowhere = (one.low > one.high) | (other.low > other.high)
    first, second = one.high < other.low, other.high < one.low
    ranges = [(float(a), float(b)) for a, b in zip(low, high, strict=True)]
    settled = [_Segment(*r, "first") for r, yes in zip(ranges, first & ~nowhere, strict=True) if yes]
    settled += [_Segment(*r, "second") for r, yes in zip(ranges, second & ~nowhere, strict=True) if yes]
    return settled, [r for r, yes in zip(ranges, ~(first | second | nowhere), strict=True) if yes]


def _parts(begin: float, end: float) -> list[tuple[float, float]]:
    edges = np.geomspace(begin, end, PARTS + 1)
    edges[0], edges[-1] = begin, end
    return list(pairwise(map(float, edges)))


def _one_by_one(lines: Lines, about: Parameter, ranges: list[tuple[float, float]]) -> list[_Segment]:
    if not ranges:
        return []
    values = np.unique(np.concatenate([np.arange(a, b + 1) if about.whole else np.array([a, b]) for a, b in ranges]))
    one, other = _both(lines, values)
    legal = ~np.isnan(one) & ~np.isnan(other)
    orders = zip(values[legal], one[legal], other[legal], strict=True)
    return [_Segment(float(v), float(v), _order(a, b)) for v, a, b in orders]


def _equal_throughout(lines: Lines, ranges: list[tuple[float, float]]) -> set[tuple[float, float]]:
    """The ranges in which the two are equal at a handful of places: they are one formula there."""
    if not ranges:
        return set()
    places = np.array([np.geomspace(a, b, PLACES) for a, b in ranges])
    one, other = (values.reshape(places.shape) for values in _both(lines, places.reshape(-1)))
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= SAME * np.abs(one)
    # Infinity is infinity, and has no difference from itself.
    same = np.all((one == other) | near, axis=1)
    return {r for r, yes in zip(ranges, same, strict=True) if yes}


def _both(lines: Lines, values: Array) -> tuple[Array, Array]:
    one, other = (plans.values([QUANTITY], values)[0] for plans in lines)
    return one, other


def _order(one: float, other: float) -> Less:
    if abs(one - other) <= SAME * max(abs(one), abs(other)):
        return "equal"
    return "first" if one < other else "second"


def _joined(lines: Lines, about: Parameter, segments: list[_Segment]) -> list[_Segment]:
    out: list[_Segment] = []
    for segment in segments:
        if out and out[-1].less == segment.less:
            out[-1] = replace(out[-1], high=segment.high)
        elif (mine := _legal_part(lines, segment) if about.whole else segment) is not None:
            out.append(mine)
    # A range that was joined may end where no plan is legal.
    return [s for s in (_legal_part(lines, s) if about.whole else s for s in out) if s is not None]


def _legal_part(lines: Lines, segment: _Segment) -> _Segment | None:
    """From the first to the last legal value."""
    if segment.low == segment.high:
        return segment
    low, high = (_extreme_legal(lines, segment.low, segment.high, way) for way in ENDS)
    return None if low is None or high is None else replace(segment, low=low, high=high)


ENDS: tuple[Sought, Sought] = ("smallest", "largest")


def _extreme_legal(lines: Lines, low: float, high: float, way: Sought) -> float | None:
    def may(begin: Array, end: Array) -> Array:
        return lines[0].may_hold((), begin, end) & lines[1].may_hold((), begin, end)

    def test(values: Array) -> Array:
        return lines[0].holds((), values) & lines[1].holds((), values)

    return extreme(low, high, way, may, test).value


def _crossings(lines: Lines, about: Parameter, segments: list[_Segment]) -> tuple[Crossing, ...]:
    if about.whole:
        return tuple(Crossing(a.high, b.low, a.less, b.less, "bracketing") for a, b in pairwise(segments))
    return tuple(_crossing(lines, a, b) for a, b in pairwise(segments))


def _crossing(lines: Lines, before: _Segment, after: _Segment) -> Crossing:
    """The real number at which the order changes."""
    low, high = before.high, after.low
    for at in (high, low):
        one, other = (plans.range_at(at) for plans in lines)
        if one is None or other is None:
            continue
        try:
            difference = one.piece(QUANTITY, at).minus(other.piece(QUANTITY, at))
            found = [x for x in roots(difference) if low * (1 - SAME) <= x <= high * (1 + SAME)]
        except (NotRationalError, ArithmeticError):
            continue
        if len(found) == 1:
            return Crossing(found[0], found[0], before.less, after.less, "closed form")

    def still_after(value: float) -> bool:
        one, other = _both(lines, np.array([value]))
        return _order(float(one[0]), float(other[0])) == after.less

    at = halved(high, low, still_after)
    return Crossing(at, at, before.less, after.less, "bracketing")
