"""The operations of programs on arrays, and on arrays of each class of stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symsim.emit.code import settled
from symsim.emit.partition import Array, Partitions, Staged

Value = Any
"""A number, an array, or :class:`Staged`."""

Lookup = Callable[..., Any]


def _sum(*arguments: Any) -> Any:
    total = arguments[0] + arguments[1]
    for argument in arguments[2:]:
        total = total + argument
    return total


def _product(*arguments: Any) -> Any:
    product = arguments[0] * arguments[1]
    for argument in arguments[2:]:
        product = product * argument
    return product


def _least(*arguments: Any) -> Any:
    least = arguments[0]
    for argument in arguments[1:]:
        least = np.minimum(least, argument)
    return least


def _most(*arguments: Any) -> Any:
    most = arguments[0]
    for argument in arguments[1:]:
        most = np.maximum(most, argument)
    return most


def _power(base: Any, exponent: Any) -> Any:
    return base * base if np.ndim(exponent) == 0 and exponent == 2 else base**exponent


def _one(argument: Any) -> Any:
    return argument


POINTWISE: Mapping[str, Callable[..., Any]] = {
    "add": _sum,
    "mul": _product,
    "div": lambda a, b: a / b,
    "pow": _power,
    "min": _least,
    "max": _most,
    "floor": lambda x: np.floor(settled(x)),
    "ceil": lambda x: np.ceil(settled(x)),
    "log": np.log,
    "mod": lambda a, b: a % b,
    "equal": lambda a, b: np.equal(a, b) + 0.0,
    "less": lambda a, b: np.less(a, b) + 0.0,
    "at_most": lambda a, b: np.less_equal(a, b) + 0.0,
    "where": lambda c, a, b: np.where(np.not_equal(c, 0), a, b),
}


def apply(
    operation: str, arguments: Sequence[Value], partitions: Partitions | None, lookup: Callable[..., Any]
) -> Value:
    """One instruction; ``lookup`` answers where it is ``table``. Arrays broadcast along their last axes."""
    if operation == "table":
        compute = lookup
    elif operation in POINTWISE:
        compute = POINTWISE[operation] if len(arguments) > 1 or operation in ("floor", "ceil", "log") else _one
    else:
        assert partitions is not None
        return OVER_STAGES[operation](partitions, *arguments)
    staged = [a for a in arguments if isinstance(a, Staged)]
    if not staged:
        return compute(*arguments)
    assert partitions is not None
    common = staged[0].partition
    for other in staged[1:]:
        common = partitions.join(common, other.partition)
    return Staged(compute(*(a.spread(common) if isinstance(a, Staged) else a for a in arguments)), common)


def _stage_sum(partitions: Partitions, x: Value) -> Value:
    if not isinstance(x, Staged):
        return x * float(partitions.stages)
    if x.partition.is_whole and len(x.values) == partitions.stages:
        return x.values.sum(0)
    return np.tensordot(x.partition.counts, np.broadcast_to(x.values, (len(x.partition.first), *x.values.shape[1:])), 1)


def _stage_max(partitions: Partitions, x: Value) -> Value:
    return x.values.max(0) if isinstance(x, Staged) else x


def _stage_pick(partitions: Partitions, value: Value, key: Value) -> Value:
    """The value on the first stage whose key is largest."""
    if not isinstance(value, Staged):
        return value
    if not isinstance(key, Staged):
        return value.values[0]
    common = partitions.join(value.partition, key.partition)
    values, keys = np.broadcast_arrays(value.spread(common), key.spread(common))
    if len(keys) > 8:
        return np.take_along_axis(values, keys.argmax(0)[None], 0)[0]
    best, found = keys[0], values[0]
    for later, its_value in zip(keys[1:], values[1:], strict=True):
        higher = later > best
        best, found = np.where(higher, later, best), np.where(higher, its_value, found)
    return found


def _each_stage(partitions: Partitions, x: Value) -> Array:
    whole = partitions.whole
    spread = x.spread(whole) if isinstance(x, Staged) else np.asarray(x, dtype=float)[None]
    return np.broadcast_to(spread, (partitions.stages, *spread.shape[1:]))


def _sum_before(partitions: Partitions, x: Value) -> Value:
    each = _each_stage(partitions, x)
    return Staged(np.cumsum(each, 0) - each, partitions.whole)


def _max_to(partitions: Partitions, x: Value) -> Value:
    return Staged(np.maximum.accumulate(_each_stage(partitions, x), 0), partitions.whole)


def _max_from(partitions: Partitions, x: Value) -> Value:
    return Staged(np.maximum.accumulate(_each_stage(partitions, x)[::-1], 0)[::-1], partitions.whole)


OVER_STAGES: Mapping[str, Callable[..., Value]] = {
    "stage_sum": _stage_sum,
    "stage_max": _stage_max,
    "stage_pick": _stage_pick,
    "sum_before": _sum_before,
    "max_to": _max_to,
    "max_from": _max_from,
}
"""Operations on what the stages have; picks over some of the stages are of derivatives, which are not swept."""
