"""Sums put together anew: what depends on few axes is added first, and what many sums share is added once.

A sum of weights, gradients, optimizer states and activations is wanted for every combination of all axes, though
each part depends on some of them. Added in the order of their axes, all but the last addition are made on few
combinations; and weights plus gradients, which all variants have in common, are added once for all of them.

What the slowest stage spends on each item adds up to what it takes: where a sum has all items of a quantity, each
picked from the stage where that quantity is largest, the largest is taken instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from symsim.emit.program import REDUCING, SCANNING, Instruction, Program, renumbered

Axes = tuple[bool, int]
"""Whether stages come into a register, and the inputs that it depends on, as bits."""


def regrouped(program: Program, wanted: Iterable[int]) -> tuple[Program, Mapping[int, int]]:
    """What leads to some registers, with its sums regrouped; and where each register is now.

    Outputs and rules of the program are left out. Values differ from the program's own in rounding alone.
    """
    writer = _Writer(program)
    live = [register for register in program.leading_to(*wanted) if register > program.stage_register]
    sums: dict[int, list[int]] = {}
    for register in live:
        if writer.is_sum(register):
            for operand in program.operands(register):
                sums.setdefault(operand, []).append(register)
    for register in live:
        if writer.is_sum(register):
            writer.place[register] = writer.total(register, sums)
        else:
            writer.place[register] = writer.add(*renumbered(writer.instruction(register), writer.place.__getitem__))
    return Program(program.title, program.inputs, tuple(writer.instructions), {}, ()), writer.place


def dependence(program: Program) -> tuple[list[int], list[bool]]:
    """By register: the inputs that it depends on, as bits; whether stages come into it."""
    depends = [1 << k for k in range(len(program.inputs))] + [0]
    staged = [False] * len(program.inputs) + [True]
    pp = 1 << program.inputs.index("pp")
    for position, (operation, *_) in enumerate(program.instructions):
        read = program.operands(program.register_of(position))
        mask = 0
        for register in read:
            mask |= depends[register]
        over = operation in REDUCING or operation in SCANNING or any(staged[r] for r in read)
        depends.append(mask | pp if over else mask)
        staged.append(over)
    return depends, staged


class _Writer:
    """The new program; ``place`` is where it has the registers of the old one."""

    def __init__(self, program: Program) -> None:
        self._program = program
        depends, staged = dependence(program)
        self._axes: list[Axes] = list(zip(staged, depends, strict=True))
        self.instructions: list[Instruction] = []
        self.place = {k: k for k in range(program.stage_register + 1)}
        self._seen: dict[Instruction, int] = {}

    def instruction(self, register: int) -> Instruction:
        first = self._program.register_of(0)
        return self._program.instructions[register - first] if register >= first else ("input", register)

    def is_sum(self, register: int) -> bool:
        """Of more than two: the order of two does not matter."""
        operation, *read = self.instruction(register)
        return operation == "add" and len(read) > 2

    def add(self, *instruction: object) -> int:
        known = self._seen.get(instruction)
        if known is None:
            self.instructions.append(instruction)
            known = self._seen[instruction] = self._program.stage_register + len(self.instructions)
        return known

    def total(self, register: int, sums: Mapping[int, Sequence[int]]) -> int:
        """One sum: its operands by the sums that they are in, then by their axes."""
        together: dict[tuple[int, ...], list[tuple[Axes, int]]] = {}
        largest, left = self._largest(self._program.operands(register))
        for operand in left:
            together.setdefault(tuple(sums[operand]), []).append((self._axes[operand], self.place[operand]))
        return self._along_axes([*(self._along_axes(parts) for parts in together.values()), *largest])[1]

    def _along_axes(self, parts: Sequence[tuple[Axes, int]]) -> tuple[Axes, int]:
        """Parts added from those of fewest axes to those of most; the axes of the sum, and its register."""
        by_axes: dict[Axes, list[int]] = {}
        for axes, place in parts:
            by_axes.setdefault(axes, []).append(place)
        staged, depends, total = False, 0, None
        for axes in sorted(by_axes, key=lambda axes: (axes[0], axes[1].bit_count(), axes[1])):
            operands = by_axes[axes] if total is None else [total, *by_axes[axes]]
            staged, depends = staged or axes[0], depends | axes[1]
            total = operands[0] if len(operands) == 1 else self.add("add", *operands)
        assert total is not None
        return (staged, depends), total

    def _largest(self, operands: Sequence[int]) -> tuple[list[tuple[Axes, int]], list[int]]:
        """What replaces all items of a quantity where it is largest; and the operands that are left."""
        picks: dict[tuple[tuple[int, ...], int], list[int]] = {}
        items: dict[tuple[tuple[int, ...], int], Counter[int]] = {}
        for operand in operands:
            found = self._picks(operand)
            for where in {(factors, key) for factors, key, _ in found} if found else ():
                picks.setdefault(where, []).append(operand)
            for factors, key, value in found or ():
                items.setdefault((factors, key), Counter()).update(self._terms(value))
        made, left = [], list(operands)
        for (factors, key), of_them in picks.items():
            if items[factors, key] == self._terms(key):
                most = self.add("stage_max", self.place[key])
                whole = self.add("mul", *(self.place[f] for f in factors), most) if factors else most
                depends = self._axes[key][1]
                for factor in factors:
                    depends |= self._axes[factor][1]
                made.append(((True, depends), whole))
                left = [operand for operand in left if operand not in of_them]
        return made, left

    def _picks(self, register: int) -> list[tuple[tuple[int, ...], int, int]] | None:
        """A register as picks, all at one key and with the same factors: (factors, key, value) of each."""
        operation, *read = self.instruction(register)
        if operation == "stage_pick":
            return [((), read[1], read[0])]
        if operation == "add":
            found: list[tuple[tuple[int, ...], int, int]] = []
            for operand in read:
                of_operand = self._picks(operand)
                if of_operand is None:
                    return None
                found += of_operand
            return found if len({(factors, key) for factors, key, _ in found}) == 1 else None
        if operation == "mul":
            inside = [(operand, self._picks(operand)) for operand in read]
            of_one = [(operand, picks) for operand, picks in inside if picks is not None]
            if len(of_one) != 1:
                return None
            (operand, picks), factors = of_one[0], list(read)
            factors.remove(operand)
            return [(tuple(sorted((*factors, *more))), key, value) for more, key, value in picks or ()]
        return None

    def _terms(self, register: int) -> Counter[int]:
        """What a register is a sum of, down to what is no sum."""
        operation, *read = self.instruction(register)
        if operation != "add":
            return Counter([register])
        terms: Counter[int] = Counter()
        for operand in read:
            terms.update(self._terms(operand))
        return terms
