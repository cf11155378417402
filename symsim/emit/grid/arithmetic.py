"""The operations of programs on arrays, and on arrays of sampled stages."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from symsim.emit.code import settled
from symsim.emit.grid.sampled_stages import OVER_STAGES, StageSamples, Value, pointwise

Lookup = Callable[..., Any]


def _by_size(arguments: Sequence[Any]) -> Sequence[Any]:
    """Small arrays first, so that the large shape comes in as late as it can."""
    return sorted(arguments, key=np.size) if len(arguments) > 2 else arguments


def _sum(*arguments: Any) -> Any:
    first, second, *rest = _by_size(arguments)
    total = first + second
    for argument in rest:
        total = _onto(np.add, total, argument)
    return total


def _product(*arguments: Any) -> Any:
    first, second, *rest = _by_size(arguments)
    product = first * second
    for argument in rest:
        product = _onto(np.multiply, product, argument)
    return product


def _onto(operation: Any, whole: Any, argument: Any) -> Any:
    """In place where the result has the same shape: ``whole`` is nobody else's."""
    if isinstance(argument, float) or np.shape(argument) == np.shape(whole):
        return operation(whole, argument, out=whole) if isinstance(whole, np.ndarray) else operation(whole, argument)
    return operation(whole, argument)


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


def apply(operation: str, arguments: Sequence[Value], samples: StageSamples | None, lookup: Lookup) -> Value:
    """One instruction; ``lookup`` answers where it is ``table``. Arrays broadcast along their last axes."""
    if operation in OVER_STAGES:
        assert samples is not None
        return OVER_STAGES[operation](samples, *arguments)
    if operation == "table":
        compute = lookup
    else:
        compute = POINTWISE[operation] if len(arguments) > 1 or operation in ("floor", "ceil", "log") else _one
    return pointwise(operation, compute, arguments, samples)
