"""Which way a register of a program goes when others grow, as far as signs tell.

If an objective never falls when some of its parts grow, and these parts are never negative, then the objective
with 0 in their place is a bound from below: cheap where the parts are what is dear.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from symsim.emit.program import Instruction, operands

RISING = frozenset({"add", "min", "max", "stage_sum", "stage_max", "sum_before", "max_to", "max_from", "floor", "ceil"})
"""Operations that never fall when an operand grows, and are not negative where no operand is."""

TRUTHS = frozenset({"equal", "less", "at_most"})


class Signs:
    """What is known of a program that grows: registers that are not negative.

    ``inputs`` is their number; they are sizes, and therefore positive.
    """

    def __init__(self, instructions: Sequence[Instruction], inputs: int) -> None:
        self._instructions = instructions
        self.inputs = inputs
        self._known: dict[int, bool] = {}

    def declare(self, registers: Collection[int]) -> None:
        """These are not negative, for a reason that signs do not show."""
        self._known |= dict.fromkeys(registers, True)

    def not_negative(self, register: int) -> bool:
        pending = [register]
        while pending:
            asked = pending[-1]
            if asked in self._known:
                pending.pop()
            elif asked <= self.inputs:
                self._known[asked] = True
            else:
                operation, *arguments = instruction = self._instructions[asked - self.inputs - 1]
                read = operands(instruction)
                missing = [r for r in read if r not in self._known]
                if missing:
                    pending += missing
                else:
                    self._known[asked] = _not_negative(operation, arguments, [self._known[r] for r in read])
        return self._known[register]

    def above(self, target: int, parts: Collection[int]) -> list[int]:
        """The registers that lead from ``parts`` to the target, in order; a part is not one of them."""
        lowest = max(min(parts), self.inputs)
        cone: set[int] = set()
        pending = [target]
        while pending:
            register = pending.pop()
            # What was written before the first part does not know of it.
            if register > lowest and register not in cone and register not in parts:
                cone.add(register)
                pending += operands(self._instructions[register - self.inputs - 1])
        reached = set(parts)
        for register in sorted(cone):
            if any(r in reached for r in operands(self._instructions[register - self.inputs - 1])):
                reached.add(register)
        return sorted(reached - set(parts))

    def way(self, target: int, parts: Collection[int]) -> int | None:
        """1: the target never falls when ``parts`` grow, −1: it never rises, 0: it has nothing to do with them.

        ``None``: signs do not tell.
        """
        ways: dict[int, int | None] = dict.fromkeys(parts, 1)
        for register in self.above(target, parts):
            operation, *_ = instruction = self._instructions[register - self.inputs - 1]
            read = operands(instruction)
            found = [ways.get(r, 0) for r in read]
            ways[register] = _way(operation, found, [r in parts or self.not_negative(r) for r in read])
        return ways.get(target, 0)


def _not_negative(operation: str, arguments: Sequence[float], known: Sequence[bool]) -> bool:
    if operation == "const":
        return arguments[0] >= 0
    if operation in TRUTHS:
        return True
    if operation == "max":
        return any(known)
    if operation == "where":
        return all(known[1:])
    return operation in (*RISING, "mul", "div", "pow", "mod", "stage_pick") and all(known)


def _way(operation: str, ways: Sequence[int | None], known: Sequence[bool]) -> int | None:
    if all(way == 0 for way in ways):
        return 0
    if any(way is None for way in ways):
        return None
    moving = {way for way in ways if way}
    if len(moving) == 1 and operation in RISING:
        return moving.pop()
    if len(moving) == 1 and operation == "mul":
        others = (sign for way, sign in zip(ways, known, strict=True) if way == 0)
        factors = [sign for way, sign in zip(ways, known, strict=True) if way != 0]
        return moving.pop() if all(others) and (len(factors) == 1 or all(factors)) else None
    if operation == "div":
        above, below = ways
        if below == 0:
            return above if known[1] else None
        return -below if above == 0 and all(known) and below is not None else None
    return None
