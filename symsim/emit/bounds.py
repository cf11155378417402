"""Which way a register of a program goes when another one grows, as far as signs tell.

If an objective never falls when some of its parts grow, and these parts are never negative, then the objective
with 0 in their place is a bound from below: cheap where the parts are what is dear.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from symsim.emit.program import Instruction, operands

RISING = frozenset({"add", "min", "max", "stage_sum", "stage_max", "sum_before", "max_to", "max_from", "floor", "ceil"})
"""Operations that never fall when an operand grows, and are not negative where no operand is."""

TRUTHS = frozenset({"equal", "less", "at_most"})


def never_falls(
    instructions: Sequence[Instruction], inputs: int, target: int, parts: Collection[int], positive: Collection[int]
) -> int | None:
    """1: the target never falls when ``parts`` grow, −1: it never rises, 0: it has nothing to do with them.

    ``None``: signs do not tell. ``inputs`` is the number of inputs, which are sizes and therefore positive, as
    the registers of ``positive`` are.
    """
    cone = _cone(instructions, inputs, target)
    signs: dict[int, bool] = {}
    ways: dict[int, int | None] = {}
    for register in cone:
        if register <= inputs:
            signs[register], ways[register] = True, 1 if register in parts else 0
            continue
        operation, *arguments = instruction = instructions[register - inputs - 1]
        read = operands(instruction)
        known = [signs[r] for r in read]
        signs[register] = register in positive or register in parts or _not_negative(operation, arguments, known)
        ways[register] = 1 if register in parts else _way(operation, [ways[r] for r in read], known)
    return ways[target]


def _cone(instructions: Sequence[Instruction], inputs: int, target: int) -> list[int]:
    needed: set[int] = set()
    pending = [target]
    while pending:
        register = pending.pop()
        if register not in needed:
            needed.add(register)
            if register > inputs:
                pending += operands(instructions[register - inputs - 1])
    return sorted(needed)


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
