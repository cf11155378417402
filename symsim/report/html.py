"""Small tables of HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

MOST_ROWS = 60
"""Longer tables end with how many rows are left."""


def table(headings: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> str:
    """A table: the first column to the left, others to the right. Every text is escaped."""
    caption = f"<caption>{escape(title)}</caption>" if title else ""
    head = "".join(f"<th>{escape(h)}</th>" for h in headings)
    body = "".join(f"<tr>{''.join(map(_cell, range(len(row)), row))}</tr>" for row in rows[:MOST_ROWS])
    left = len(rows) - MOST_ROWS
    more = f"<tr><td>… and {left:,} more</td></tr>" if left > 0 else ""
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}{more}</tbody></table>"


def _cell(place: int, text: str) -> str:
    return f'<td style="text-align: {"right" if place else "left"}">{escape(text)}</td>'
