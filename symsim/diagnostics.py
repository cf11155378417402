"""Errors a user sees: what is wrong, where, and what would be right.

A :class:`Diagnostic` is one message with a place and a hint; an :class:`InputError` carries one or
more of them, so that all errors of a file are reported together. Every message has a code
(``E101`` …), listed with an example in ``docs/errors.md``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name it is reported under: a path, or ``<--set>`` for the command line."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        lines = _lines(self.text)
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


@lru_cache(maxsize=4)
def _lines(text: str) -> tuple[str, ...]:
    return tuple(text.split("\n"))


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line of a source; lines and columns count from 1."""

    source: Source
    line: int
    column: int
    width: int = 1

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing that is wrong.

    ``about`` is the name of a strategy's choice that a message without a place is about:
    :func:`placed` finds where that choice was made.
    """

    code: str
    message: str
    place: Place | None = None
    hint: str | None = None
    about: str | None = None

    def render(self) -> str:
        """The message as it is printed: place, sentence, line with caret, hint."""
        head = f"{printable(str(self.place))}: " if self.place else ""
        out = [f"{head}error[{self.code}]: {_shortened(self.message)}"]
        if self.place:
            out += _excerpt(self.place)
        if self.hint:
            out.append(f"  hint: {_shortened(self.hint)}")
        return "\n".join(out)


MAX_SHOWN = 20
"""Errors that are printed; the rest are counted."""


class InputError(Exception):
    """The input is wrong. The command line prints every diagnostic, which is also ``str``, and exits with status 2."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        several = [diagnostics] if isinstance(diagnostics, Diagnostic) else dict.fromkeys(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(several)
        super().__init__("\n".join(d.message for d in self.diagnostics))

    def __str__(self) -> str:
        return self.render()

    def __reduce__(self) -> tuple[type[InputError], tuple[tuple[Diagnostic, ...]]]:
        return InputError, (self.diagnostics,)

    def render(self) -> str:
        """All messages as they are printed, each with its place and hint."""
        out = [d.render() for d in self.diagnostics[:MAX_SHOWN]]
        more = len(self.diagnostics) - len(out)
        return "\n".join([*out, f"… and {more:,} more errors"] if more else out)


def error(
    code: str, message: str, place: Place | None = None, hint: str | None = None, about: str | None = None
) -> InputError:
    """One diagnostic, ready to raise."""
    return InputError(Diagnostic(code, message, place, hint, about))


@contextmanager
def placed(places: Mapping[str, Place]) -> Iterator[None]:
    """Give errors that are about a choice of the strategy the place where the choice was made."""
    try:
        yield
    except InputError as problem:
        raise InputError(
            d if d.place is not None or d.about is None else replace(d, place=places.get(d.about))
            for d in problem.diagnostics
        ) from None


_LONGEST_NAME = 64
_MOST_NAMES = 12


def nearest(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word most like ``word``, if one is near, or the few that there are."""
    names = sorted(set(known))
    if len(word) > _LONGEST_NAME:
        return None
    lowered = {n.lower(): n for n in names}
    close = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{lowered[close[0]]}'?"
    if 0 < len(names) <= _MOST_NAMES:
        return "known here: " + ", ".join(names)
    return None


_LONGEST_MESSAGE = 400


CONTROLS = (
    "[\\x00-\\x1f\\x7f-\\x9f\\xad\\u061c\\u180e\\u200b-\\u200f\\u2028-\\u202e\\u2060-\\u206f\\ufeff\\ufff9-\\ufffb"
    "\\ud800-\\udfff\\U000e0000-\\U000e007f]"
)
"""A pattern of the characters that a terminal obeys instead of showing them, or that hide what is there: controls,
marks of direction, spaces without width, halves of a letter."""

_CONTROL = re.compile(CONTROLS)


def printable(text: str) -> str:
    """One line that leaves the terminal as it is, whatever the input had in it."""
    return _CONTROL.sub("�", text)


def _shortened(text: str) -> str:
    text = printable(text)
    return text if len(text) <= _LONGEST_MESSAGE else f"{text[: _LONGEST_MESSAGE // 2]} … {text[-60:]}"


_EXCERPT_WIDTH = 100


def _excerpt(place: Place) -> list[str]:
    line = printable(place.source.line(place.line).replace("\t", " "))
    if not line.strip():
        return []
    start = max(0, place.column - 1 - _EXCERPT_WIDTH // 2)
    shown = line[start : start + _EXCERPT_WIDTH]
    column = place.column - 1 - start
    width = max(1, min(place.width, len(shown) - column))
    return [f"  | {shown}", f"  | {' ' * column}{'^' * width}"]
