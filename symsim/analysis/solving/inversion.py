"""The condition that binds, solved for the name in closed form on the piece that holds at the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from symsim.analysis.solving.condition import Condition
from symsim.analysis.solving.parameter_ranges import ParameterRanges
from symsim.emit.rational_piece import NotRationalError, Polynomial, Rational, roots


@dataclass(frozen=True, slots=True)
class Inverse:
    """``root`` is where both sides of the condition are equal; they are rational functions of the name there."""

    condition: Condition
    root: float
    left: Rational
    right: Rational

    @property
    def residual(self) -> float:
        """By how much the sides differ at the root, as a share of the right one."""
        left, right = (value_of(side, self.root) for side in (self.left, self.right))
        return abs(left - right) / (abs(right) or 1.0)


def inverse(plans: ParameterRanges, wanted: Sequence[Condition], holds: float, fails: float) -> Inverse | None:
    """The root of the first condition that fails next to the answer; ``None`` where it has no closed form there.

    It lies between ``holds``, the answer or a number near it, and ``fails``.
    """
    import numpy as np

    formulas = plans.range_at(holds)
    if formulas is None:
        return None
    low, high = min(holds, fails), max(holds, fails)
    for condition in wanted:
        if condition.left not in formulas.program.outputs:
            continue
        (there,) = plans.values([condition.label], np.array([fails]))[0]
        if there == 1:
            continue
        for at in (holds, fails):
            try:
                left, right = formulas.piece(condition.left, at), formulas.piece(condition.right, at)
                found = [x for x in roots(left.minus(right)) if low * (1 - ROUNDING) <= x <= high * (1 + ROUNDING)]
            except (NotRationalError, ArithmeticError):
                continue
            if len(found) == 1:
                return Inverse(condition, found[0], left, right)
    return None


ROUNDING = 1e-12


def value_of(side: Rational, at: float) -> float:
    return _polynomial(side.above, at) / _polynomial(side.below, at)


def _polynomial(coefficients: Polynomial, at: float) -> float:
    total = 0.0
    for coefficient in reversed(coefficients):
        total = total * at + coefficient
    return total
