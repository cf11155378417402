"""Brackets of a text, without those in texts and comments: how deep they nest, which are never closed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from symsim.diagnostics import Place, Source, error

MAX_DEPTH = 100
"""Deepest nesting of brackets."""
CLOSING = {"(": ")", "[": "]", "{": "}"}

_MARK = re.compile(r'"[^"\n]*"|#[^\n]*|[()\[\]{}]|\n')


def _marks(text: str) -> Iterator[tuple[str, int, int, int]]:
    """(bracket, offset, line, column) in order."""
    line, start = 1, 0
    for found in _MARK.finditer(text):
        mark = found[0]
        if mark == "\n":
            line, start = line + 1, found.end()
        elif len(mark) == 1 and mark in "()[]{}":
            yield mark, found.start(), line, found.start() - start + 1


def check_depth(source: Source) -> None:
    """Refuse nesting that would exhaust the stack, before any of it is built.

    Raises:
        InputError: a bracket stands in more than ``MAX_DEPTH`` others.
    """
    depth = 0
    for mark, _, line, column in _marks(source.text):
        depth = depth + 1 if mark in CLOSING else max(0, depth - 1)
        if depth > MAX_DEPTH:
            place = Place(source, line, column)
            message = f"brackets nest more than {MAX_DEPTH} deep"
            raise error("E104", message, place, "move the inner parts into blocks, or name them with let")


def unclosed_around(source: Source, offset: int) -> Place | None:
    """The innermost bracket that is open at ``offset`` and never closed."""
    opened: list[tuple[str, int, Place]] = []
    lost: list[tuple[int, Place]] = []
    for mark, at, line, column in _marks(source.text):
        if mark in CLOSING:
            opened.append((mark, at, Place(source, line, column)))
        elif any(CLOSING[bracket] == mark for bracket, _, _ in opened):
            while CLOSING[opened[-1][0]] != mark:
                lost.append(opened.pop()[1:])
            opened.pop()
    lost += [(at, place) for _, at, place in opened]
    return max(((at, place) for at, place in lost if at < offset), key=lambda entry: entry[0], default=(0, None))[1]
