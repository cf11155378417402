"""Errors a user sees: what is wrong, where, and what would be right.

A :class:`Diagnostic` is one message with a place and a hint; an :class:`InputError` carries one or
more of them, so that all errors of a file are reported together. Every message has a code
(``E101`` …), listed with an example in ``docs/errors.md``.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Source:
    """A text and the name it is reported under: a path, or ``<--set>`` for the command line."""

    name: str
    text: str = field(repr=False)

    def line(self, number: int) -> str:
        lines = self.text.split("\n")
        return lines[number - 1].rstrip("\r") if 0 < number <= len(lines) else ""


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
    code: str
    message: str
    place: Place | None = None
    hint: str | None = None

    def render(self) -> str:
        """The message as it is printed: place, sentence, line with caret, hint."""
        head = f"{self.place}: " if self.place else ""
        out = [f"{head}error[{self.code}]: {self.message}"]
        if self.place:
            out += _excerpt(self.place)
        if self.hint:
            out.append(f"  hint: {self.hint}")
        return "\n".join(out)


class InputError(Exception):
    """The input is wrong. The command line prints every diagnostic and exits with status 2."""

    def __init__(self, diagnostics: Diagnostic | Iterable[Diagnostic]) -> None:
        several = [diagnostics] if isinstance(diagnostics, Diagnostic) else list(diagnostics)
        self.diagnostics: tuple[Diagnostic, ...] = tuple(several)
        super().__init__("\n".join(d.message for d in self.diagnostics))

    def render(self) -> str:
        return "\n".join(d.render() for d in self.diagnostics)


def error(code: str, message: str, place: Place | None = None, hint: str | None = None) -> InputError:
    """One diagnostic, ready to raise."""
    return InputError(Diagnostic(code, message, place, hint))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """A hint naming the known word most like ``word``, if one is near."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if close:
        return f"did you mean '{close[0]}'?"
    if 0 < len(names) <= 12:
        return "known here: " + ", ".join(names)
    return None


_EXCERPT_WIDTH = 100


def _excerpt(place: Place) -> list[str]:
    line = place.source.line(place.line).replace("\t", " ")
    line = "".join(c if c.isprintable() else "�" for c in line)
    if not line.strip():
        return []
    start = max(0, place.column - 1 - _EXCERPT_WIDTH // 2)
    shown = line[start : start + _EXCERPT_WIDTH]
    column = place.column - 1 - start
    width = max(1, min(place.width, len(shown) - column))
    return [f"  | {shown}", f"  | {' ' * column}{'^' * width}"]
