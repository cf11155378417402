"""At a kink: which operation of the formulas follows one argument below the point and another above it.

Walked from the answer down: where the derivative differs between the two sides, either that of an
argument does too, or the operation itself switches. What it is called is the nearest definition that it
is part of.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from symsim.emit.directional_derivative import Directional
from symsim.emit.program import Program

SAME = 1e-9
"""Derivatives that differ by less than this part are the same but for rounding."""


@dataclass(frozen=True, slots=True)
class Switch:
    """``definition`` follows ``below`` where the name is smaller, ``above`` where it is larger."""

    definition: str
    below: str
    above: str


@dataclass(frozen=True, slots=True)
class Side:
    """One side of the point: ``slopes`` by register, decided at ``nudge``."""

    slopes: dict[int, Any]
    nudge: float


def same(a: Any, b: Any) -> bool:
    """Whether two derivatives agree, of each stage where they are of stages."""
    if isinstance(a, list) or isinstance(b, list):
        return all(same(x, y) for x, y in zip(_spread(a, b), _spread(b, a), strict=True))
    return bool(abs(a - b) <= SAME * max(abs(a), abs(b)))


def _spread(value: Any, other: Any) -> list[Any]:
    return value if isinstance(value, list) else [value] * len(other)


class Switches:
    """Finds what switches; made once for a program, asked for each name with a kink."""

    def __init__(self, slope: Directional, ignored: frozenset[str]) -> None:
        self._program = slope.program
        self._slope = slope
        self._names = _named(self._program, ignored)
        self._users: dict[int, list[int]] = {}
        for user in self._program.leading_to(slope.value):
            for register in self._program.operands(user):
                self._users.setdefault(register, []).append(user)

    def between(self, values: dict[int, Any], below: Side, above: Side) -> list[Switch]:
        """What switches between two sides; ``values`` by register."""
        program = self._program
        found: dict[Switch, None] = {}
        seen: set[int] = set()
        pending = [self._slope.value]
        while pending:
            register = pending.pop()
            if register in seen:
                continue
            seen.add(register)
            differing = [k for k in program.operands(register) if self._differs(k, below, above)]
            pending += differing
            if not differing:
                found.update(dict.fromkeys(self._switch(register, values, below, above)))
        return sorted(found, key=lambda s: (s.definition, s.below, s.above))

    def _differs(self, register: int, below: Side, above: Side) -> bool:
        if register not in self._slope.tangents:
            return False
        return not same(below.slopes[register], above.slopes[register])

    def _switch(self, register: int, values: dict[int, Any], below: Side, above: Side) -> list[Switch]:
        operation, *_ = self._program.instructions[register - self._program.register_of(0)]
        arguments = self._program.operands(register)
        words = self._in_words(arguments[1:] if operation == "where" else arguments)
        if operation == "where":
            operation, *_ = self._program.instructions[arguments[0] - self._program.register_of(0)]
            arguments = self._program.operands(arguments[0])
        choose = _CHOICES.get(operation)
        if choose is None:
            return []
        keys = [[_moved(values[k], side.slopes.get(k, 0), side.nudge) for k in arguments] for side in (below, above)]
        stages = max((len(k) for side in keys for k in side if isinstance(k, list)), default=0)
        if operation in _OVER_STAGES:
            chosen = [choose(side[-1]) if isinstance(side[-1], list) else [] for side in keys]
            pairs = dict.fromkeys((a, b) for a, b in zip(*chosen, strict=True) if a != b)
            return [Switch(self._called(register), f"stage {a}", f"stage {b}") for a, b in pairs]
        out: dict[tuple[int, int], None] = {}
        for stage in range(max(stages, 1)):
            first, second = (choose([k[stage] if isinstance(k, list) else k for k in side]) for side in keys)
            if first != second:
                out[first, second] = None
        return [Switch(self._called(register), words[a], words[b]) for a, b in out]

    def _called(self, register: int) -> str:
        """The nearest definition that a register is part of."""
        pending = [register]
        while pending:
            at = heapq.heappop(pending)
            if at in self._names:
                return self._names[at]
            for user in self._users.get(at, ()):
                heapq.heappush(pending, user)
        return "the answer"

    def _in_words(self, arguments: Sequence[int]) -> list[str]:
        """Each argument by its own name, else by the names that it alone is made of."""
        parts = [self._parts(k) for k in arguments]
        shared = frozenset.intersection(*(frozenset(p) for p in parts)) if len(parts) > 1 else frozenset()
        return [self._word(k, [n for n in p if n not in shared] or p) for k, p in zip(arguments, parts, strict=True)]

    def _word(self, register: int, parts: list[str]) -> str:
        program = self._program
        name = self._names.get(register) or (program.inputs[register] if register < len(program.inputs) else None)
        if name is not None:
            return name
        operation, *rest = program.instructions[register - program.register_of(0)]
        if operation == "const":
            return f"{rest[0]:g}"
        dotted = [n for n in parts if "." in n] or parts
        return "the side of " + ", ".join(dotted[:MOST_NAMED]) + " …" * (len(dotted) > MOST_NAMED)

    def _parts(self, register: int) -> list[str]:
        """Definitions and inputs that a register is directly made of."""
        found: dict[str, None] = {}
        pending = [register]
        seen: set[int] = set()
        while pending:
            at = pending.pop()
            if at in seen:
                continue
            seen.add(at)
            if at < len(self._program.inputs):
                found[self._program.inputs[at]] = None
            elif at in self._names and at != register:
                found[self._names[at]] = None
            else:
                pending += self._program.operands(at)
        return sorted(found)


MOST_NAMED = 3
"""Names that an argument without a name of its own is described by."""


def _named(program: Program, ignored: frozenset[str]) -> dict[int, str]:
    found: dict[int, str] = {}
    for name, output in program.outputs.items():
        if name not in ignored:
            found.setdefault(output.register, name)
    return found


def _moved(value: Any, slope: Any, nudge: float) -> Any:
    if isinstance(value, list) or isinstance(slope, list):
        return [v + nudge * s for v, s in zip(_spread(value, slope), _spread(slope, value), strict=True)]
    return value + nudge * slope


def _largest(values: Sequence[float]) -> int:
    return max(range(len(values)), key=values.__getitem__)


def _smallest(values: Sequence[float]) -> int:
    return min(range(len(values)), key=values.__getitem__)


def _to(values: Sequence[float]) -> list[int]:
    return [_largest(values[: k + 1]) for k in range(len(values))]


def _from(values: Sequence[float]) -> list[int]:
    return [k + _largest(values[k:]) for k in range(len(values))]


_CHOICES: dict[str, Callable[[Sequence[Any]], Any]] = {
    "max": _largest,
    "min": _smallest,
    "less": lambda sides: int(not sides[0] < sides[1]),
    "at_most": lambda sides: int(not sides[0] <= sides[1]),
    "stage_max": lambda values: [_largest(values)],
    "stage_pick": lambda values: [_largest(values)],
    "max_to": _to,
    "pick_to": _to,
    "max_from": _from,
    "pick_from": _from,
}
"""Which argument is followed, or which branch behind a comparison; of stages one choice, or one for each stage."""

_OVER_STAGES = frozenset(_CHOICES) - {"max", "min", "less", "at_most"}
