"""Every function of the language: how many arguments it takes, an example, and what it makes of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from symsim.diagnostics import Place, error

MOST_ARGUMENTS = 64


@dataclass(frozen=True, slots=True)
class Function:
    """``least`` to ``most`` arguments; ``compute`` takes exact numbers.

    ``compute`` is ``None`` where numbers alone are not enough: a quantity of each pipeline stage is needed.
    """

    least: int
    most: int
    example: str
    compute: Callable[..., Any] | None


def divisors(n: Any) -> frozenset[int]:
    """All positive divisors of n ≤ 10^12, by trial division."""
    if not isinstance(n, int) or not 0 < n <= 10**12:
        raise ValueError("divisors() takes one positive integer up to 10^12")
    small = [d for d in range(1, math.isqrt(n) + 1) if n % d == 0]
    return frozenset(small) | frozenset(n // d for d in small)


FUNCTIONS: Mapping[str, Function] = {
    "min": Function(1, MOST_ARGUMENTS, "min(layers, 8)", lambda *values: min(values)),
    "max": Function(1, MOST_ARGUMENTS, "max(layers, 8)", lambda *values: max(values)),
    "ceil": Function(1, 1, "ceil(layers / 8)", math.ceil),
    "floor": Function(1, 1, "floor(layers / 8)", math.floor),
    "divisors": Function(1, 1, "divisors(96)", divisors),
    "several": Function(1, 1, "several(ep)", lambda n: int(n > 1)),
}
"""Functions of numbers, which every expression may use."""

STAGE_FUNCTIONS: Mapping[str, Function] = {
    "max_stages": Function(1, 1, "max_stages(peak)", None),
    "sum_stages": Function(1, 1, "sum_stages(params)", None),
}
"""Functions that make one number of what each pipeline stage has its own of: for what is asked of a plan."""


def check_count(name: str, given: int, place: Place) -> None:
    """Refuse a known function with a wrong number of arguments.

    Raises:
        InputError: too few or too many.
    """
    function = FUNCTIONS.get(name) or STAGE_FUNCTIONS[name]
    if not function.least <= given <= function.most:
        message = f"{name}() takes {_count(function.least, function.most)}, not {given}"
        raise error("E205", message, place, f"for example {function.example}")


def _count(least: int, most: int) -> str:
    return f"{least} argument{'s' * (least != 1)}" if least == most else f"{least} to {most} arguments"
