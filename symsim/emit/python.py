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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
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
    over_one_denominator,
    positive,
    walk,
)
from symsim.emit.numerals import numeral
from symsim.emit.wrapping import wrap
from symsim.records.cost import Definition

STAGE: Final = "i"
STAGES: Final = "stages"
TABLE: Final = "table"
TABLES: Final = "TABLES"

_RESERVED: Final = frozenset(
    {
        STAGES,
        TABLE,
        TABLES,
        "entries",
        "otherwise",
        "ceil",
        "floor",
        "int",
        "max",
        "min",
        "range",
        "sum",
        *keyword.kwlist,
        *keyword.softkwlist,
    }
)
_RELATION: Final = {"equal": "==", "less": "<", "at_most": "<="}
_REDUCTIONS: Final = frozenset({"stage_sum", "stage_max", "stage_pick"})
_SCANS: Final = {
    "sum_before": ("sum", f":{STAGE}", f"{STAGES}[:{STAGE}]"),
    "max_to": ("max", f":{STAGE} + 1", f"{STAGES}[:{STAGE} + 1]"),
    "max_from": ("max", f"{STAGE}:", f"{STAGES}[{STAGE}:]"),
}
"""Function, the part of a list that it takes, and the stages it runs over."""
_WIDTH: Final = 100
_INDENT: Final = " " * 4


class _Binding(IntEnum):
    """How tightly an expression holds together; looser than its surroundings, it gets parentheses."""

    COMPARISON = 0
    ROUNDED = 1
    """``//`` and ``%``: a sign in front of them would not mean all of them."""
    SUM = 2
    PRODUCT = 3
    POWER = 4
    ATOM = 5


Measured = tuple[Mapping[tuple[int, ...], float], float]
"""Entries of a table by dimensions, and what it gives for any others."""


def module(
    formulas: Sequence[Definition],
    title: str,
    function_name: str,
    *,
    stage_count: str | int = "pp",
    measured: Callable[[str], Measured] | None = None,
) -> str:
    """The source of a module with one function from the free names to a dictionary of all definitions.

    Dots in names become underscores in arguments (:func:`identifiers`); the dictionary keeps them.
    ``stage_count`` is the number of pipeline stages, or the name that holds it; it becomes an
    argument of the function if there are stages and nothing defines it. If tables are asked, the
    function takes ``table(name, *dimensions) -> float``; with ``measured`` it is written out and is
    the default.

    Raises :class:`ValueError` if a definition of scope ``run`` uses a stage outside of a reduction.
    """
    return _Module(document.arranged(formulas), title, function_name, stage_count, measured).source()


def identifiers(names: Iterable[str]) -> dict[str, str]:
    """A Python identifier for each name, no two alike: ``hbm.bandwidth`` becomes ``hbm_bandwidth``."""
    # Names that are identifiers already come first, so that no other name takes theirs.
    ordered = sorted(dict.fromkeys(names), key=lambda name: _as_identifier(name) != name)
    chosen: dict[str, str] = {}
    taken = set(_RESERVED)
    for name in ordered:
        identifier = _as_identifier(name)
        while identifier in taken or (identifier == STAGE and name != STAGE):
            identifier += "_"
        taken.add(identifier)
        chosen[name] = identifier
    return chosen


