"""How many columns a page of text has."""

from __future__ import annotations

import shutil
import sys

PAGE_WIDTH = 80
"""Columns where the answer goes into a file or a pipe."""


def page_width() -> int:
    """The columns of the terminal; of a file or a pipe :data:`PAGE_WIDTH`, whatever the terminal next to it has."""
    return shutil.get_terminal_size((PAGE_WIDTH, 24)).columns if sys.stdout.isatty() else PAGE_WIDTH
