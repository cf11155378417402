"""The cost model while it is being written: each pass adds its named formulas, in order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import sympy
from sympy import Expr

from symsim.diagnostics import error
from symsim.functions import REDUCTIONS, SCANS, table
from symsim.records.cost import Definition, Scope, Segment
from symsim.symbols import symbol

Read = tuple[str, str, Any]
"""What a pass asked of the ledger: for which answer, of which name, and what it was."""


@dataclass(slots=True)
class Record:
    """What happens to a ledger while a pass runs."""

    read: dict[Read, None] = field(default_factory=dict)
    made: list[Definition] = field(default_factory=list)
    own: set[str] = field(default_factory=set)


class Ledger:
    """Ordered definitions by name. A definition of one stage is marked so by what it uses.

    ``segments`` are the passes that wrote them, in order.
    """

    def __init__(self) -> None:
        self._definitions: dict[str, Definition] = {}
        self._record: Record | None = None
        self.segments: list[Segment] = []

    @contextmanager
    def recording(self) -> Iterator[Record]:
        """Write down what is asked and made meanwhile."""
        self._record = Record()
        try:
            yield self._record
        finally:
            self._record = None

    def answers(self, read: Read) -> bool:
        """Whether a question would have the same answer now."""
        kind, name, answer = read
        return bool(self._answer(kind, name) == answer)

    def take(self, segment: Segment) -> None:
        """The definitions of a pass that ran for another structure."""
        self.segments.append(segment)
        for definition in segment.definitions:
            self._definitions[definition.name] = definition

    def _answer(self, kind: str, name: str) -> Any:
        known = self._definitions.get(name)
        match kind:
            case "there":
                return known is not None
            case "staged":
                return known is not None and known.scope == "stage"
        return None if known is None else known.expression

    def _ask(self, kind: str, name: str) -> Any:
        answer = self._answer(kind, name)
        if self._record is not None and name not in self._record.own:
            self._record.read[kind, name, answer] = None
        return answer

    def define(self, name: str, expression: Any, meaning: str, unit: str, part: str) -> Expr:
        """Add ``name = expression`` and give its symbol; a plain number needs no name.

        The same name with the same formula is one definition.
        """
        formula = sympy.sympify(expression)
        if formula.is_Number and part.partition(".")[0] not in ("params", "memory", "flops"):
            return formula
        known = self._ask("formula", name)
        if known is not None:
            if known != formula:
                before = self._definitions[name].meaning
                message = f"'{name}' is the name of two formulas: {before}, and {meaning}"
                raise error("E202", message, None, "a definition of your own needs another name")
            return symbol(name)
        made = self._definitions[name] = Definition(name, formula, meaning, unit, self._scope(formula), part)
        if self._record is not None:
            self._record.made.append(made)
            self._record.own.add(name)
        return symbol(name)

    def value(self, name: str) -> Expr:
        """The symbol of a definition, or 0 where no pass has made it."""
        return symbol(name) if name in self else sympy.Integer(0)

    def expression(self, name: str) -> Expr:
        """The formula of a definition; KeyError where no pass has made it."""
        found = self._ask("formula", name)
        if found is None:
            raise KeyError(name)
        return found

    def __contains__(self, name: str) -> bool:
        return bool(self._ask("there", name))

    @property
    def definitions(self) -> tuple[Definition, ...]:
        return tuple(self._definitions.values())

    def _scope(self, formula: Expr) -> Scope:
        """What a formula uses decides."""
        uses = _uses(formula)
        staged = uses.scans or any(n == "i" or self._ask("staged", n) for n in uses.of_stage)
        return "stage" if staged else "run"


@dataclass(frozen=True, slots=True)
class _Uses:
    """What a formula uses: every name, in the order of the alphabet, but for those of tables; the names of which a
    quantity of a stage makes it one; and whether it ``scans`` the stages."""

    names: tuple[str, ...]
    of_stage: tuple[str, ...]
    scans: bool


@lru_cache(maxsize=8192)
def _uses(formula: Expr) -> _Uses:
    """One pass, because each of thousands of definitions is asked, and kept, because variants of a model share them."""
    names: set[str] = set()
    of_stage: dict[str, None] = {}
    tables: set[str] = set()
    scans = False
    pending = [(formula, True)]
    while pending:
        part, outside = pending.pop()
        if part.is_Symbol:
            names.add(part.name)
            if outside:
                of_stage[part.name] = None
            continue
        if isinstance(part, table):
            tables.add(part.args[0].name)
        scans = scans or (outside and isinstance(part, SCANS))
        outside = outside and not isinstance(part, REDUCTIONS)
        pending.extend((p, outside) for p in part.args)
    return _Uses(tuple(sorted(names - tables)), tuple(of_stage), scans)


def free_names(definitions: Iterable[Definition], extra: Iterable[Expr] = ()) -> tuple[str, ...]:
    """Names that formulas use and none of them defines, but for the stage index, in the order of their use."""
    definitions = tuple(definitions)
    defined = {d.name for d in definitions} | {"i"}
    free: dict[str, None] = {}
    for formula in (*(d.expression for d in definitions), *extra):
        for name in _uses(formula).names:
            if name not in defined:
                free[name] = None
    return tuple(free)
