"""The cost model while it is being written: each pass adds its named formulas, in order."""

from __future__ import annotations

from typing import Any

import sympy
from sympy import Expr

from symsim.diagnostics import error
from symsim.functions import REDUCTIONS, SCANS
from symsim.records.cost import Definition, Scope
from symsim.symbols import symbol


class Ledger:
    """Ordered definitions by name. A definition of one stage is marked so by what it uses."""

    def __init__(self) -> None:
        self._definitions: dict[str, Definition] = {}

    def define(self, name: str, expression: Any, meaning: str, unit: str, part: str) -> Expr:
        """Add ``name = expression`` and give its symbol; a plain number needs no name.

        The same name with the same formula is one definition.
        """
        formula = sympy.sympify(expression)
        if formula.is_Number and part.partition(".")[0] not in ("params", "memory", "flops"):
            return formula
        known = self._definitions.get(name)
        if known is not None and known.expression != formula:
            message = f"'{name}' is the name of two formulas: {known.meaning}, and {meaning}"
            raise error("E202", message, None, "a definition of your own needs another name")
        self._definitions[name] = Definition(name, formula, meaning, unit, self._scope(formula), part)
        return symbol(name)

    def value(self, name: str) -> Expr:
        """The symbol of a definition, or 0 where no pass has made it."""
        return symbol(name) if name in self._definitions else sympy.Integer(0)

    def expression(self, name: str) -> Expr:
        """The formula of a definition; KeyError where no pass has made it."""
        return self._definitions[name].expression

    def __contains__(self, name: str) -> bool:
        return name in self._definitions

    @property
    def definitions(self) -> tuple[Definition, ...]:
        return tuple(self._definitions.values())

    def _scope(self, formula: Expr) -> Scope:
        """What a formula uses decides: one pass, because each of thousands of definitions is asked once."""
        pending = [formula]
        while pending:
            part = pending.pop()
            if isinstance(part, SCANS) or (part.is_Symbol and self._is_of_stage(part)):
                return "stage"
            if not isinstance(part, REDUCTIONS):
                pending.extend(part.args)
        return "run"

    def _is_of_stage(self, name: Expr) -> bool:
        known = self._definitions.get(str(name))
        return name == symbol("i") or (known is not None and known.scope == "stage")


def inputs_of(definitions: tuple[Definition, ...], extra: tuple[Expr, ...] = ()) -> tuple[str, ...]:
    """The free names of a cost model: used, not defined, and not the stage index."""
    defined = {d.name for d in definitions} | {"i"}
    free: dict[str, None] = {}
    for formula in (*(d.expression for d in definitions), *extra):
        tables = {t.args[0] for t in formula.atoms(sympy.Function) if type(t).__name__ == "table"}
        for name in sorted(str(s) for s in formula.free_symbols - tables):
            if name not in defined:
                free[name] = None
    return tuple(free)
