"""All plans that differ from a question in one name, as stretches of one formula each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from symsim.analysis.load import Question
from symsim.analysis.solving.dimension_line import dimension_stretches
from symsim.analysis.solving.figure_line import figure_stretch
from symsim.analysis.solving.size_line import Lower, size_stretches
from symsim.analysis.solving.stretch import Array, Stretch
from symsim.analysis.varying import Varied
from symsim.emit.intervals import Bounds


@dataclass(frozen=True, slots=True)
class Line:
    """The plans along one name."""

    asked: Question
    about: Varied
    stretches: tuple[Stretch, ...]

    def holds(self, outputs: Sequence[str], values: Array) -> Array:
        """Whether the plans at values are legal, and every output (a condition) is true; there may be none."""
        found = np.zeros(values.shape, dtype=bool)
        for stretch, mine in self._parts(values):
            true = np.ones(mine.shape, dtype=bool)
            for output in stretch.evaluate(outputs, values[mine]):
                true &= output == 1
            found[mine] = true
        return found

    def values(self, outputs: Sequence[str], values: Array) -> list[Array]:
        """Outputs at values; no number where the plan is not legal."""
        found = [np.full(values.shape, np.nan) for _ in outputs]
        for stretch, mine in self._parts(values):
            for whole, part in zip(found, stretch.evaluate(outputs, values[mine]), strict=True):
                whole[mine] = part
        return found

    def _parts(self, values: Array) -> list[tuple[Stretch, Array]]:
        """Each stretch with the places of its legal values."""
        out = []
        for stretch in self.stretches:
            mine = np.flatnonzero(stretch.covers(values))
            if mine.size:
                mine = mine[stretch.legal(values[mine])]
            if mine.size:
                out.append((stretch, mine))
        return out

    def may_hold(self, outputs: Sequence[str], low: Array, high: Array) -> Array:
        """False where no value of a range can be legal with every output true."""
        found = np.zeros(low.shape, dtype=bool)
        for stretch in self.stretches:
            found |= stretch.may_hold(outputs, low, high)
        return found

    def may_break(self, outputs: Sequence[str], low: Array, high: Array) -> Array:
        """False where no legal value of a range can have an output false."""
        found = np.zeros(low.shape, dtype=bool)
        for stretch in self.stretches:
            found |= stretch.may_break(outputs, low, high)
        return found

    def bounds(self, output: str, low: Array, high: Array) -> Bounds:
        """Bounds of an output over ranges, of all formulas that a range may have."""
        least, most = np.full(low.shape, np.inf), np.full(low.shape, -np.inf)
        for stretch in self.stretches:
            found = stretch.bounds_of([stretch.program.outputs[output].register], low, high)[0]
            may = stretch.may_hold((), low, high)
            lower, upper = (found.low, found.high) if found is not None else (-np.inf, np.inf)
            least, most = np.where(may, np.minimum(least, lower), least), np.where(may, np.maximum(most, upper), most)
        return Bounds(least, most)

    def stretch_at(self, value: float) -> Stretch | None:
        only = np.array([float(value)])
        return next((s for s in self.stretches if s.covers(only)[0]), None)


def line(asked: Question, about: Varied, lower: Lower) -> Line:
    """The line of a name through a question, with every formula that its range needs.

    Raises:
        InputError: a choice without a formula, or too many sets of formulas.
    """
    match about.of:
        case "size":
            stretches = size_stretches(asked, about, lower)
        case "figure":
            stretches = [figure_stretch(asked, about, lower)]
        case "dimension":
            stretches = dimension_stretches(asked, about, lower)
    return Line(asked, about, tuple(stretches))
