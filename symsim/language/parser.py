"""Text to syntax tree.

``parse_model``, ``parse_strategy``, ``parse_system`` and ``parse_call`` read one kind of text each.
Work is bounded: a text has a largest size, an expression a greatest depth.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

from symsim import units
from symsim.diagnostics import InputError, Place, Source, error
from symsim.language import tree
from symsim.language.brackets import check_depth
from symsim.language.expressions import out_of_bounds
from symsim.language.grammar_tables import parser_of
from symsim.language.syntax_errors import explain
from symsim.language.unit_hints import unit_hint
from symsim.records.graph import PHASES

if TYPE_CHECKING:
    from lark import Lark, Token

MAX_BYTES = 256 * 1024
"""Longest text that is read; the largest shipped file is a tenth of it."""
MAX_TOKENS = 20_000
"""Most words, numbers and marks of a text; the largest shipped file has a sixteenth of them."""
MAX_NUMBER_DIGITS = 40


def parse_model(source: Source) -> tuple[tree.Item, ...]:
    return _parse("model", "start", source)  # type: ignore[no-any-return]


def parse_part(source: Source, start: int, end: int, kind: str = "model") -> tuple[Any, ...]:
    """The items of a stretch of a text that begins with a line, with their places in the whole.

    Raises:
        InputError: the stretch is wrong; what is said is what is said of the whole text.
    """
    from lark.exceptions import UnexpectedInput

    from symsim.language.builder import Builder

    text = source.text[start:end]
    try:
        check_depth(Source(source.name, text))
        parsed = _grammar(kind).parse(text + "\n", start="start")
    except (UnexpectedInput, _TooManyTokensError):
        return _parse(kind, "start", source)  # type: ignore[no-any-return]
    return Builder(source, source.text.count("\n", 0, start)).build(parsed)  # type: ignore[no-any-return]


def parse_call(source: Source) -> tree.Call:
    """An inline model: ``llama(hidden=2048, layers=16, …)``."""
    return _parse("model", "call", source)  # type: ignore[no-any-return]


def parse_strategy(source: Source, text: str | None = None) -> tree.StrategyFile:
    """``text`` is what is parsed in place of what is shown; its columns are those of the source."""
    return _parse("strategy", "start", source, text)  # type: ignore[no-any-return]


@lru_cache(maxsize=32)
def parse_system(source: Source) -> tree.SystemFile:
    """Kept, because thousands of plans are asked about on a handful of machines."""
    parsed = _parse("system", "start", source)
    return parsed if isinstance(parsed, tree.SystemFile) else tree.SystemFile(parsed.header)


def parse_expression(source: Source) -> tree.Expression:
    return _parse("strategy", "expression", source)  # type: ignore[no-any-return]


def _parse(kind: str, start: str, source: Source, text: str | None = None) -> Any:
    from lark.exceptions import UnexpectedInput

    from symsim.language.builder import Builder

    text = source.text if text is None else text
    if len(text) > MAX_BYTES:
        raise too_large(source.name)
    if "\0" in text or "�" in text:
        raise not_text(source.name)
    if start == "start" and not _COMMENT.sub("", text).strip():
        raise error("E102", f"{source.name} is empty", hint=f"expected {_FIRST[kind]}")
    check_depth(source)
    try:
        parsed = _grammar(kind).parse(text + ("\n" if start == "start" else ""), start=start)
    except UnexpectedInput as problem:
        raise explain(problem, source, kind, keywords(kind)) from None
    except _TooManyTokensError:
        raise too_large(source.name) from None
    return Builder(source).build(parsed)


_COMMENT = re.compile(r"#[^\n]*")
_FIRST = {
    "model": "model NAME = FAMILY(…)",
    "strategy": "NAME = VALUE",
    "system": "system NAME",
    "config": "config TYPE = FAMILY(…)",
}


def too_large(name: str) -> InputError:
    hint = f"at most {MAX_BYTES // 1024} KiB and {MAX_TOKENS:,} words, numbers and marks are read"
    return error("E103", f"{name} is too large", hint=hint)


def not_text(name: str) -> InputError:
    return error("E101", f"{name} is not a text file", hint="a .sym file is text in UTF-8")


class _TooManyTokensError(Exception):
    """The text has more than MAX_TOKENS."""


@cache
def _grammar(kind: str) -> Lark:
    return parser_of(kind, Separators)


@cache
def keywords(kind: str) -> frozenset[str]:
    """The words that the grammar of a kind of file knows."""
    words = {str(t.pattern.value) for t in _grammar(kind).terminals}
    return frozenset(w for w in words if w.isidentifier()) | (frozenset(PHASES) if kind == "model" else frozenset())


class Separators:
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
        for count, token in enumerate(stream):
            if count > MAX_TOKENS:
                raise _TooManyTokensError
            if token.type in self._OPEN:
                depth += 1
            elif token.type in self._CLOSE:
                depth -= 1
            elif token.type == "_SEP" and (depth > 0 or previous in self._UNFINISHED or previous == "_SEP"):
                continue
            previous = token.type
            yield token


def read_number(text: str, place: Place) -> int | Fraction:
    """An exact number; the number of digits and the exponent are bounded."""
    digits = text.replace("_", "")
    mantissa, _, exponent = digits.lower().partition("e")
    if len(mantissa) > MAX_NUMBER_DIGITS or (exponent and abs(int(exponent[:6])) > MAX_NUMBER_DIGITS):
        raise out_of_bounds("number", place)
    value = Fraction(digits)
    return value.numerator if value.denominator == 1 else value


def read_quantity(number: str, unit: str, place: Place) -> tuple[int | Fraction, str]:
    known = units.UNITS.get(unit)
    if known is None:
        raise error("E108", f"unknown unit '{unit}'", place, unit_hint(number, unit))
    value = read_number(number, place) * known[0]
    return (value.numerator if value.denominator == 1 else value), known[1]
