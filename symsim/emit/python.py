"""Formulas as one plain Python function that runs alone, without symsim, sympy or numpy.

Quantities of a stage are lists over the stages, so that the function reads like the text::

    n = [80 / pp for i in stages]
    P = [n[i] * (855_638_016 / tp + 16_384) for i in stages]
    largest = max(P)

Integers stay exact as far as division allows: ``⌈a/b⌉`` is ``-(-a // b)`` and ``⌊a/b⌋`` is
``a // b``, which no rounding can push over an integer.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import lcm
from textwrap import wrap as wrap_words
from typing import Final

from symsim.emit import document
from symsim.emit.arrangement import (
    Call,
    Lookup,
    Name,
    Node,
    Number,
    Power,
    Product,
    Sum,
    children,
    is_condition,
    is_negative,
    positive,
    walk,
)
from symsim.emit.numerals import numeral
from symsim.emit.wrapping import wrap
from symsim.records.cost import Definition


class _Binding(IntEnum):
    """How tightly an expression holds together; looser than its surroundings, it gets parentheses."""

    COMPARISON = 0
    SUM = 1
    PRODUCT = 2
    POWER = 3
    ATOM = 4


STAGE: Final = "i"
STAGES: Final = "stages"
TABLE: Final = "table"

_RESERVED: Final = frozenset(
    {STAGES, TABLE, "ceil", "floor", "int", "max", "min", "range", "sum", *keyword.kwlist, *keyword.softkwlist}
)
_RELATION: Final = {"equal": "==", "less": "<", "at_most": "<="}
_REDUCTIONS: Final = frozenset({"stage_sum", "stage_max", "stage_pick"})
_WIDTH: Final = 100
_INDENT: Final = " " * 4


def module(
    formulas: Sequence[Definition], title: str, function_name: str, *, stage_count: str | int = "pp"
) -> str:
    """The source of a module with one function from the free names to a dictionary of all definitions.

    ``stage_count`` is the number of pipeline stages, or the name that holds it; it becomes an
    argument of the function if there are stages and nothing defines it.

    Raises :class:`ValueError` if a definition of scope ``run`` uses the stage outside of a reduction.
    """
    return _Module(document.arranged(formulas), title, function_name, stage_count).source()


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """A Python identifier for each name, no two alike: ``hbm.bandwidth`` becomes ``hbm_bandwidth``."""
    names = list(dict.fromkeys(names))
    # Names that are identifiers as they stand come first, so that no other name takes theirs.
    names.sort(key=lambda name: _as_identifier(name) != name)
    chosen: dict[str, str] = {}
    taken: set[str] = set(_RESERVED)
    for name in names:
        candidate = _as_identifier(name)
        while candidate in taken or (candidate == STAGE and name != STAGE):
            candidate += "_"
        taken.add(candidate)
        chosen[name] = candidate
    return chosen


@dataclass(frozen=True, slots=True)
class Notation:
    """How names are called in the function, and which of them are lists over the stages."""

    identifiers: dict[str, str]
    of_stages: Collection[str]

    @classmethod
    def of(cls, formulas: Sequence[document.Formula]) -> Notation:
        free = [entry.name for entry in document.inputs(formulas)]
        defined = [formula.definition for formula in formulas]
        return cls(
            identifiers([*(d.name for d in defined), *free]), frozenset(d.name for d in defined if d.scope == "stage")
        )

    def render(self, node: Node) -> str:
        """An arranged formula; the quantities in it that belong to a stage are those of stage ``i``."""
        return self._render(node, _Binding.COMPARISON)

    def _render(self, node: Node, least: _Binding) -> str:
        binding, source = self._printed(node)
        return source if binding >= least else f"({source})"

    def _printed(self, node: Node) -> tuple[_Binding, str]:
        match node:
            case Number(value):
                return _Binding.ATOM, numeral(value, "_", "e{}")
            case Name(name):
                subscript = f"[{STAGE}]" if name in self.of_stages else ""
                return _Binding.ATOM, self.identifiers[name] + subscript
            case Sum(terms):
                return _Binding.SUM, self._sum(terms)
            case Product(_, _, True):
                return _Binding.SUM, "-" + self._render(positive(node), _Binding.PRODUCT)
            case Product(numerator, denominator):
                return _Binding.PRODUCT, self._product(numerator) + self._divided_by(denominator)
            case Power(base, exponent):
                root = exponent == Product((Number(1),), (Number(2),))
                raised = "0.5" if root else self._render(exponent, _Binding.ATOM)
                return _Binding.POWER, f"{self._render(base, _Binding.ATOM)} ** {raised}"
            case Call(function, arguments):
                return self._call(function, arguments)
            case Lookup(table, dimensions):
                return _Binding.ATOM, f"{TABLE}({self._list((repr(table), *map(self.render, dimensions)))})"

    def _sum(self, terms: Sequence[Node]) -> str:
        first, *others = terms
        source = ("-" if is_negative(first) else "") + self._render(positive(first), _Binding.PRODUCT)
        for term in others:
            source += (" - " if is_negative(term) else " + ") + self._render(positive(term), _Binding.PRODUCT)
        return source

    def _product(self, factors: Sequence[Node]) -> str:
        return " * ".join(self._render(factor, _Binding.POWER) for factor in factors)

    def _divided_by(self, factors: Sequence[Node]) -> str:
        if not factors:
            return ""
        return f" / ({self._product(factors)})" if len(factors) > 1 else f" / {self._product(factors)}"

    def _call(self, function: str, arguments: Sequence[Node]) -> tuple[_Binding, str]:
        match function:
            case "maximum" | "minimum":
                return _Binding.ATOM, f"{function[:3]}({self._list(map(self.render, arguments))})"
            case "equal" | "less" | "at_most":
                return _Binding.COMPARISON, self._relation(function, arguments)
            case "floor" | "ceiling":
                return self._rounded(function, arguments[0])
            case "remainder":
                a, b = arguments
                return _Binding.PRODUCT, f"{self._render(a, _Binding.POWER)} % {self._render(b, _Binding.POWER)}"
            case "where":
                condition, then, otherwise = map(self.render, arguments)
                return _Binding.ATOM, f"({then} if {condition} else {otherwise})"
            case "stage_sum":
                return _Binding.ATOM, f"sum({self._over_stages(arguments[0])})"
            case "stage_max":
                return _Binding.ATOM, f"max({self._over_stages(arguments[0])})"
            case "stage_pick":
                value, key = arguments
                return _Binding.ATOM, f"{self._stage_list(value)}[{self._largest(key)}]"
            case _:
                raise TypeError(f"no notation for {function}")

    def _rounded(self, function: str, argument: Node) -> tuple[_Binding, str]:
        sign, numerator, denominator = _quotient(argument)
        if not denominator:
            return _Binding.ATOM, f"{function.removesuffix('ing')}({self.render(argument)})"
        below = self._product(denominator) if len(denominator) == 1 else f"({self._product(denominator)})"
        floored = f"{self._product(numerator)} // {below}"
        # ⌈x⌉ = −⌊−x⌋, so that one of the two signs is always free.
        match function, sign:
            case "floor", 1:
                return _Binding.PRODUCT, floored
            case "floor", _:
                return _Binding.PRODUCT, f"-{floored}"
            case _, 1:
                return _Binding.SUM, f"-(-{floored})"
            case _:
                return _Binding.SUM, f"-({floored})"

    def _relation(self, function: str, sides: Sequence[Node]) -> str:
        left, right = (self._render(side, _Binding.SUM) for side in sides)
        return f"{left} {_RELATION[function]} {right}"

    def _over_stages(self, node: Node) -> str:
        """All stages' values, as an argument."""
        return self._stage_list(node) if self._is_stage_list(node) else f"{self.render(node)} for {STAGE} in {STAGES}"

    def _stage_list(self, node: Node) -> str:
        if isinstance(node, Name) and self._is_stage_list(node):
            return self.identifiers[node.name]
        return f"[{self.render(node)} for {STAGE} in {STAGES}]"

    def _is_stage_list(self, node: Node) -> bool:
        return isinstance(node, Name) and node.name in self.of_stages

    def _largest(self, key: Node) -> str:
        """The first stage where the key is largest."""
        if self._is_stage_list(key):
            return f"{self._stage_list(key)}.index(max({self._stage_list(key)}))"
        return f"max({STAGES}, key=lambda {STAGE}: {self.render(key)})"

    @staticmethod
    def _list(sources: Iterable[str]) -> str:
        return ", ".join(sources)


