"""Text to syntax tree.

``parse_model``, ``parse_strategy``, ``parse_system`` and ``parse_call`` read one kind of text each.
Work is bounded: a text has a largest size, an expression a greatest depth.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from symsim import units
from symsim.diagnostics import Diagnostic, InputError, Place, Source, error, nearest
from symsim.language import tree
from symsim.resources import grammar_text

if TYPE_CHECKING:
    from lark import Lark, Token

MAX_BYTES = 256 * 1024
"""Longest text that is read; the largest shipped file is a tenth of it."""
MAX_DEPTH = 100
"""Deepest nesting of one expression or body."""
MAX_NUMBER_DIGITS = 40


def parse_model(source: Source) -> tuple[tree.Item, ...]:
    return _parse("model", "start", source)  # type: ignore[no-any-return]


def parse_call(source: Source) -> tree.Call:
    """An inline model: ``llama(hidden=2048, layers=16, …)``."""
    return _parse("model", "call", source)  # type: ignore[no-any-return]


def parse_strategy(source: Source) -> tree.StrategyFile:
    return _parse("strategy", "start", source)  # type: ignore[no-any-return]


def parse_system(source: Source) -> tree.SystemFile:
    return _parse("system", "start", source)  # type: ignore[no-any-return]


def parse_expression(source: Source) -> tree.Expression:
    return _parse("strategy", "expression", source)  # type: ignore[no-any-return]


def _parse(kind: str, start: str, source: Source) -> Any:
    from lark.exceptions import UnexpectedInput

    from symsim.language.builder import Builder

    text = source.text
    if len(text) > MAX_BYTES:
        raise error("E103", f"{source.name} is {len(text):,} characters long; at most {MAX_BYTES:,} are read")
    if "\0" in text or "�" in text:
        raise error("E101", f"{source.name} is not a text file", hint="a .sym file is UTF-8 text")
    if start == "start" and not text.strip():
        raise error("E102", f"{source.name} is empty", hint=f"expected a {kind}")
    _check_depth(source)
    try:
        parsed = _grammar(kind).parse(text + ("\n" if start == "start" else ""), start=start)
    except UnexpectedInput as problem:
        raise _explain(problem, source, kind) from None
    return Builder(source).build(parsed)


@cache
def _grammar(kind: str) -> Lark:
    from lark import Lark

    starts = {"model": ["start", "call"], "strategy": ["start", "expression"], "system": ["start"]}
    return Lark(
        grammar_text("common") + grammar_text(kind),
        start=starts[kind],
        parser="lalr",
        lexer="contextual",
        postlex=_Separators(),
        propagate_positions=True,
        maybe_placeholders=False,
    )


class _Separators:
    """Newlines end a statement, except inside parentheses and where the line cannot end."""

    always_accept = ("_SEP",)
    _OPEN = frozenset({"LPAR", "LSQB"})
    _CLOSE = frozenset({"RPAR", "RSQB"})
    _UNFINISHED = frozenset(
        {"COMMA", "PLUS", "MINUS", "STAR", "SLASH", "PERCENT", "POWER", "EQUAL", "OR", "AND", "NOT", "ARROW"}
    )

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        previous = ""
        for token in stream:
            if token.type in self._OPEN:
                depth += 1
            elif token.type in self._CLOSE:
                depth -= 1
            elif token.type == "_SEP" and (depth > 0 or previous in self._UNFINISHED or previous == "_SEP"):
                continue
            previous = token.type
            yield token


def _check_depth(source: Source) -> None:
    """Refuse nesting that would exhaust the stack, before any of it is built."""
    depth = 0
    for number, line in enumerate(source.text.split("\n"), 1):
        for column, char in enumerate(line, 1):
            if char in "([{":
                depth += 1
                if depth > MAX_DEPTH:
                    raise error("E104", f"nested more than {MAX_DEPTH} deep", Place(source, number, column))
            elif char in ")]}":
                depth = max(0, depth - 1)
            elif char == "#":
                break


_SPOKEN = {
    "_SEP": "end of line",
    "$END": "end of file",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a text in double quotes",
    "UNIT": "a unit",
    "EQUAL": "'='",
    "LPAR": "'('",
    "RPAR": "')'",
    "LBRACE": "'{'",
    "RBRACE": "'}'",
    "LSQB": "'['",
    "RSQB": "']'",
    "COMMA": "','",
    "PHASE": "forward, input_grad or weight_grad",
    "COLLECTIVE": "a collective",
}
_OPERATORS = frozenset(
    {"OR", "AND", "IN", "COMPARE", "PLUS", "MINUS", "STAR", "SLASH", "PERCENT", "POWER", "RANGE", "NOT", "IF"}
)


def _explain(problem: Any, source: Source, kind: str) -> InputError:
    """One sentence for what the parser met, what it expected, and the nearest keyword."""
    from lark.exceptions import UnexpectedToken

    if not isinstance(problem, UnexpectedToken):
        char = source.text[problem.pos_in_stream] if problem.pos_in_stream < len(source.text) else ""
        place = Place(source, problem.line, problem.column)
        hint = "a text is written in one line, between double quotes" if char == '"' else None
        return error("E105", f"unexpected character {char!r}", place, hint)
    token = problem.token
    line, column = max(1, token.line or 1), max(1, token.column or 1)
    if token.type == "$END":
        lines = source.text.split("\n")
        line, column = len(lines), len(lines[-1]) + 1
    place = Place(source, line, column, max(1, len(token) if token.type not in ("_SEP", "$END") else 1))
    accepted = set(problem.accepts or problem.expected) - _OPERATORS
    keywords = sorted(t for t in accepted if t.isupper() and t not in _SPOKEN and not t.startswith("_"))
    spoken = sorted(_SPOKEN[t] for t in accepted if t in _SPOKEN)
    words = [k.lower() for k in keywords if k not in ("MINUS",)]
    met = {"_SEP": "the end of the line", "$END": "the end of the file"}.get(token.type, f"'{_short(str(token))}'")
    expected = ", ".join(spoken + words) if len(spoken) + len(words) <= 8 else ", ".join(spoken[:4] + words[:8])
    hint = nearest(str(token), words) if token.type == "NAME" else None
    if hint is None or not hint.startswith("did you mean"):
        hint = f"expected {expected}" if expected else None
    return InputError(Diagnostic("E106", f"unexpected {met} in a {kind}", place, hint))


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "…"


def read_number(text: str, place: Place) -> int | Fraction:
    """An exact number; the number of digits and the exponent are bounded."""
    digits = text.replace("_", "")
    mantissa, _, exponent = digits.lower().partition("e")
    if len(mantissa) > MAX_NUMBER_DIGITS or (exponent and abs(int(exponent[:6])) > MAX_NUMBER_DIGITS):
        raise error("E107", "this number is too large to mean anything here", place)
    value = Fraction(digits)
    return value.numerator if value.denominator == 1 else value


def read_quantity(number: str, unit: str, place: Place) -> tuple[int | Fraction, str]:
    known = units.UNITS.get(unit)
    if known is None:
        raise error("E108", f"unknown unit '{unit}'", place, nearest(unit, units.UNITS))
    value = read_number(number, place) * known[0]
    return (value.numerator if value.denominator == 1 else value), known[1]