@dataclass(frozen=True, slots=True)
class Notation:
    """How names are called in the function, and which of them are lists over the stages."""

    identifiers: dict[str, str]
    of_stages: Collection[str]

    @classmethod
    def of(cls, formulas: Sequence[document.Formula], *others: str) -> Notation:
        """For the names in the formulas, and ``others``."""
        defined = [formula.definition.name for formula in formulas]
        free = [entry.name for entry in document.inputs(formulas)]
        of_stages = frozenset(formula.definition.name for formula in formulas if _is_of_stage(formula))
        return cls(identifiers([*defined, *free, *others]), of_stages)

    def render(self, node: Node) -> str:
        """An arranged formula; the quantities in it that belong to a stage are those of stage ``i``."""
        return self._render(node, _Binding.COMPARISON)

    def assigned(self, formula: document.Formula) -> str:
        """The right-hand side of a definition: a list over the stages, or one number."""
        source = self.render(formula.body)
        if is_condition(formula.body):
            source = f"int({source})"
        return f"[{source} for {STAGE} in {STAGES}]" if _is_of_stage(formula) else source

    def _render(self, node: Node, least: _Binding) -> str:
        binding, source = self._printed(node)
        return source if binding >= least else f"({source})"

    def _printed(self, node: Node) -> tuple[_Binding, str]:
        match node:
            case Number(value):
                return _Binding.ATOM, numeral(value, "_")
            case Name(name):
                subscript = f"[{STAGE}]" if name in self.of_stages else ""
                return _Binding.ATOM, self.identifiers[name] + subscript
            case Sum(terms):
                return _Binding.SUM, self._sum(terms)
            case Product(_, _, True):
                return _Binding.SUM, "-" + self._render(positive(node), _Binding.PRODUCT)
            case Product(numerator, ()):
                return _Binding.PRODUCT, self._product(numerator)
            case Product(numerator, denominator):
                return _Binding.PRODUCT, f"{self._product(numerator)} / {self._divisor(denominator)}"
            case Power(base, exponent):
                half = Product((Number(1),), (Number(2),))
                raised = "0.5" if exponent == half else self._render(exponent, _Binding.ATOM)
                return _Binding.POWER, f"{self._render(base, _Binding.ATOM)} ** {raised}"
            case Call(function, arguments):
                return self._call(function, arguments)
            case Lookup(table, dimensions):
                return _Binding.ATOM, f"{TABLE}({', '.join([_quoted(table), *map(self.render, dimensions)])})"

    def _sum(self, terms: Sequence[Node]) -> str:
        first, *others = terms
        source = ("-" if is_negative(first) else "") + self._render(positive(first), _Binding.PRODUCT)
        for term in others:
            source += (" - " if is_negative(term) else " + ") + self._render(positive(term), _Binding.PRODUCT)
        return source

    def _product(self, factors: Sequence[Node]) -> str:
        return " * ".join(self._render(factor, _Binding.POWER) for factor in factors)

    def _divisor(self, factors: Sequence[Node]) -> str:
        return f"({self._product(factors)})" if len(factors) > 1 else self._product(factors)

    def _call(self, function: str, arguments: Sequence[Node]) -> tuple[_Binding, str]:
        match function:
            case "maximum" | "minimum":
                return _Binding.ATOM, f"{function[:3]}({', '.join(map(self.render, arguments))})"
            case "equal" | "less" | "at_most":
                left, right = (self._render(side, _Binding.ROUNDED) for side in arguments)
                return _Binding.COMPARISON, f"{left} {_RELATION[function]} {right}"
            case "floor" | "ceiling":
                return self._rounded(function, arguments[0])
            case "remainder":
                a, b = (self._render(argument, _Binding.POWER) for argument in arguments)
                return _Binding.ROUNDED, f"{a} % {b}"
            case "where":
                condition, then, otherwise = map(self.render, arguments)
                return _Binding.ATOM, f"({then} if {condition} else {otherwise})"
            case "measured":
                return _Binding.ATOM, f"({' or '.join(map(self.render, arguments))})"
            case "stage_sum":
                return _Binding.ATOM, f"sum({self._over_stages(arguments[0])})"
            case "stage_max":
                return _Binding.ATOM, f"max({self._over_stages(arguments[0])})"
            case "sum_before" | "max_to" | "max_from":
                return _Binding.ATOM, self._scan(function, arguments[0])
            case "stage_pick":
                value, key = arguments
                values = self._list_over_stages(value) or f"[{self._over_stages(value)}]"
                return _Binding.ATOM, f"{values}[{self._first_largest(key)}]"
            case _:
                raise TypeError(f"no notation for {function}")

    def _rounded(self, function: str, argument: Node) -> tuple[_Binding, str]:
        quotient = over_one_denominator(argument)
        if not (isinstance(quotient, Product) and quotient.denominator):
            return _Binding.ATOM, f"{'ceil' if function == 'ceiling' else 'floor'}({self.render(argument)})"
        negative = quotient.negative ^ (function == "ceiling")
        sign = "-" if negative else ""
        floored = f"{sign}{self._product(quotient.numerator)} // {self._divisor(quotient.denominator)}"
        # ⌈x⌉ = −⌊−x⌋
        return _Binding.ROUNDED, f"-({floored})" if function == "ceiling" else floored

    def _scan(self, function: str, node: Node) -> str:
        reduced, part, stages = _SCANS[function]
        values = self._list_over_stages(node)
        return f"{reduced}({values}[{part}])" if values else f"{reduced}({self.render(node)} for {STAGE} in {stages})"

    def _over_stages(self, node: Node) -> str:
        """The values on all stages, as the one argument of a call."""
        return self._list_over_stages(node) or f"{self.render(node)} for {STAGE} in {STAGES}"

    def _list_over_stages(self, node: Node) -> str | None:
        """The list that a definition of a stage is."""
        return self.identifiers[node.name] if isinstance(node, Name) and node.name in self.of_stages else None

    def _first_largest(self, key: Node) -> str:
        """The first stage on which the key is largest."""
        keys = self._list_over_stages(key)
        return f"{keys}.index(max({keys}))" if keys else f"max({STAGES}, key=lambda {STAGE}: {self.render(key)})"


