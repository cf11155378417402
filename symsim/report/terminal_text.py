"""Lines of text that fit the page."""

from __future__ import annotations

import re
import textwrap

from symsim.report.page_width import page_width

NO_BREAK = "\N{NO-BREAK SPACE}"
"""A space at which no line ends; it is printed as a plain one."""

_AMOUNT = re.compile(r"(?<=\d) (?=(?:[KMGTP]?i?B|[mµn]?s)\b)")
"""The space of an amount, where no line ends."""


def say(what: str, text: str) -> None:
    """A word, and what is to say of it on one line, or on more where the page is narrow."""
    print_wrapped(f"{what:<7}{text}", 7)


def print_wrapped(text: str, indent: int = 2) -> None:
    """A line of text, broken between words where the page ends; what follows is set in. No line ends in an amount."""
    whole = _AMOUNT.sub(NO_BREAK, text)
    lines = textwrap.wrap(
        whole,
        max(40, page_width()),
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
        drop_whitespace=True,
    )
    print("\n".join(lines).replace(NO_BREAK, " "))
