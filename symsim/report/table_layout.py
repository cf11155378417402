"""A table made to fit a page: columns move together, then text and headings are folded, then the table is parted.

Numbers stay whole. What is still too wide is continued below, with the first column said again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

NARROWEST = 12
"""Columns to which text is folded at most, where its words let it."""

GAP, NARROW_GAP = 2, 1
"""Columns between two columns of a table."""

_BREAK = re.compile(r"(?<=[+,·/])(?=[^\s+,·/])|(?<=[a-z_]\.)(?=[a-z])")
"""Where a word may go on in the next line."""

Cells = Sequence[str]


@dataclass(frozen=True, slots=True)
class Part:
    """A table that fits: folded cells hold newlines. ``columns`` are those of the whole table, by number."""

    columns: tuple[int, ...]
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    gap: int


def fitted(
    headings: Cells, rows: Sequence[Cells], whole: Sequence[bool], width: int, length: Callable[[str], int] = len
) -> list[Part]:
    """The table in as many parts as ``width`` columns ask for; of ``whole`` columns only the heading is folded.

    ``length`` says how many columns a text takes.
    """
    count = len(headings)
    if not count:
        return []
    natural = [max(map(length, (headings[k], *(row[k] for row in rows)))) for k in range(count)]
    least = [
        max(_least(headings[k], length), *(length(row[k]) if whole[k] else _least(row[k], length) for row in rows))
        if rows
        else _least(headings[k], length)
        for k in range(count)
    ]
    for gap in (GAP, NARROW_GAP):
        if _total(natural, gap) <= width:
            return [_part(range(count), headings, rows, natural, gap, length)]
    parts: list[list[int]] = [[0]]
    for k in range(1, count):
        if len(parts[-1]) > 1 and _total([least[n] for n in (*parts[-1], k)], NARROW_GAP) > width:
            parts.append([0])
        parts[-1].append(k)
    return [
        _part(columns, headings, rows, _shrunk(columns, natural, least, width), NARROW_GAP, length) for columns in parts
    ]


def _total(widths: Sequence[int], gap: int) -> int:
    return sum(widths) + gap * (len(widths) - 1)


def _shrunk(columns: Sequence[int], natural: Sequence[int], least: Sequence[int], width: int) -> list[int]:
    """Widths of the columns of a part: the widest gives way first."""
    widths = {k: natural[k] for k in columns}
    while _total(list(widths.values()), NARROW_GAP) > width:
        foldable = [k for k in columns if widths[k] > least[k]]
        if not foldable:
            break
        widths[max(foldable, key=lambda k: widths[k])] -= 1
    return [widths.get(k, natural[k]) for k in range(len(natural))]


def _part(
    columns: Sequence[int],
    headings: Cells,
    rows: Sequence[Cells],
    widths: Sequence[int],
    gap: int,
    length: Callable[[str], int],
) -> Part:
    def cut(row: Cells) -> tuple[str, ...]:
        return tuple("\n".join(folded(row[k], widths[k], length)) for k in columns)

    return Part(tuple(columns), cut(headings), tuple(cut(row) for row in rows), gap)


def _least(text: str, length: Callable[[str], int]) -> int:
    """Columns that a text needs at least."""
    return max(min(length(text), NARROWEST), max((length(p) for w in text.split() for p in _BREAK.split(w)), default=0))


def folded(text: str, width: int, length: Callable[[str], int] = len) -> list[str]:
    """Lines of at most ``width`` columns, broken between words, then behind ``+ , · /`` and a dot in a name."""
    if length(text) <= width:
        return [text]
    lines = [""]
    for word in text.split():
        for k, piece in enumerate([word] if length(word) <= width else _BREAK.split(word)):
            joined = lines[-1] + (" " if k == 0 and lines[-1] else "") + piece
            if length(joined) <= width or not lines[-1]:
                lines[-1] = joined
            else:
                lines.append(piece)
    return lines