class _Module:
    """One function in the making."""

    def __init__(
        self,
        formulas: Sequence[document.Formula],
        title: str,
        function_name: str,
        stage_count: str | int,
        measured: Callable[[str], Measured] | None,
    ) -> None:
        for formula in formulas:
            _check_scope(formula, formulas)
        self._formulas = formulas
        self._title = title
        self._function_name = function_name
        self._stage_count = stage_count
        self._measured = measured
        self._has_stages = any(map(_needs_stages, formulas))
        self._has_tables = any(isinstance(node, Lookup) for formula in formulas for node in walk(formula.body))
        self._defines_stage_count = stage_count in {formula.definition.name for formula in formulas}
        # Nothing defines the number of stages: it is an input, even if no formula names it.
        counted = self._has_stages and isinstance(stage_count, str)
        free = document.inputs(formulas, *([str(stage_count)] if counted else []))
        self._inputs = [entry for entry in free if entry.name != STAGE]
        self._notation = Notation.of(formulas, *(entry.name for entry in self._inputs), STAGE)

    def source(self) -> str:
        body = "\n".join(self._body())
        rounding = sorted(set(re.findall(r"\b(ceil|floor)\(", body)))
        head = [f'"""{_prose(self._title)}"""', ""]
        if rounding:
            head += [f"from math import {', '.join(rounding)}", ""]
        return "\n".join([*head, "", *self._tables(), *self._signature(), *self._docstring(), body]) + "\n"

    def _tables(self) -> Iterator[str]:
        """The machine's tables as data, and the function that reads them."""
        if self._measured is None or not self._has_tables:
            return
        names = sorted(
            {node.table for formula in self._formulas for node in walk(formula.body) if isinstance(node, Lookup)}
        )
        yield f"{TABLES} = {{"
        for name in names:
            entries, otherwise = self._measured(name)
            shown = ", ".join(f"{key}: {value!r}" for key, value in entries.items())
            yield f"{_INDENT}{_quoted(name)}: ({{{shown}}}, {otherwise!r}),"
        yield from ("}", "", "", f"def {TABLE}(name, *dimensions):")
        yield f'{_INDENT}"""What was measured for these dimensions, else the value used for any others."""'
        yield f"{_INDENT}entries, otherwise = {TABLES}[name]"
        yield f"{_INDENT}return entries.get(tuple(round(d) for d in dimensions), otherwise)"
        yield from ("", "")

    def _signature(self) -> list[str]:
        arguments = [self._notation.identifiers[entry.name] for entry in self._inputs]
        given = TABLE if self._measured is None else f"{TABLE}={TABLE}"
        arguments += [given] if self._has_tables else []
        if not arguments:
            return [f"def {self._function_name}():"]
        line = f"def {self._function_name}(*, {', '.join(arguments)}):"
        if len(line) <= _WIDTH:
            return [line]
        return [f"def {self._function_name}(", f"{_INDENT}*,", *(f"{_INDENT}{name}," for name in arguments), "):"]

    def _docstring(self) -> Iterator[str]:
        lists = "; a list over the stages where it depends on the stage" if self._has_stages else ""
        notes = {
            self._notation.identifiers[entry.name]: document.noted(entry.meaning, entry.unit) for entry in self._inputs
        }
        if self._has_tables:
            notes[TABLE] = f"{TABLE}(name, *dimensions) -> a number measured on the machine"
        lines = [f'"""Every definition by its name{lists}.']
        if any(notes.values()):
            lines += ["", *(f"{name}: {_prose(note)}" for name, note in notes.items() if note), '"""']
        else:
            lines[0] += '"""'
        yield from (f"{_INDENT}{line}".rstrip() for line in lines)

    def _body(self) -> Iterator[str]:
        declared = not self._has_stages
        if not declared and not self._defines_stage_count:
            yield from self._stages()
            declared = True
        for part in document.parts(self._formulas):
            for formula in part.formulas:
                if not declared and _needs_stages(formula):
                    yield from self._stages()
                    declared = True
                yield from self._assignment(
                    formula, document.noted(formula.definition.meaning, formula.definition.unit)
                )
            yield ""
        yield f"{_INDENT}return {{"
        for formula in self._formulas:
            name = formula.definition.name
            yield f"{_INDENT * 2}{_quoted(name)}: {self._notation.identifiers[name]},"
        yield f"{_INDENT}}}"

    def _stages(self) -> Iterator[str]:
        count = str(self._stage_count)
        if isinstance(self._stage_count, str):
            count = self._notation.identifiers[self._stage_count]
            # A definition such as world / tp is a float.
            count = f"int({count})" if self._defines_stage_count else count
        yield f"{_INDENT}{STAGES} = range({count})"
        yield ""

    def _assignment(self, formula: document.Formula, note: str) -> Iterator[str]:
        head = f"{_INDENT}{self._notation.identifiers[formula.definition.name]} = "
        assigned = self._notation.assigned(formula)
        line = head + assigned
        comment = f"# {note}" if note else ""
        if len(f"{line}  {comment}") <= _WIDTH:
            yield f"{line}  {comment}".rstrip()
            return
        if comment:
            yield _INDENT + comment
        if len(line) <= _WIDTH:
            yield line
            return
        opening, closing, loop = "(", ")", ""
        if _is_of_stage(formula):
            opening, closing, loop = "[", "]", f" for {STAGE} in {STAGES}"
            assigned = assigned.removeprefix(opening).removesuffix(loop + closing)
        yield head + opening
        yield from (_INDENT * 2 + piece for piece in wrap(assigned, _WIDTH - 2 * len(_INDENT)))
        if loop:
            yield _INDENT * 2 + loop.strip()
        yield _INDENT + closing


