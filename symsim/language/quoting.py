"""Text of others put into a file of the language: in a comment, or between double quotes.

Whatever it holds, the file reads back: it stays on its line, and nothing of it is a character that files cannot have.
"""

from __future__ import annotations

import re

from symsim.diagnostics import CONTROLS

LONGEST = 2000
"""Letters that are kept: a file has a largest size."""

_REFUSED = re.compile(f"{CONTROLS}|�")


def one_line(text: str, longest: int = LONGEST) -> str:
    """The text as a comment may have it."""
    shown = _REFUSED.sub(" ", text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def quoted(text: str, longest: int = LONGEST) -> str:
    """The text between double quotes; those in it become single ones."""
    return '"' + one_line(text, longest).replace('"', "'") + '"'
