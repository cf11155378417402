"""Long formulas broken over lines, at their outermost operators first.

Works on printed text, for any notation whose sums are `` + ``, whose lists are ``, `` and whose
long denominators are in parentheses. A short factor in parentheses is kept whole.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

INDENT: Final = 2
"""Columns by which what belongs to the line above is set in."""

SHORTEST: Final = 44
"""Columns that a line may use, however deep it is: what is deeper is set in no further."""

_TOKEN: Final = re.compile(
    r"(?P<item>(?<=,) | (?=if |else |for ))|(?P<term> (?=[+−\-] ))"
    r"|(?P<factor>(?=/\()|(?=·\([^()]{1,30}\))| (?=//? \()| (?=\* \([^()]{1,30}\)))"
    r"|(?P<name>(?<=[^ ])(?=[·/][^ /]))|(?P<open>[(\[⌈⌊])|(?P<close>[)\]⌉⌋])"
)
_LOOSEST_FIRST: Final = ("item", "term", "factor", "name")


def wrap(formula: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns, wherever an operator or a comma allows it.

    The terms of the formula itself start in the first column; what is inside of a bracket or of a
    term is set in.
    """
    return _broken(formula, width, margin=0, hanging=0, nested=False)


def _broken(formula: str, width: int, *, margin: int, hanging: int, nested: bool) -> list[str]:
    """Lines of which the first starts at ``margin``; the others start at ``hanging`` or further in."""
    if margin + len(formula) <= width:
        return [" " * margin + formula]
    depth, breaks = _outermost_breaks(formula)
    if not breaks:
        return [" " * margin + formula]
    if nested or depth > 0:
        hanging = max(hanging, min(hanging + INDENT, max(2 * INDENT, width - SHORTEST)))
    lines: list[str] = []
    joinable = False
    for (start, glue), (end, _) in pairwise([(0, ""), *breaks, (len(formula), "")]):
        piece = formula[start + len(glue) : end]
        if joinable and len(lines[-1]) + len(glue) + len(piece) <= width:
            lines[-1] += glue + piece
            continue
        start_column = hanging if lines else margin
        broken = _broken(piece, width, margin=start_column, hanging=hanging, nested=True)
        lines += broken
        # What follows a broken piece starts a line of its own, or its end would be hard to see.
        joinable = len(broken) == 1
    return lines


def _outermost_breaks(formula: str) -> tuple[int, list[tuple[int, str]]]:
    """The loosest breaks within the fewest brackets: how many brackets, and each with the space it is at.

    A product of names is broken where nothing else can be.
    """
    depth = 0
    breaks: dict[tuple[int, int], list[tuple[int, str]]] = {}
    for match in _TOKEN.finditer(formula):
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth -= 1
        elif match.start() > 0:
            looseness = _LOOSEST_FIRST.index(str(match.lastgroup))
            breaks.setdefault((depth, looseness), []).append((match.start(), match[0]))
    if not breaks:
        return 0, []
    last = _LOOSEST_FIRST.index("name")
    outermost = min(breaks, key=lambda at: (at[1] == last, at))
    return outermost[0], breaks[outermost]