def _is_of_stage(formula: document.Formula) -> bool:
    return formula.definition.scope == "stage"


def _needs_stages(formula: document.Formula) -> bool:
    return _is_of_stage(formula) or any(map(_is_reduction, walk(formula.body)))


def _is_reduction(node: Node) -> bool:
    return isinstance(node, Call) and node.function in _REDUCTIONS


def _check_scope(formula: document.Formula, formulas: Sequence[document.Formula]) -> None:
    if _is_of_stage(formula):
        return
    of_stage = {other.definition.name for other in formulas if _is_of_stage(other)} | {STAGE}
    for name in _names_outside_reductions(formula.body):
        if name in of_stage:
            raise ValueError(f"'{formula.definition.name}' is one number for the run, but uses '{name}' of one stage")


def _names_outside_reductions(node: Node) -> Iterator[str]:
    if isinstance(node, Name):
        yield node.name
    elif not _is_reduction(node):
        for child in children(node):
            yield from _names_outside_reductions(child)


def _as_identifier(name: str) -> str:
    word = re.sub(r"\W", "_", name, flags=re.ASCII)
    return f"_{word}" if word[:1].isdigit() else word


def _quoted(name: str) -> str:
    return f'"{name}"'


def _prose(text: str) -> str:
    """Text that is safe in a docstring."""
    return " ".join(text.split()).replace("\\", "\\\\").replace('"', "'")
