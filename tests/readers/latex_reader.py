r"""Reads formulas and displays as ``symsim.emit.latex`` prints them.

Independent of the emitter: this grammar is the definition of the LaTeX that formulas may use. It is
LALR(1), so that no formula can be read in two ways.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, cast

from lark import Lark, v_args

from symsim.symbols import VOCABULARY
from tests.readers.evaluation import Evaluator, Meaning, Reading

GRAMMAR: Final = r"""
?start: expression

?expression: sum
    | power "\\bmod" power                   -> remainder

?sum: term
    | "-" term                               -> negative
    | sum "+" term                           -> add
    | sum "-" term                           -> subtract

?term: product
    | "\\sum_{i}" power                      -> stage_sum

?product: power
    | product "\\cdot" power                 -> multiply

?power: atom
    | atom "^" "{" expression "}"            -> raise_to

?atom: NUMBER                                -> number
    | NAME                                   -> symbol
    | "\\frac" "{" expression "}" "{" expression "}" -> divide
    | "\\sqrt" "{" expression "}"            -> root
    | "(" expression ")"
    | "[" comparison "]"
    | "\\lceil" expression "\\rceil"         -> ceiling
    | "\\lfloor" expression "\\rfloor"       -> floor
    | "\\max" "(" expression ("," expression)* ")" -> maximum
    | "\\min" "(" expression ("," expression)* ")" -> minimum
    | "\\max_{i}" "(" expression ")"         -> stage_max
    | "\\left." expression "\\right|_{i = \\arg\\max" power "}" -> stage_pick
    | "\\operatorname{measured}" "(" expression "," expression ")" -> entry_or
    | cases
    | NAME "(" [expression ("," expression)*] ")" -> measured

cases: "\\begin{cases}" expression "& \\text{if }" condition "\\\\" expression "& \\text{otherwise}" "\\end{cases}"

?condition: expression | comparison

?comparison: expression "=" expression       -> equal
    | expression "<" expression              -> less
    | expression "\\le" expression           -> at_most

NUMBER: /[0-9]+(\\,[0-9]{3})*(\.[0-9]+)?( \\times 10\^\{-?[0-9]+\})?/
NAME: %(names)s
STACK: /\\begin\{aligned\} &|\\\\ &(?! \\text)|\\end\{aligned\}/
SIZE: /\\left(?!\.)|\\right(?!\|)/
%%ignore " "
%%ignore STACK
%%ignore SIZE
"""

_SUBSCRIPTED: Final = r"[A-Za-z]_\{\\text\{[A-Za-z0-9]+\}\}"
_UPRIGHT: Final = r"\\mathrm\{([^{}]|\{\.\})*\}"

_NAMES: Final = {entry.latex: entry.name for entry in VOCABULARY.values()}


def read_name(latex: str) -> str:
    """The name that this LaTeX stands for."""
    if latex in _NAMES:
        return _NAMES[latex]
    if re.fullmatch(_SUBSCRIPTED, latex):
        return re.sub(r"\{\\text\{|\}\}", "", latex)
    return _read_upright(latex)


def _read_upright(latex: str) -> str:
    return latex.removeprefix(r"\mathrm{").removesuffix("}").replace(r"\_", "_").replace("{.}", ".")


@v_args(inline=True)
class _Latex(Meaning):
    def number(self, token: str) -> Evaluator:
        digits = re.sub(r" \\times 10\^\{(-?[0-9]+)\}", r"e\1", token.replace(r"\,", ""))
        return self.literal(int(digits) if digits.isdigit() else float(digits))

    def symbol(self, token: str) -> Evaluator:
        return self.name(read_name(str(token)))

    def measured(self, table: str, *dimensions: Evaluator | None) -> Evaluator:
        return self.lookup(_read_upright(table), [dimension for dimension in dimensions if dimension is not None])

    def cases(self, then: Evaluator, condition: Evaluator, otherwise: Evaluator) -> Evaluator:
        return self.where(condition, then, otherwise)


@cache
def _parser() -> Lark:
    vocabulary = sorted((re.escape(latex) for latex in _NAMES), key=len, reverse=True)
    names = "|".join([_SUBSCRIPTED, _UPRIGHT, *vocabulary, "[A-Za-z]"]).replace("/", r"\/")
    return Lark(GRAMMAR % {"names": f"/{names}/"}, parser="lalr", transformer=_Latex())


def read(formula: str) -> Evaluator:
    """One formula. Raises :class:`lark.exceptions.UnexpectedInput` if it is not in the format."""
    return cast(Evaluator, _parser().parse(" ".join(formula.split())))


def read_page(page: str) -> list[Reading]:
    r"""The definitions of all displays ``\[ … \]``, in order."""
    found: list[tuple[str, list[str], str]] = []
    for body in re.findall(r"\\\[ %[^\n]*\n\\begin\{aligned\}\n(.*?)\n\\end\{aligned\}\n\\\]", page, re.DOTALL):
        for row in body.split(" \\\\\n"):
            if goes_on := re.fullmatch(r"&\\quad \{\} (.*)", row):
                found[-1][1].append(goes_on[1])
                continue
            name, formula, note = re.fullmatch(r"(.*?) &= (.*?)(?: && \\text\{(.*)\})?", row).groups("")  # type: ignore[union-attr]
            found.append((name, [formula], note))
    return [Reading(read_name(name), read(" ".join(formula)), note) for name, formula, note in found]
