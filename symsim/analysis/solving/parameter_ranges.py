"""All plans that differ from a question in one name, as ranges of one formula each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symsim.analysis.one_parameter import Parameter
from symsim.analysis.solving.dimension_ranges import dimension_ranges
from symsim.analysis.solving.figure_range import figure_range
from symsim.analysis.solving.formula_range import Array, FormulaRange
from symsim.analysis.solving.size_ranges import Lower, size_ranges
from symsim.emit.intervals import Bounds
from symsim.loading.question import Question


@dataclass(frozen=True, slots=True)
class ParameterRanges:
    """The plans along one name."""

    asked: Question
    about: Parameter
    ranges: tuple[FormulaRange, ...]

    def holds(self, outputs: Sequence[str], values: Array) -> Array:
        """Whether the plans at values are legal, and every output (a condition) is true; there may be none."""
        found = np.zeros(values.shape, dtype=bool)
        for formulas, mine in self._parts(values):
            true = np.ones(mine.shape, dtype=bool)
            for output in formulas.evaluate(outputs, values[mine]):
                true &= output == 1
            found[mine] = true
        return found

    def values(self, outputs: Sequence[str], values: Array) -> list[Array]:
        """Outputs at values; no number where the plan is not legal."""
        found = [np.full(values.shape, np.nan) for _ in outputs]
        for formulas, mine in self._parts(values):
            for whole, part in zip(found, formulas.evaluate(outputs, values[mine]), strict=True):
                whole[mine] = part
        return found

    def _parts(self, values: Array) -> list[tuple[FormulaRange, Array]]:
        """The formulas of each range with the positions of its legal values."""
        out = []
        for formulas in self.ranges:
            mine = np.flatnonzero(formulas.covers(values))
            if mine.size:
                mine = mine[formulas.legal(values[mine])]
            if mine.size:
                out.append((formulas, mine))
        return out

    def may_hold(self, outputs: Sequence[str], low: Array, high: Array) -> Array:
        """False where no value of a range can be legal with every output true."""
        found = np.zeros(low.shape, dtype=bool)
        for formulas in self.ranges:
            found |= formulas.may_hold(outputs, low, high)
        return found

    def may_break(self, outputs: Sequence[str], low: Array, high: Array) -> Array:
        """False where no legal value of a range can have an output false."""
        found = np.zeros(low.shape, dtype=bool)
        for formulas in self.ranges:
            found |= formulas.may_break(outputs, low, high)
        return found

    def bounds(self, output: str, low: Array, high: Array) -> Bounds:
        """Bounds of an output over ranges, of all formulas that a range may have."""
        least, most = np.full(low.shape, np.inf), np.full(low.shape, -np.inf)
        for formulas in self.ranges:
            found = formulas.bounds_of([formulas.program.outputs[output].register], low, high)[0]
            may = formulas.may_hold((), low, high)
            lower, upper = (found.low, found.high) if found is not None else (-np.inf, np.inf)
            least, most = np.where(may, np.minimum(least, lower), least), np.where(may, np.maximum(most, upper), most)
        return Bounds(least, most)

    def range_at(self, value: float) -> FormulaRange | None:
        only = np.array([float(value)])
        return next((s for s in self.ranges if s.covers(only)[0]), None)


def parameter_ranges(asked: Question, about: Parameter, lower: Lower) -> ParameterRanges:
    """The line of a name through a question, with every formula that its range needs.

    Raises:
        InputError: a choice without a formula, or too many sets of formulas.
    """
    match about.of:
        case "size":
            ranges = size_ranges(asked, about, lower)
        case "figure":
            ranges = [figure_range(asked, about, lower)]
        case "dimension":
            ranges = dimension_ranges(asked, about, lower)
    return ParameterRanges(asked, about, tuple(ranges))
