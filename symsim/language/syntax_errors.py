"""What a parser met and did not expect, said in the user's words: one sentence, a place, a hint."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from symsim.diagnostics import CONTROLS, InputError, Place, Source, error, nearest
from symsim.language.brackets import CLOSING, unclosed_around

KINDS = {
    "strategy": "strategy",
    "system": "system",
    **dict.fromkeys(("model", "family", "layer", "block", "operator", "optimizer", "efficiency"), "model"),
    **dict.fromkeys(("profile", "defaults", "define", "words"), "model"),
}
"""First word of a file → what the file is."""

_WHERE = {
    "model": "a model is the first argument of a command",
    "strategy": "a strategy is given with -s",
    "system": "a system is given with -y",
}
_SPOKEN = {
    "_SEP": "a new line",
    "$END": "the end",
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
    "COLON": "':'",
    "ARROW": "'->'",
    "PHASE": "forward, input_grad or weight_grad",
    "COLLECTIVE": "a collective such as all_reduce",
    "WITH_BODY": "with body",
}
_UNSPOKEN = frozenset(
    {
        "OR",
        "AND",
        "IN",
        "COMPARE",
        "PLUS",
        "MINUS",
        "STAR",
        "SLASH",
        "PERCENT",
        "POWER",
        "RANGE",
        "NOT",
        "IF",
        "VERSION",
    }
)
"""Terminals that could go on almost anywhere: naming them would help nobody."""
_MOST_EXPECTED = 8
_SHOWN = 40

_PLAIN = {
    **dict.fromkeys("“”„«»'‘’`", 'write a text between double quotes: "…"'),
    **dict.fromkeys("×·∗", "a product is written *"),
    **dict.fromkeys("–—−", "a minus sign is written -"),
    "÷": "a division is written /",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "→": "write ->",
    "…": "a range is written 1..8",
    "!": "a negation is written not, and 'differs' !=",
    "&": "write and",
    "|": 'write or; a layout is a text in double quotes: layout = "Et|(tt|)*30L"',
    "[": "a set is written { }, an argument list ( )",
    "]": "a set is written { }, an argument list ( )",
    ".": "a number needs a digit before its point: 0.5; names with a point belong to machines",
    "\r": "lines end in LF or CR LF",
    "\\": "a line goes on inside parentheses and after an operator, without a backslash",
}
_OF_CATEGORY = defaultdict(
    lambda: "names are written with a-z, A-Z, 0-9 and _; a comment, after #, may have any character",
    {
        "Zs": "write an ordinary space",
        "Cf": "it is invisible: delete it",
        "Nd": "digits are 0-9",
    },
)
_CONTROL = re.compile(f"(?!\t){CONTROLS}")
_FIRST_WORD = re.compile(r"(?:\s|#[^\n]*)*([A-Za-z_]\w*|\{)?")
_STATEMENT_WORD = re.compile(r"(?:^|[\n;{}])[ \t]*([A-Za-z_]\w*)[ \t]*$")


def first_word(source: Source) -> tuple[str, Place]:
    """The word that a text begins with, behind blanks and comments, and where it stands."""
    found = _FIRST_WORD.match(source.text)
    word = (found[1] or "") if found else ""
    at = found.start(1) if found and word else 0
    return word, place_at(source, at, max(1, len(word)))


def place_at(source: Source, offset: int, width: int = 1) -> Place:
    before = source.text[:offset]
    return Place(source, before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1, width)


def explain(problem: Any, source: Source, kind: str, keywords: Iterable[str]) -> InputError:
    """The error for what lark could not parse.

    ``keywords`` are the words of the grammar: a statement's first word that is nearly one of them is
    what went wrong, wherever the parser stopped.
    """
    from lark.exceptions import UnexpectedToken

    word, place = first_word(source)
    if KINDS.get(word, kind) != kind and not source.name.startswith("<"):
        message = f"{source.name} is a {KINDS[word]}, not a {kind}"
        return error("E111", message, place, _WHERE[KINDS[word]])
    if word == "{":
        message = f"{source.name} is not text of this language"
        return error("E111", message, place, "the name of a Hugging Face configuration ends in .json")
    if not isinstance(problem, UnexpectedToken):
        return _character(source, problem.pos_in_stream)
    token = problem.token
    offset = len(source.text) if token.type == "$END" or token.start_pos is None else token.start_pos
    opened = unclosed_around(source, offset)
    if opened is not None:
        bracket = source.line(opened.line)[opened.column - 1]
        return error("E112", f"this '{bracket}' is never closed", opened, f"expected '{CLOSING[bracket]}' behind it")
    meant = _misspelt(source, offset, keywords)
    if meant is not None:
        return meant
    width = len(token) if token.type not in ("_SEP", "$END") else 1
    place = place_at(source, min(offset, len(source.text)), max(1, width))
    found = {"_SEP": "end of the line", "$END": "end of the text"}.get(token.type, f"'{_short(str(token))}'")
    return error("E106", f"unexpected {found} in a {kind}", place, _hint(problem, source, offset))


def _character(source: Source, offset: int) -> InputError:
    place = place_at(source, offset)
    char = source.text[offset : offset + 1]
    if char == '"':
        end = source.text.find('"', offset + 1)
        control = _CONTROL.search(source.text, offset + 1, max(end, 0))
        if end < 0 or (control is not None and control[0] == "\n"):
            return error("E113", "this text is never closed", place, 'a text ends on its line, with "')
        if control is not None:
            offset, char = control.start(), control[0]
            place = place_at(source, offset)
    name = f"'{char}'" if char.isprintable() else f"U+{ord(char):04X}"
    if not char.isascii():
        name += f" ({unicodedata.name(char, 'a character without a name')})"
    return error(
        "E105", f"unexpected character {name}", place, _PLAIN.get(char) or _OF_CATEGORY[unicodedata.category(char)]
    )


def _misspelt(source: Source, offset: int, keywords: Iterable[str]) -> InputError | None:
    """The first word of the statement before ``offset``, if it is nearly a keyword."""
    known = set(keywords)
    before = _STATEMENT_WORD.search(source.text, max(0, offset - 200), offset)
    if before is None or before[1] in known:
        return None
    hint = nearest(before[1], known)
    if hint is None or not hint.startswith("did you mean"):
        return None
    return error("E106", f"unexpected '{before[1]}'", place_at(source, before.start(1), len(before[1])), hint)


def _hint(problem: Any, source: Source, offset: int) -> str | None:
    accepted = set(problem.accepts or problem.expected) - _UNSPOKEN
    words = sorted(t.lower() for t in accepted if t.isupper() and t not in _SPOKEN)
    if problem.token.type == "NAME":
        close = nearest(str(problem.token), words)
        if close is not None and close.startswith("did you mean"):
            return close
    if source.text[:offset].rstrip().endswith("%"):
        return "a percentage is written as a fraction: 0.9"
    if len(accepted) > 1:
        accepted -= {"$END"}
    if len(words) > 1:
        accepted -= {"_SEP"}
    expected = [*words, *sorted(_SPOKEN[t] for t in accepted if t in _SPOKEN)][:_MOST_EXPECTED]
    return "expected " + " or ".join(filter(None, (", ".join(expected[:-1]), expected[-1]))) if expected else None


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