class _Module:
    """One function in the making."""

    def __init__(
        self, formulas: Sequence[document.Formula], title: str, function_name: str, stage_count: str | int
    ) -> None:
        self._formulas = formulas
        self._title = title
        self._function_name = function_name
        self._stage_count = stage_count
        self._has_stages = any(
            formula.definition.scope == "stage" or any(map(_is_reduction, walk(formula.body))) for formula in formulas
        )
        self._has_tables = any(isinstance(node, Lookup) for formula in formulas for node in walk(formula.body))
        self._inputs = [entry for entry in document.inputs(formulas) if not (self._has_stages and entry.name == STAGE)]
        defined = {formula.definition.name for formula in formulas}
        known = defined | {entry.name for entry in self._inputs}
        if self._has_stages and isinstance(stage_count, str) and stage_count not in known:
            self._inputs.insert(0, document.described(stage_count))
        self._counted_here = stage_count in defined
        self._notation = Notation(
            identifiers([*(f.definition.name for f in formulas), *(e.name for e in self._inputs), STAGE]),
            frozenset(f.definition.name for f in formulas if f.definition.scope == "stage"),
        )

    def source(self) -> str:
        body = list(self._body())
        text = "\n".join(body)
        needed = [name for name in ("ceil", "floor") if re.search(rf"\b{name}\(", text)]
        imports = [f"from math import {', '.join(needed)}", "", ""] if needed else ["", ""]
        opening = [f'"""{_quoted(self._title)}"""', "", *imports, *self._signature(), *self._docstring()]
        return "\n".join([*opening, *body]).replace('"""\n\n\n\ndef', '"""\n\n\ndef') + "\n"

    def _signature(self) -> list[str]:
        names = [*(self._notation.identifiers[entry.name] for entry in self._inputs)]
        if self._has_tables:
            names.append(TABLE)
        if not names:
            return [f"def {self._function_name}():"]
        line = f"def {self._function_name}(*, {', '.join(names)}):"
        if len(line) <= _WIDTH:
            return [line]
        return [f"def {self._function_name}(", f"{_INDENT}*,", *(f"{_INDENT}{name}," for name in names), "):"]

    def _docstring(self) -> Iterator[str]:
        yield f'{_INDENT}"""Every definition by its name{"; a list over the stages where it depends on the stage" if self._has_stages else ""}.'
        rows = [
            (self._notation.identifiers[entry.name], document.noted(entry.meaning, entry.unit) or entry.name)
            for entry in self._inputs
        ]
        if self._has_tables:
            rows.append((f"{TABLE}(name, *dimensions)", "a measured figure of the machine, a number"))
        if rows:
            yield ""
        yield from (f"{_INDENT}{name}: {_quoted(note)}" for name, note in rows)
        yield f'{_INDENT}"""'

    def _body(self) -> Iterator[str]:
        declared = not self._has_stages
        for part in document.parts(self._formulas):
            for formula in part.formulas:
                uses_stages = formula.definition.scope == "stage" or any(map(_is_reduction, walk(formula.body)))
                if uses_stages and not declared:
                    yield from self._stages()
                    declared = True
                yield from self._assignment(formula)
            yield ""
        yield from self._result()
    ...
