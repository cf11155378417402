"""Lines of an explanation: a word and what is to say of it, and tables with a bar behind each row."""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

from symsim.report.tables import print_table

PIPE_WIDTH = 100
"""Characters of a line of text where there is no terminal."""

SHORTEST_BAR, LONGEST_BAR = 6, 24
"""Characters of a bar of the whole."""

_AMOUNT = re.compile(r"(?<=\d) (?=(?:[KMGTP]?i?B|[mµn]?s)\b)")
"""The space of an amount, where no line ends."""


def say(what: str, text: str) -> None:
    """One line, or more on a narrow page."""
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    whole = _AMOUNT.sub("\N{NO-BREAK SPACE}", f"{what:<7}{text}")
    lines = textwrap.fill(
        whole, max(40, width), subsequent_indent=" " * 7, break_long_words=False, break_on_hyphens=False
    )
    print(lines.replace("\N{NO-BREAK SPACE}", " "))


def print_with_bars(headings: list[str], rows: list[list[str]], bars: list[tuple[float, str]]) -> None:
    """A table, and on a terminal that has room for them a bar behind each row, as far as there are bars."""
    width = sum(max(len(row[k]) for row in (headings, *rows)) + 2 for k in range(len(headings)))
    room = shutil.get_terminal_size().columns - width if sys.stdout.isatty() else 0
    if room >= SHORTEST_BAR:
        drawn = [_bar(share, colour, min(room, LONGEST_BAR)) for share, colour in bars]
        drawn += [""] * (len(rows) - len(bars))
        headings, rows = [*headings, ""], [[*row, bar] for row, bar in zip(rows, drawn, strict=True)]
    print_table(headings, rows)


def _bar(share: float, colour: str, length: int) -> str:
    whole, eighths = divmod(round(min(share, 1.0) * length * 8), 8)
    return f"[{colour}]{'█' * whole}{' ▏▎▍▌▋▊▉'[eighths].strip()}[/]"
