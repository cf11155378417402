"""A table with a bar behind each row, where a terminal has room for them."""

from __future__ import annotations

import shutil
import sys

from symsim.report.tables import Coloured, print_table

SHORTEST_BAR, LONGEST_BAR = 6, 24
"""Characters of a bar of the whole."""


def print_with_bars(headings: list[str], rows: list[list[str]], bars: list[tuple[float, str]]) -> None:
    """A table, and on a terminal that has room for them a bar behind each row, as far as there are bars."""
    width = sum(max(len(row[k]) for row in (headings, *rows)) + 2 for k in range(len(headings)))
    room = shutil.get_terminal_size().columns - width if sys.stdout.isatty() else 0
    if room >= SHORTEST_BAR:
        drawn: list[str] = [_bar(share, colour, min(room, LONGEST_BAR)) for share, colour in bars]
        drawn += [""] * (len(rows) - len(bars))
        headings, rows = [*headings, ""], [[*row, bar] for row, bar in zip(rows, drawn, strict=True)]
    print_table(headings, rows)


def _bar(share: float, colour: str, length: int) -> Coloured:
    whole, eighths = divmod(round(min(share, 1.0) * length * 8), 8)
    return Coloured(f"{'█' * whole}{' ▏▎▍▌▋▊▉'[eighths].strip()}", colour)
