"""The derivative of one quantity along a name, at the point and on either side of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symsim.analysis.sensitivities.sensitivity_names import Direction
from symsim.analysis.sensitivities.switches import Side, Switch, Switches, same
from symsim.emit.code import Compiled, TableLookup, compile_scalar
from symsim.emit.derivative import partial
from symsim.emit.directional_derivative import NUDGE, along, directional
from symsim.emit.program import Program

SIDEWAYS = 1e-9
"""How far off the point, as a part of a value, the formulas decide which side of a kink they follow."""

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Slope:
    """``middle`` follows the first of equal arguments; ``left`` and ``right`` are equal where there is no kink."""

    middle: float
    left: float
    right: float


class Slopes:
    """Compiled once for a quantity of a program by figures; asked for any values of its inputs and any name."""

    def __init__(self, program: Program, output: str) -> None:
        self._slope = directional(program, output, program.inputs)
        self._function = compile_scalar(self._slope.program, [self._slope.slope])
        self._everything: tuple[Compiled, list[int]] | None = None
        self._ignored = frozenset({output, partial(output, NUDGE)})

    def at(self, values: Values, lookup: TableLookup, name: Direction) -> Slope:
        """The derivative per unit of the name. What cannot be smaller has no slope below: it is that above."""
        aside = SIDEWAYS * abs(name.value)
        middle, right = (float(self._run(self._function, values, lookup, name, n)[0]) for n in (0.0, aside))
        if name.value <= name.least:
            return Slope(right, right, right)
        left = float(self._run(self._function, values, lookup, name, -aside)[0])
        return Slope(middle, middle, middle) if same(left, right) else Slope(middle, left, right)

    def switches(self, values: Values, lookup: TableLookup, name: Direction) -> list[Switch]:
        """What switches at a kink."""
        program, tangents = self._slope.program, self._slope.tangents
        if self._everything is None:
            registers = [k for k in program.leading_to(self._slope.value) if k != program.stage_register]
            wanted = [*registers, *(tangents[k] for k in registers if k in tangents)]
            self._everything = compile_scalar(program, wanted), registers
        function, registers = self._everything
        moving = [k for k in registers if k in tangents]
        sides, found = [], {}
        for nudge in (-SIDEWAYS * abs(name.value), SIDEWAYS * abs(name.value)):
            numbers = self._run(function, values, lookup, name, nudge)
            found = dict(zip(registers, numbers[: len(registers)], strict=True))
            sides.append(Side(dict(zip(moving, numbers[len(registers) :], strict=True)), nudge))
        return Switches(self._slope, self._ignored).between(found, *sides)

    def _run(
        self, function: Compiled, values: Values, lookup: TableLookup, name: Direction, nudge: float
    ) -> tuple[Any, ...]:
        given = {**values, **{along(n): rate for n, rate in name.moves.items()}, NUDGE: nudge}
        return function.run([given.get(n, 0.0) for n in function.inputs], lookup)
