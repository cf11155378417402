"""Formulas as plain text, to be read in a terminal and pasted into a design document.

::

    P = n·(855 638 016/tp + 16 384) + [i = 0]·8192·V/tp
    F = max(2·T·hidden²/(tp·matmul.bf16), 3·T·hidden/hbm.bandwidth + hbm.latency)

=============================  ==================================================================
``855 638 016``  ``0.88``      an integer of more than four digits is grouped; ``989e12`` is 989·10¹²
``a·b/(c·d)``                  everything after the one ``/`` divides
``x²``  ``x^4``  ``√x``        powers
``[i = 0]``  ``[tp ≤ 8]``      1 if so, else 0; also ``<``
``max(a, b)``  ``min(a, b)``
``⌈x⌉``  ``⌊x⌋``               rounded up, rounded down
``a mod b``                    in parentheses next to any other operator
``(a if i < 3 else b)``
``matmul.forward(4096, 8192)``  a measured table, for these dimensions
``sum_i(F)``  ``max_i(F)``     over the pipeline stages i
``at_max_i(F, t)``             t on the first stage where F is largest
=============================  ==================================================================

``tests/readers/text_reader.py`` has the grammar, which is unambiguous, and reads pages back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from textwrap import wrap as wrap_words
from typing import TYPE_CHECKING, Final

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
    arrange,
    is_condition,
    is_negative,
    positive,
)
from symsim.emit.numerals import numeral
from symsim.emit.wrapping import wrap

if TYPE_CHECKING:
    from sympy import Expr

    from symsim.records.cost import Definition


class _Binding(IntEnum):
    """How tightly an expression holds together; looser than its surroundings, it gets parentheses."""

    MODULO = 0
    SUM = 1
    PRODUCT = 2
    POWER = 3
    ATOM = 4


_RELATION: Final = {"equal": "=", "less": "<", "at_most": "≤"}
_NAMED: Final = {
    "maximum": "max",
    "minimum": "min",
    "stage_sum": "sum_i",
    "stage_max": "max_i",
    "sum_before": "sum_before_i",
    "max_to": "max_to_i",
    "max_from": "max_from_i",
    "measured": "measured",
}
_SUPERSCRIPT: Final = {2: "²", 3: "³"}

PAGE_WIDTH: Final = 80
"""Columns of a page where nobody says otherwise."""

_MARGIN: Final = 2
"""Columns before a definition."""
_GUTTER: Final = 3
"""Columns between a formula and its meaning."""
_LONGEST_NAME: Final = 14
"""Columns: names up to this length have their ``=`` aligned."""
_SHORTEST_FORMULA: Final = 48
"""Columns for a formula of several lines; where a long name leaves less, it starts below the name."""


def expression(expr: Expr, order: Sequence[str] = ()) -> str:
    """One formula on one line; ``order`` lists the names that the document defines."""
    return render(arrange(expr, order))


def definitions(formulas: Sequence[Definition], title: str, *, width: int = PAGE_WIDTH, inputs: bool = False) -> str:
    """A page of definitions: a headline, then for each part ``name = formula   meaning``.

    ``width`` is the page's in columns. A meaning that has no room next to its formula has lines of its own below it;
    one that only repeats the name is left out. ``inputs`` adds a list of the free names and their meanings.
    A unit is at the right of the headline, or of each part's heading where there are several.
    """
    arranged = document.arranged(formulas)
    parts = document.parts(arranged)
    blocks = [_Block.of(part) for part in parts]
    layout = _Layout.fitting(blocks, width)

    lines = [_headline(title, parts[0].unit if len(parts) == 1 else "", width), ""]
    for part, block in zip(parts, blocks, strict=True):
        if len(parts) > 1:
            lines += [_headline(part.title, part.unit, width), ""]
        for row in block.rows:
            lines += layout.definition(block.equals, row)
        lines.append("")
    if inputs:
        lines += _inputs(document.inputs(arranged), width)
    return "\n".join(lines).rstrip("\n") + "\n"


def render(node: Node) -> str:
    """An arranged formula on one line."""
    return _render(node, _Binding.MODULO)


def _render(node: Node, least: _Binding) -> str:
    binding, text = _printed(node)
    return text if binding >= least else f"({text})"


def _printed(node: Node) -> tuple[_Binding, str]:
    match node:
        case Number(value):
            return _Binding.ATOM, numeral(value, " ")
        case Name(name):
            return _Binding.ATOM, name
        case Sum(terms):
            return _Binding.SUM, _sum(terms)
        case Product(_, _, True):
            return _Binding.SUM, "−" + _render(positive(node), _Binding.PRODUCT)
        case Product(numerator, denominator):
            return _Binding.PRODUCT, _product(numerator) + _divided_by(denominator)
        case Power(base, exponent):
            return _Binding.POWER, _power(base, exponent)
        case Call("remainder", (a, b)):
            return _Binding.MODULO, f"{_render(a, _Binding.ATOM)} mod {_render(b, _Binding.ATOM)}"
        case Call(function, arguments):
            return _Binding.ATOM, _call(function, arguments)
        case Lookup(table, dimensions):
            return _Binding.ATOM, f"{table}({_list(dimensions)})"


def _sum(terms: Sequence[Node]) -> str:
    first, *others = terms
    text = ("−" if is_negative(first) else "") + _render(positive(first), _Binding.PRODUCT)
    for term in others:
        text += (" − " if is_negative(term) else " + ") + _render(positive(term), _Binding.PRODUCT)
    return text


def _product(factors: Sequence[Node]) -> str:
    return "·".join(_render(factor, _Binding.POWER) for factor in factors)


def _divided_by(factors: Sequence[Node]) -> str:
    if not factors:
        return ""
    return f"/({_product(factors)})" if len(factors) > 1 else f"/{_product(factors)}"


def _power(base: Node, exponent: Node) -> str:
    match exponent:
        case Product((Number(1),), (Number(2),)):
            return "√" + _render(base, _Binding.ATOM)
        case Number(2 | 3 as small) if isinstance(small, int):
            return _base(base) + _SUPERSCRIPT[small]
        case _:
            return f"{_base(base)}^{_base(exponent)}"


def _base(node: Node) -> str:
    text = _render(node, _Binding.ATOM)
    # Formally clear, but 16 384² and 6e-6² would be misread.
    return f"({text})" if isinstance(node, Number) and not text.isdigit() else text


def _call(function: str, arguments: Sequence[Node]) -> str:
    match function:
        case "equal" | "less" | "at_most":
            return f"[{_relation(function, arguments)}]"
        case "ceiling":
            return f"⌈{_list(arguments)}⌉"
        case "floor":
            return f"⌊{_list(arguments)}⌋"
        case "where":
            condition, then, otherwise = arguments
            return f"({render(then)} if {_condition(condition)} else {render(otherwise)})"
        case "stage_pick":
            value, key = arguments
            return f"at_max_i({_list((key, value))})"
        case _:
            return f"{_NAMED[function]}({_list(arguments)})"


def _condition(node: Node) -> str:
    """What follows ``if``: a comparison needs no brackets there."""
    if is_condition(node) and isinstance(node, Call):
        return _relation(node.function, node.arguments)
    return render(node)


def _relation(function: str, sides: Sequence[Node]) -> str:
    left, right = sides
    return f"{render(left)} {_RELATION[function]} {render(right)}"


def _list(nodes: Sequence[Node]) -> str:
    return ", ".join(map(render, nodes))


@dataclass(frozen=True, slots=True)
class _Row:
    name: str
    formula: str
    note: str


@dataclass(frozen=True, slots=True)
class _Block:
    """The rows of one part, whose ``=`` are in one column."""

    rows: tuple[_Row, ...]
    equals: int

    @classmethod
    def of(cls, part: document.Part) -> _Block:
        rows = tuple(
            _Row(formula.definition.name, render(formula.body), part.note(formula.definition))
            for formula in part.formulas
        )
        longest = max((len(row.name) for row in rows if len(row.name) <= _LONGEST_NAME), default=0)
        return cls(rows, _MARGIN + longest + 1)

    @property
    def start(self) -> int:
        """The column in which its formulas start."""
        return self.equals + len("= ")

    def end(self, row: _Row) -> int:
        """The column behind a formula that stands on one line."""
        return max(self.start, _MARGIN + len(row.name) + len(" = ")) + len(row.formula)


@dataclass(frozen=True, slots=True)
class _Layout:
    """A page of ``width`` columns, and the column in which meanings next to their formulas start."""

    width: int
    note_column: int

    @classmethod
    def fitting(cls, blocks: Sequence[_Block], width: int) -> _Layout:
        """Meanings start where most of them have room next to their formulas; the others have lines of their own."""
        rows = Counter((block.end(row) + _GUTTER, len(row.note)) for block in blocks for row in block.rows if row.note)

        def fitting_at(column: int) -> int:
            return sum(n for (end, note), n in rows.items() if end <= column <= width - note)

        ends = sorted({end for end, _ in rows})
        return cls(width, max(ends, key=fitting_at, default=0))

    def definition(self, equals: int, row: _Row) -> list[str]:
        """``name = formula   meaning``; a meaning without room next to its formula is below it, to the right."""
        head = (" " * _MARGIN + row.name).ljust(equals - 1) + " ="
        start = len(head) + 1
        formula = wrap(row.formula, self.width - start)
        overflows = start + max(map(len, formula)) > self.width
        if overflows or (len(formula) > 1 and self.width - start < _SHORTEST_FORMULA):
            start = 3 * _MARGIN
            formula, lines = wrap(row.formula, self.width - start), [head]
        else:
            lines = [f"{head} {formula.pop(0)}"]
        lines += (" " * start + line for line in formula)
        if not row.note:
            return lines
        if len(lines) == 1 and len(lines[0]) + _GUTTER <= self.note_column <= self.width - len(row.note):
            return [lines[0].ljust(self.note_column) + row.note]
        column = max(min(self.note_column, self.width - len(row.note)), min(equals, self.width // 2) + 2 * _MARGIN)
        below = wrap_words(row.note, self.width - column, break_on_hyphens=False)
        return [*lines, *(" " * column + line for line in below)]


def _headline(title: str, unit: str, width: int) -> str:
    if not unit:
        return title
    return title + unit.rjust(max(width - len(title), len(unit) + _GUTTER))


def _inputs(free: Sequence[document.Input], width: int) -> list[str]:
    column = _MARGIN + max((len(entry.name) for entry in free), default=0) + _GUTTER
    lines: list[str] = []
    for entry in free:
        meaning = wrap_words(document.noted(entry.meaning, entry.unit), width - column) or [""]
        lines.append(f"{' ' * _MARGIN}{entry.name}".ljust(column) + meaning[0])
        lines += [" " * column + line for line in meaning[1:]]
    return ["inputs", "", *(line.rstrip() for line in lines)] if free else []
