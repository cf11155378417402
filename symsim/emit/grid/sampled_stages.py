"""A pipeline of any length by a handful of its stages.

What a stage has of anything is almost always affine in its number between a few special stages: the first, the
last, those around the place where micro-batches run out. So quantities are computed at these *samples* alone,
and an interval between two of them represents all stages inside. Every operation checks that what it makes is
affine there too; where it is not (two lines cross inside, a product of two that both change), the value says
so by ``exact``, and who asks walks all stages for those points. The result is that of the walk, at a cost that
does not depend on the number of stages.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Mask = Any
"""An array of truths."""


@dataclass(frozen=True, slots=True)
class StageSamples:
    """``at``: stage numbers, ascending along the first axis, from the first stage to the last.

    ``wide`` marks intervals with stages inside; ``None`` where there are none: every stage is a sample.
    """

    at: Array
    wide: Array | None
    _higher: dict[int, tuple[Staged, list[Array]]] = field(default_factory=dict)

    def higher(self, key: Staged) -> list[Array]:
        """Where each sample but the first has more than all before it: several quantities are picked by one key."""
        known = self._higher.get(id(key))
        if known is None:
            best, masks = key.values[0], []
            for later in key.values[1:]:
                masks.append(later > best)
                best = np.maximum(later, best)
            known = self._higher[id(key)] = (key, masks)
        return known[1]

    @staticmethod
    def of(at: Array) -> StageSamples:
        wide = np.diff(at, axis=0) > 1.5
        return StageSamples(at, wide if wide.any() else None)

    @staticmethod
    def side_by_side(parts: Sequence[StageSamples], axis: int) -> StageSamples:
        """Several numbers of stages along one more axis of plans; shorter lists repeat their last stage."""
        most = max(len(part.at) for part in parts)
        shapes = [part.at.shape[1:] for part in parts]
        shape = np.broadcast_shapes(*shapes)
        filled = []
        for part in parts:
            spread = np.broadcast_to(part.at, (len(part.at), *shape))
            filled.append(np.concatenate([spread, np.repeat(spread[-1:], most - len(spread), 0)]))
        return StageSamples.of(np.concatenate(filled, axis=1 + axis))

    @staticmethod
    def all(stages: int, axes: int) -> StageSamples:
        return StageSamples(np.arange(stages, dtype=float).reshape(-1, *[1] * axes), None)


@dataclass(frozen=True, slots=True)
class Staged:
    """A value at each sample; ``exact`` says of each interval whether it is affine there, ``None``: of all."""

    values: Array
    exact: Array | None = None


@dataclass(frozen=True, slots=True)
class Doubtful:
    """A value of a run that came of stages; where it is not ``exact``, they must be walked."""

    values: Array
    exact: Array


Value = Any
"""A number, an array, :class:`Staged` or :class:`Doubtful`."""


def plain(value: Value) -> Any:
    return value.values if isinstance(value, Staged | Doubtful) else value


def pointwise(
    operation: str, compute: Callable[..., Any], arguments: Sequence[Value], samples: StageSamples | None
) -> Value:
    """An operation that each stage carries out for itself."""
    numbers = [plain(a) for a in arguments]
    found = compute(*numbers)
    if not any(isinstance(a, Staged) for a in arguments):
        doubts = [a.exact for a in arguments if isinstance(a, Doubtful)]
        return Doubtful(np.asarray(found), _all(doubts)) if doubts else found
    assert samples is not None
    if samples.wide is None:
        return Staged(found, _joined(arguments))
    exact = _joined(arguments) if operation != "where" else _of_choice(arguments)
    check = CHECKS.get(operation)
    holds = check(arguments, numbers, found) if check is not None else None
    if holds is not None:
        good = holds | ~samples.wide
        if not good.all():
            exact = good if exact is None else exact & good
    return Staged(found, exact)


def _all(masks: Sequence[Mask]) -> Mask:
    together = masks[0]
    for mask in masks[1:]:
        together = together & mask
    return together


def _joined(arguments: Sequence[Value]) -> Array | None:
    masks = [a.exact for a in arguments if isinstance(a, Staged) and a.exact is not None]
    masks += [a.exact[None] for a in arguments if isinstance(a, Doubtful)]
    return _all(masks) if masks else None


def _of_choice(arguments: Sequence[Value]) -> Array | None:
    """Only the branch that is taken need be exact."""
    condition, a, b = arguments
    exact = _joined([condition])
    masks = [_joined([branch]) for branch in (a, b)]
    if masks[0] is None and masks[1] is None:
        return exact
    taken = plain(condition) != 0
    if isinstance(condition, Staged):
        taken = taken[:-1]
    of_branch = np.where(taken, True if masks[0] is None else masks[0], True if masks[1] is None else masks[1])
    return of_branch if exact is None else exact & of_branch


def _interval_ends(value: Value) -> tuple[Any, Any]:
    """A value at both ends of each interval."""
    if isinstance(value, Staged):
        return value.values[:-1], value.values[1:]
    number = plain(value)
    return number, number


def _one_changes(arguments: Sequence[Value], numbers: Sequence[Any], found: Any) -> Mask:
    """A product is affine if at most one factor changes."""
    staged = [a for a in arguments if isinstance(a, Staged)]
    if len(staged) < 2:
        return None
    changes = [np.not_equal(*_interval_ends(a)) for a in staged]
    constant = changes[0]
    twice = np.zeros((), dtype=bool)
    for change in changes[1:]:
        twice = twice | (constant & change)
        constant = constant | change
    return np.asarray(~twice)


def _divisor_stays(arguments: Sequence[Value], numbers: Sequence[Any], found: Any) -> Mask:
    return np.equal(*_interval_ends(arguments[1])) if isinstance(arguments[1], Staged) else None


def _all_stay(arguments: Sequence[Value], numbers: Sequence[Any], found: Any) -> Mask:
    holds = [np.equal(*_interval_ends(a)) for a in arguments if isinstance(a, Staged)]
    return _all(holds)


def _no_crossing(arguments: Sequence[Value], numbers: Sequence[Any], found: Any) -> Mask:
    """One of the arguments is the extreme one at both ends, so also between."""
    low, high = found[:-1], found[1:]
    holds = None
    for argument in arguments:
        first, last = _interval_ends(argument)
        same = (first == low) & (last == high)
        holds = same if holds is None else holds | same
    assert holds is not None
    return holds


def _same_answer(arguments: Sequence[Value], numbers: Sequence[Any], found: Any) -> Mask:
    """Two lines that do not change sides at the ends do not between."""
    return np.equal(found[:-1], found[1:])


def _never_or_always_equal(arguments: Sequence[Value], numbers: Sequence[Any], found: Any) -> Mask:
    (a_first, a_last), (b_first, b_last) = map(_interval_ends, arguments)
    apart = np.sign(a_first - b_first) * np.sign(a_last - b_last) > 0
    return apart | ((found[:-1] == 1) & (found[1:] == 1))


def _same_choice(arguments: Sequence[Value], numbers: Sequence[Any], found: Any) -> Mask:
    """A condition that passes through zero between two stages holds at both and not inside."""
    condition = arguments[0]
    if not isinstance(condition, Staged):
        return None
    first, last = _interval_ends(condition)
    return (np.sign(first) * np.sign(last) > 0) | ((first == 0) & (last == 0))


CHECKS: Mapping[str, Callable[[Sequence[Value], Sequence[Any], Any], Mask]] = {
    "mul": _one_changes,
    "div": _divisor_stays,
    "pow": _all_stay,
    "min": _no_crossing,
    "max": _no_crossing,
    "floor": _all_stay,
    "ceil": _all_stay,
    "log": _all_stay,
    "mod": _all_stay,
    "table": _all_stay,
    "equal": _never_or_always_equal,
    "less": _same_answer,
    "at_most": _same_answer,
    "where": _same_choice,
}
"""Where the result of affine arguments is affine again; sums always are."""


def _of_run(values: Array, *parts: Value) -> Value:
    """What came of all stages, doubtful where some interval was."""
    masks = [a.exact.all(0) for a in parts if isinstance(a, Staged) and a.exact is not None]
    masks += [a.exact for a in parts if isinstance(a, Doubtful)]
    return Doubtful(values, _all(masks)) if masks else values


def _stage_sum(samples: StageSamples, x: Value) -> Value:
    if not isinstance(x, Staged):
        return pointwise("mul", np.multiply, (x, samples.at[-1] + 1.0), None)
    return _of_run(_running_sum(samples, x.values)[-1] + x.values[-1], x)


def _running_sum(samples: StageSamples, values: Array) -> Array:
    """Of the stages before each sample; between samples the trapezoid is the sum."""
    steps = np.diff(samples.at, axis=0)
    first, last = values[:-1], values[1:]
    each = steps * first if samples.wide is None else steps * first + (last - first) * ((steps - 1.0) * 0.5)
    total = np.cumsum(each, 0)
    return np.concatenate([np.zeros_like(total[:1]), total]) if len(total) else np.zeros_like(values)


def _stage_max(samples: StageSamples, x: Value) -> Value:
    return _of_run(x.values.max(0), x) if isinstance(x, Staged) else x


def _stage_pick(samples: StageSamples, value: Value, key: Value) -> Value:
    """The value on the first stage whose key is largest."""
    if not isinstance(value, Staged):
        return value
    if not isinstance(key, Staged):
        return _of_run(value.values[0], value, key)
    if len(key.values) > 8:
        values, keys = np.broadcast_arrays(value.values, key.values)
        return _of_run(np.take_along_axis(values, keys.argmax(0)[None], 0)[0], value, key)
    found = value.values[0]
    for its_value, higher in zip(value.values[1:], samples.higher(key), strict=True):
        found = np.where(higher, its_value, found)
    return _of_run(found, value, key)


def _each(samples: StageSamples, x: Value) -> Staged:
    if isinstance(x, Staged):
        return x
    number = np.asarray(plain(x), dtype=float)
    spread = np.broadcast_to(number, np.broadcast_shapes(samples.at.shape, number.shape))
    exact = x.exact[None] if isinstance(x, Doubtful) else None
    return Staged(spread, exact)


def _checked(samples: StageSamples, values: Array, holds: Array | None, exact: Array | None) -> Staged:
    if samples.wide is not None and holds is not None:
        good = holds | ~samples.wide
        if not good.all():
            exact = good if exact is None else exact & good
    return Staged(values, exact)


def _scanned(exact: Array | None, backwards: bool) -> Array | None:
    """What is summed up over intervals is exact as far as all of them are."""
    if exact is None:
        return None
    turned = exact[::-1] if backwards else exact
    together = np.logical_and.accumulate(turned, 0)
    return together[::-1] if backwards else together


def _sum_before(samples: StageSamples, x: Value) -> Value:
    each = _each(samples, x)
    stays = np.equal(each.values[:-1], each.values[1:]) if samples.wide is not None else None
    return _checked(samples, _running_sum(samples, each.values), stays, _scanned(each.exact, False))


def _max_to(samples: StageSamples, x: Value) -> Value:
    each = _each(samples, x)
    highest = np.maximum.accumulate(each.values, 0)
    holds = None
    if samples.wide is not None:
        holds = (each.values[1:] <= highest[:-1]) | (highest[:-1] == each.values[:-1])
    return _checked(samples, highest, holds, _scanned(each.exact, False))


def _max_from(samples: StageSamples, x: Value) -> Value:
    each = _each(samples, x)
    highest = np.maximum.accumulate(each.values[::-1], 0)[::-1]
    holds = None
    if samples.wide is not None:
        holds = (each.values[:-1] <= highest[1:]) | (highest[1:] == each.values[1:])
    return _checked(samples, highest, holds, _scanned(each.exact, True))


OVER_STAGES: Mapping[str, Callable[..., Value]] = {
    "stage_sum": _stage_sum,
    "stage_max": _stage_max,
    "stage_pick": _stage_pick,
    "sum_before": _sum_before,
    "max_to": _max_to,
    "max_from": _max_from,
}
"""Operations on what the stages have; picks over some of the stages are of derivatives, which a grid does not need."""
