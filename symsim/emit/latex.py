r"""Formulas as LaTeX: for a document with ``amsmath``, and for MathJax and KaTeX as they stand.

Only what all three know is used, and each notation stands for one thing:

=====================================  ===========================================================
``855\,638\,016``                      digits in groups of three
``989 \times 10^{12}``                 a floating-point number; products are ``\cdot``
``\frac{a}{b}`` ``x^{2}`` ``\sqrt{x}``
``[i = 0]`` ``[i < 3]`` ``[i \le 3]``  1 if so, else 0
``\max(a, b)`` ``\lceil x \rceil``     and likewise ``\min``, ``\lfloor x \rfloor``
``a \bmod b`` ``\begin{cases}``
``\mathrm{matmul{.}forward}(T)``       a measured table, for this dimension
``\sum_{i} F`` ``\max_{i}(F)``         over the pipeline stages i
``\left. t \right|_{i = \arg\max F}``  t on the first stage where F is largest
``\begin{aligned}``                    a sum or a list that is too long for one line
=====================================  ===========================================================

Names of the vocabulary have their own LaTeX. ``n_dense`` is ``n_{\text{dense}}``, a single letter is
itself, every other name is upright: ``\mathrm{weights}``. No two names have the same LaTeX.

``tests/readers/latex_reader.py`` has the grammar, which is unambiguous, and reads displays back.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from enum import IntEnum
from functools import cache
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
    walk,
)
from symsim.emit.numerals import numeral
from symsim.symbols import VOCABULARY

if TYPE_CHECKING:
    from sympy import Expr

    from symsim.records.cost import Definition


class _Binding(IntEnum):
    """How tightly an expression holds together; looser than its surroundings, it gets parentheses."""

    OPEN = 0
    """A modulo or a brace, which seems to reach on to what follows."""
    SUM = 1
    PRODUCT = 2
    FRACTION = 3
    POWER = 4
    ATOM = 5


_RELATION: Final = {"equal": "=", "less": "<", "at_most": r"\le"}
_LINE: Final = 60
"""Characters that fit on a line, roughly; what is longer is stacked."""

_UNSEEN: Final = re.compile(r"\\[a-zA-Z]+|\\.|[{}&\s]")


def expression(expr: Expr, order: Sequence[str] = ()) -> str:
    """One formula in math mode, without delimiters; ``order`` lists the names that the document defines."""
    return render(arrange(expr, order))


def definitions(formulas: Sequence[Definition], title: str) -> str:
    r"""A display ``\[ … \]`` for each part: its formulas aligned at ``=``, their meanings to the right."""
    displays = []
    for part in document.parts(document.arranged(formulas)):
        comment = " · ".join(filter(None, (title, part.title, part.unit)))
        displays.append(f"\\[ % {' '.join(comment.split())}\n{aligned(part, meanings=True)}\n\\]\n")
    return "\n".join(displays)


def aligned(part: document.Part, *, meanings: bool) -> str:
    r"""The formulas of a part as an ``aligned`` environment, without math delimiters."""
    rows: list[str] = []
    for formula in part.formulas:
        note = document.noted(formula.definition.meaning, formula.definition.unit)
        first, *others = _lines(formula.body)
        remark = rf" && \text{{{escaped(note)}}}" if meanings and note else ""
        rows.append(f"{name(formula.definition.name)} &= {first}{remark}")
        rows += [rf"&\quad {{}} {line}" for line in others]
    body = " \\\\\n".join(rows)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def render(node: Node) -> str:
    """An arranged formula, without math delimiters."""
    return _render(node, _Binding.OPEN)


@cache
def name(symbol: str) -> str:
    """The LaTeX of a name, different for every name."""
    entry = VOCABULARY.get(symbol)
    if entry is not None:
        return entry.latex
    if re.fullmatch(r"[A-Za-z]", symbol):
        latex = symbol
    elif re.fullmatch(r"[A-Za-z]_[A-Za-z0-9]+", symbol):
        latex = rf"{symbol[0]}_{{\text{{{symbol[2:]}}}}}"
    else:
        latex = _upright(symbol)
    # A definition named W must not look like the number of GPUs.
    return _upright(symbol) if latex in _vocabulary_latex() else latex


def escaped(prose: str) -> str:
    r"""Text for ``\text{…}``: special characters escaped, mathematical ones in math mode."""
    # MathJax knows \$ \{ \} and mathematics inside of \text, and shows any other command as it is written.
    return _SPECIAL.sub(_escape, prose)


def _escape(run: re.Match[str]) -> str:
    if run[0] in "{}$":
        return f"\\{run[0]}"
    return f"${' '.join(_MATHEMATICAL[character] for character in run[0])}$"


_MATHEMATICAL: Final = {
    "·": r"\cdot",
    "×": r"\times",
    "÷": r"\div",
    "−": "-",
    "±": r"\pm",
    "→": r"\to",
    "<": "<",
    ">": ">",
    "≤": r"\le",
    "≥": r"\ge",
    "≠": r"\ne",
    "≈": r"\approx",
    "~": r"\sim",
    "^": r"\wedge",
    "\\": r"\backslash",
    "²": "{}^2",
    "³": "{}^3",
    "µ": r"\mu",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
}

_SPECIAL: Final = re.compile(rf"[{{}}$]|[{re.escape(''.join(_MATHEMATICAL))}]+")


def _upright(word: str) -> str:
    # A bare full stop is punctuation to MathJax, which puts a space after it.
    letters = word.replace("_", r"\_").replace(".", "{.}")
    return rf"\mathrm{{{letters}}}"


@cache
def _vocabulary_latex() -> frozenset[str]:
    return frozenset(entry.latex for entry in VOCABULARY.values())


def _render(node: Node, least: _Binding) -> str:
    binding, latex = _printed(node)
    return latex if binding >= least else _parenthesised(latex)


def _printed(node: Node) -> tuple[_Binding, str]:
    match node:
        case Number(value):
            digits = numeral(value, r"\,", r" \times 10^{{{}}}")
            return (_Binding.POWER if r"\times" in digits else _Binding.ATOM), digits
        case Name(symbol):
            return _Binding.ATOM, name(symbol)
        case Sum(terms):
            return _Binding.SUM, _stacked(_terms(terms), "")
        case Product(_, _, True):
            return _Binding.SUM, "-" + _render(positive(node), _Binding.PRODUCT)
        case Product(numerator, denominator):
            return _product(numerator, denominator)
        case Power(base, Product((Number(1),), (Number(2),))):
            return _Binding.ATOM, rf"\sqrt{{{render(base)}}}"
        case Power(base, exponent):
            return _Binding.POWER, f"{_render(base, _Binding.ATOM)}^{{{render(exponent)}}}"
        case Call(function, arguments):
            return _call(function, arguments)
        case Lookup(table, dimensions):
            return _Binding.ATOM, _applied(_upright(table), dimensions)


def _lines(node: Node) -> list[str]:
    """A formula on one line, or its terms on as many as it needs."""
    if not isinstance(node, Sum):
        return [render(node)]
    lines: list[str] = []
    for term in _terms(node.terms):
        if lines and _length(lines[-1]) + 1 + _length(term) <= _LINE:
            lines[-1] += " " + term
        else:
            lines.append(term)
    return lines


def _terms(terms: Sequence[Node]) -> list[str]:
    """Each term with its sign in front."""
    first, *others = terms
    texts = [("-" if is_negative(first) else "") + _render(positive(first), _Binding.PRODUCT)]
    texts += [("- " if is_negative(term) else "+ ") + _render(positive(term), _Binding.PRODUCT) for term in others]
    return texts


def _product(numerator: tuple[Node, ...], denominator: tuple[Node, ...]) -> tuple[_Binding, str]:
    r"""``[i = 0] \cdot \frac{a \cdot b}{c} \cdot (d + e)``: long sums and conditions keep their full size."""
    if not denominator:
        return _Binding.PRODUCT, _factors(numerator)
    outside = [factor for factor in numerator if is_condition(factor) or _is_tall_sum(factor)]
    above = [factor for factor in numerator if factor not in outside]
    fraction = rf"\frac{{{_bare(above or [Number(1)])}}}{{{_bare(denominator)}}}"
    if not outside:
        return _Binding.FRACTION, fraction
    before = [_render(factor, _Binding.POWER) for factor in outside if is_condition(factor)]
    behind = [_render(factor, _Binding.POWER) for factor in outside if not is_condition(factor)]
    return _Binding.PRODUCT, r" \cdot ".join([*before, fraction, *behind])


def _factors(factors: Iterable[Node]) -> str:
    return r" \cdot ".join(_render(factor, _Binding.POWER) for factor in factors)


def _bare(factors: Sequence[Node]) -> str:
    """Above or below a fraction bar, where a single factor needs no parentheses."""
    return render(factors[0]) if len(factors) == 1 else _factors(factors)


def _call(function: str, arguments: tuple[Node, ...]) -> tuple[_Binding, str]:
    match function:
        case "maximum" | "minimum":
            return _Binding.ATOM, _applied(rf"\{function[:3]}", arguments)
        case "equal" | "less" | "at_most":
            return _Binding.ATOM, _delimited("[", _relation(function, arguments), "]")
        case "ceiling":
            return _Binding.ATOM, _delimited(r"\lceil ", render(arguments[0]), r" \rceil")
        case "floor":
            return _Binding.ATOM, _delimited(r"\lfloor ", render(arguments[0]), r" \rfloor")
        case "remainder":
            a, b = arguments
            return _Binding.OPEN, rf"{_render(a, _Binding.POWER)} \bmod {_render(b, _Binding.POWER)}"
        case "where":
            condition, then, otherwise = arguments
            first = rf"{render(then)} & \text{{if }} {_condition(condition)}"
            return _Binding.OPEN, (
                rf"\begin{{cases}} {first} \\ {render(otherwise)} & \text{{otherwise}} \end{{cases}}"
            )
        case "measured":
            return _Binding.ATOM, _applied(r"\operatorname{measured}", arguments)
        case "stage_sum":
            return _Binding.PRODUCT, rf"\sum_{{i}} {_render(arguments[0], _Binding.FRACTION)}"
        case "stage_max":
            return _Binding.ATOM, _applied(r"\max_{i}", arguments)
        case "sum_before":
            return _Binding.PRODUCT, rf"\sum_{{<i}} {_render(arguments[0], _Binding.FRACTION)}"
        case "max_to":
            return _Binding.ATOM, _applied(r"\max_{\le i}", arguments)
        case "max_from":
            return _Binding.ATOM, _applied(r"\max_{\ge i}", arguments)
        case "stage_pick":
            value, key = arguments
            return _Binding.POWER, rf"\left. {render(value)} \right|_{{i = \arg\max {_render(key, _Binding.FRACTION)}}}"
        case _:
            raise TypeError(f"no notation for {function}")


def _condition(node: Node) -> str:
    """What follows "if": a comparison needs no brackets there."""
    if is_condition(node) and isinstance(node, Call):
        return _relation(node.function, node.arguments)
    return render(node)


def _relation(function: str, sides: Sequence[Node]) -> str:
    left, right = sides
    return f"{render(left)} {_RELATION[function]} {render(right)}"


def _applied(function: str, arguments: Sequence[Node]) -> str:
    if len(arguments) == 1:
        return function + _parenthesised(render(arguments[0]))
    return function + _parenthesised(_stacked([_unstacked(argument) for argument in arguments], ","))


def _unstacked(node: Node) -> str:
    """A sum on one line, as an item of a list that may be stacked itself."""
    return " ".join(_terms(node.terms)) if isinstance(node, Sum) else render(node)


def _stacked(pieces: Sequence[str], separator: str) -> str:
    """The pieces side by side, or below each other if they are too long for one line."""
    if len(pieces) < 2 or sum(map(_length, pieces)) <= _LINE:
        return f"{separator} ".join(pieces)
    rows = f"{separator} \\\\ & ".join(pieces)
    return rf"\begin{{aligned}} & {rows} \end{{aligned}}"


def _parenthesised(latex: str) -> str:
    return _delimited("(", latex, ")")


def _delimited(opening: str, latex: str, closing: str) -> str:
    if any(tall in latex for tall in (r"\frac", r"\begin", r"\sum", r"\left")):
        return rf"\left{opening.rstrip()} {latex} \right{closing.lstrip()}"
    return f"{opening}{latex}{closing}"


def _is_tall_sum(node: Node) -> bool:
    return isinstance(node, Sum) and any(isinstance(below, Product) and below.denominator for below in walk(node))


def _length(latex: str) -> int:
    """Characters that are seen, roughly: a fraction is as wide as both of its sides."""
    return len(_UNSEEN.sub("", latex.replace(r"\cdot", "·")))
