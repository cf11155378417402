"""What a machine that is better by a tenth in one figure would gain: the same formulas, evaluated there."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from symsim.records.system import System
from symsim.units import UNITS

FASTER = 1.1
"""How much more of a rate or a capacity is asked about."""

SHORTER = 0.9
"""How much of a duration."""

RATE_UNITS = frozenset(base for _, base in UNITS.values() if base.endswith("/s"))
"""Units of figures of which more is faster."""


@dataclass(frozen=True, slots=True)
class Gain:
    """``figure`` times ``factor`` makes ``there`` of what is asked; ``change`` is that over what it is now, less 1."""

    figure: str
    value: float
    unit: str
    factor: float
    there: float
    change: float | None


def factor_of(unit: str) -> float | None:
    """How much of a figure the better machine has; ``None`` for what is not bought, such as an efficiency."""
    return SHORTER if unit == "s" else FASTER if unit in RATE_UNITS or unit == "B" else None


def gains(system: System, figures: Iterable[str], here: float, there: Callable[[str, float], float]) -> list[Gain]:
    """What each of ``figures`` gains, the largest change first.

    ``there(figure, value)`` evaluates what is asked on the machine with that value; ``here`` is what it is now.
    """
    found: list[Gain] = []
    for name in figures:
        figure = system.figures[name]
        factor = factor_of(figure.unit)
        if factor is not None:
            value = there(name, figure.value * factor)
            found.append(Gain(name, figure.value, figure.unit, factor, value, value / here - 1 if here else None))
    return sorted(found, key=lambda gain: -abs(gain.there - here))
