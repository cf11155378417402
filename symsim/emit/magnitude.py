"""How large the exact numbers of a program can become, known before it runs.

Floating point has a largest number; exact numbers grow as long as there is memory, and a few squarings of
squarings never end. So a program that comes from outside (an entry of the disk cache, an
expression of the command line behind it) is asked first how many bits its registers can need.
"""

from __future__ import annotations

from collections.abc import Sequence

from symsim.emit.program import Instruction, Program

INPUT_BITS = 64
"""Bits of a size or of a model's dimension: both have smaller bounds of their own. Figures of a machine are floats."""

FLOAT_BITS = 1024
"""Bits of the largest float, which is what rounding one down or up can give."""

MAX_BITS = 2**16
"""Most bits of a number in a program; programs of shipped models need a sixth of it."""

STAGE_BITS = 14
"""Bits of the number of pipeline stages: so much a sum over them can add."""

_SAME = frozenset({"min", "max", "stage_max", "stage_pick", "max_to", "max_from", "pick_to", "pick_from"})
_FLAGS = frozenset({"equal", "less", "at_most"})
_FLOATS = frozenset({"log", "table"})


def bits_of(program: Program) -> list[int]:
    """For each register the most bits of an exact number in it; 0 where it can only be a float.

    Exact numbers are whole, or fractions of whole numbers (``dp`` of a plan whose mesh does not divide its
    GPUs), whose quotients are fractions again.

    Raises:
        ValueError: a register needs more than :data:`MAX_BITS`.
    """
    found = [0 if "." in name else INPUT_BITS for name in program.inputs]
    found.append(STAGE_BITS)
    first = len(found)
    for instruction in program.instructions:
        found.append(bits(instruction, found, program.instructions, first))
    return found


def bits(instruction: Instruction, known: Sequence[int], others: Sequence[Instruction], first: int) -> int:
    """The same for one instruction behind registers that are known; the register ``first`` is that of the first of
    ``others``.

    Raises:
        ValueError: more than :data:`MAX_BITS`.
    """
    operation = instruction[0]
    if operation == "const":
        number = instruction[1]
        needed = number.bit_length() if type(number) is int else 0
    elif operation in _FLOATS:
        return 0
    elif operation in _FLAGS:
        return 1
    elif operation in ("mul", "div", "mod"):
        needed = sum([known[k] for k in instruction[1:]])
    elif operation == "add":
        needed = max([known[k] for k in instruction[1:]]) + len(instruction).bit_length()
    elif operation in _SAME:
        needed = max([known[k] for k in instruction[1:]])
    elif operation in ("floor", "ceil"):
        needed = known[instruction[1]] or FLOAT_BITS
    elif operation == "where":
        needed = max(known[instruction[2]], known[instruction[3]])
    elif operation == "pow":
        needed = _power(known[instruction[1]], instruction[2], known, others, first)
    else:
        needed = known[instruction[1]] + STAGE_BITS
    if needed > MAX_BITS:
        raise ValueError(f"a number of {needed:,} bits")
    return needed


def _power(base: int, exponent: int, known: Sequence[int], others: Sequence[Instruction], first: int) -> int:
    """A power of −1, 0 or 1 is one of them; any other whole number takes its exponent times as many bits."""
    if base <= 1:
        return base
    raised = others[exponent - first] if exponent >= first else None
    if raised is not None and raised[0] == "const":
        return base * abs(raised[1]) if type(raised[1]) is int else 0
    return base << min(known[exponent], 64)
