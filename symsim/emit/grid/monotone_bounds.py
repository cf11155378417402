"""Registers at both ends of a box: never above, and never below, what they are anywhere in it.

A box has all values of some inputs. What grows with them is smallest where they are, what falls is smallest where
they are largest; sums, products of what is not negative, quotients and comparisons follow from their parts. So two
values tell of a whole box that a plan in it cannot fit, or that all of them do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from symsim.emit.grid.sign_analysis import RISING, Signs
from symsim.emit.program import Instruction, operands

Pair = tuple[int, int]
"""The registers of the lower and of the upper end; twice the same where nothing moves."""


class MonotoneBounds:
    """``emit`` writes an instruction on registers and gives its own; ``values`` are those of each input of the box."""

    def __init__(
        self,
        instructions: Sequence[Instruction],
        signs: Signs,
        emit: Callable[..., int],
        values: Mapping[int, Sequence[float]],
    ) -> None:
        self._instructions = instructions
        self._signs = signs
        self._emit = emit
        self._known: dict[int, Pair | None] = {k: (k, k) for k in range(signs.inputs + 1)}
        for place, of_input in values.items():
            self._known[place] = (emit("const", min(of_input)), emit("const", max(of_input)))

    def of(self, target: int) -> Pair | None:
        """``None`` where it is not known."""
        pending = [target]
        while pending:
            asked = pending[-1]
            if asked in self._known:
                pending.pop()
                continue
            instruction = self._instruction(asked)
            missing = [r for r in operands(instruction) if r not in self._known]
            pending += missing
            if not missing:
                self._known[asked] = self._made(asked, instruction)
        return self._known[target]

    def _instruction(self, register: int) -> Instruction:
        return self._instructions[register - self._signs.inputs - 1]

    def _made(self, register: int, instruction: Instruction) -> Pair | None:
        operation, *_ = instruction
        read = operands(instruction)
        pairs = [pair for pair in map(self._known.get, read) if pair is not None]
        if len(pairs) < len(read):
            return None
        if all(low == high for low, high in pairs):
            return register, register
        lows, highs = ([pair[k] for pair in pairs] for k in (0, 1))
        if operation in RISING or (operation == "mul" and self._factors_rise(pairs)):
            return self._emit(operation, *lows), self._emit(operation, *highs)
        if operation == "div" and self._not_negative(lows):
            return self._emit("div", lows[0], highs[1]), self._emit("div", highs[0], lows[1])
        if operation in ("less", "at_most"):
            return self._emit(operation, highs[0], lows[1]), self._emit(operation, lows[0], highs[1])
        if operation == "where" and lows[0] == highs[0]:
            return self._emit("where", *lows), self._emit("where", *highs)
        return None

    def _factors_rise(self, pairs: Sequence[Pair]) -> bool:
        """One factor that moves may have any sign, if no other is negative."""
        moving = [low for low, high in pairs if low != high]
        still = [low for low, high in pairs if low == high]
        return self._not_negative(still if len(moving) == 1 else [*still, *moving])

    def _not_negative(self, registers: Sequence[int]) -> bool:
        return all(map(self._signs.not_negative, registers))
