"""Long formulas broken over lines, at their outermost operators first.

Works on printed text, for any notation whose sums are `` + ``, whose lists are ``, `` and whose
long denominators are in parentheses.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import Final

INDENT: Final = 2
"""Columns by which the inside of a bracket is set in when it is broken."""

_TOKEN: Final = re.compile(
    r"(?P<term> (?=[+−\-] |if |else |for )|(?<=,) )|(?P<quotient> ?(?=/ ?\())|(?P<open>[(\[⌈⌊])|(?P<close>[)\]⌉⌋])"
)


def wrap(formula: str, width: int) -> list[str]:
    """Lines of at most ``width`` columns, wherever an operator or a comma allows it."""
    if len(formula) <= width:
        return [formula]
    bracketed, breaks = _outermost_breaks(formula)
    indent = " " * INDENT if bracketed else ""
    lines: list[str] = []
    joinable = False
    for (start, glue), (end, _) in pairwise([(0, ""), *breaks, (len(formula), "")]):
        piece = formula[start + len(glue) : end]
        if joinable and len(lines[-1]) + len(glue) + len(piece) <= width:
            lines[-1] += glue + piece
            continue
        margin = indent if lines else ""
        broken = wrap(piece, width - len(margin)) if breaks else [piece]
        lines += [margin + line for line in broken]
        # What follows a broken piece starts a line of its own, or its end would be hard to see.
        joinable = len(broken) == 1
    return lines


def _outermost_breaks(formula: str) -> tuple[bool, list[tuple[int, str]]]:
    """Whether the breaks within the fewest brackets are in brackets, and each with the space it is at."""
    depth = 0
    breaks: dict[tuple[int, bool], list[tuple[int, str]]] = {}
    for match in _TOKEN.finditer(formula):
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth -= 1
        elif match.start() > 0:
            breaks.setdefault((depth, match["quotient"] is not None), []).append((match.start(), match[0]))
    if not breaks:
        return False, []
    outermost = min(breaks)
    return outermost[0] > 0, breaks[outermost]
