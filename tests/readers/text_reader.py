"""Reads formulas and pages of definitions as ``symsim.emit.text`` prints them.

Independent of the emitter: this grammar is the definition of the text format. It is LALR(1), so that
no formula can be read in two ways.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final, cast

from lark import Lark, v_args

from tests.readers.evaluation import Evaluator, Meaning, Reading

GRAMMAR: Final = r"""
?start: expression

?expression: sum
    | atom "mod" atom                        -> remainder

?sum: term
    | "−" term                               -> negative
    | sum "+" term                           -> add
    | sum "−" term                           -> subtract

?term: product
    | product "/" power                      -> divide

?product: power
    | product "·" power                      -> multiply

?power: atom
    | atom "²"                               -> squared
    | atom "³"                               -> cubed
    | atom "^" atom                          -> raise_to
    | "√" atom                               -> root

?atom: NUMBER                                -> number
    | NAME                                   -> symbol
    | "(" expression ")"
    | "(" expression "if" condition "else" expression ")" -> choice
    | "[" comparison "]"
    | "⌈" expression "⌉"                     -> ceiling
    | "⌊" expression "⌋"                     -> floor
    | "max" "(" expression ("," expression)* ")" -> maximum
    | "min" "(" expression ("," expression)* ")" -> minimum
    | "sum_i" "(" expression ")"             -> stage_sum
    | "max_i" "(" expression ")"             -> stage_max
    | "sum_before_i" "(" expression ")"      -> sum_before
    | "max_to_i" "(" expression ")"          -> max_to
    | "max_from_i" "(" expression ")"        -> max_from
    | "at_max_i" "(" expression "," expression ")" -> at_largest
    | "measured" "(" expression "," expression ")" -> entry_or
    | NAME "(" [expression ("," expression)*] ")" -> measured

?condition: expression | comparison

?comparison: expression "=" expression       -> equal
    | expression "<" expression              -> less
    | expression "≤" expression              -> at_most

NAME: /[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z0-9_]+)*/
NUMBER: /[0-9]{1,3}( [0-9]{3})+(?![0-9])(\.[0-9]+)?|[0-9]+(\.[0-9]+)?(e-?[0-9]+)?/
%ignore " "
"""


@v_args(inline=True)
class _Text(Meaning):
    def number(self, token: str) -> Evaluator:
        digits = token.replace(" ", "")
        return self.literal(int(digits) if digits.isdigit() else float(digits))

    def symbol(self, token: str) -> Evaluator:
        return self.name(str(token))

    def squared(self, base: Evaluator) -> Evaluator:
        return self.raise_to(base, self.literal(2))

    def cubed(self, base: Evaluator) -> Evaluator:
        return self.raise_to(base, self.literal(3))

    def measured(self, table: str, *dimensions: Evaluator | None) -> Evaluator:
        return self.lookup(str(table), [dimension for dimension in dimensions if dimension is not None])

    def choice(self, then: Evaluator, condition: Evaluator, otherwise: Evaluator) -> Evaluator:
        return self.where(condition, then, otherwise)

    def at_largest(self, key: Evaluator, quantity: Evaluator) -> Evaluator:
        return self.stage_pick(quantity, key)


@cache
def _parser() -> Lark:
    return Lark(GRAMMAR, parser="lalr", transformer=_Text())


def read(formula: str) -> Evaluator:
    """One formula. Raises :class:`lark.exceptions.UnexpectedInput` if it is not in the format."""
    return cast(Evaluator, _parser().parse(formula))


_DEFINITION: Final = re.compile(r"  (?P<name>\S+) += ?(?P<rest>.*)")


def read_page(page: str) -> list[Reading]:
    """The definitions of a page, in order. Headlines and the list of inputs are passed over.

    A definition is ``  name = formula   meaning``. Lines that follow are set in: as long as a bracket is open, or a
    line starts with an operator, the formula goes on; then comes the meaning, which starts with neither.
    """
    found: list[tuple[str, list[str], list[str]]] = []
    inside = False
    for line in page.split("\n"):
        if match := _DEFINITION.fullmatch(line):
            formula, note = _columns(match["rest"])
            found.append((match["name"], [formula], [note]))
            inside = True
        elif line and not line.startswith("   "):
            inside = False
        elif line and inside:
            _, formulas, notes = found[-1]
            of_formula = not any(notes) and _goes_on(_joined(formulas), line.strip())
            (formulas if of_formula else notes).append(line.strip())
    return [Reading(name, read(_joined(formula)), _joined(note)) for name, formula, note in found]


def _goes_on(formula: str, line: str) -> bool:
    """Whether a line is part of the formula before it."""
    is_open = sum(formula.count(c) for c in "([⌈⌊") > sum(formula.count(c) for c in ")]⌉⌋")
    return not formula or is_open or line[0] in "+−·/"


def _columns(text: str) -> tuple[str, str]:
    """Formula and meaning: no formula holds two spaces in a row."""
    formula, note = re.fullmatch(r"(.*?)(?:  +(.*))?", text).groups("")  # type: ignore[union-attr]
    return formula, note


def _joined(lines: list[str]) -> str:
    return " ".join(filter(None, lines))
