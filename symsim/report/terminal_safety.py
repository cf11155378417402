"""What a command prints, made safe for a terminal: the one place through which every text of others goes.

An identifier of a measured case, a title of a model or the name of a file may hold control characters, which a
terminal obeys: they clear the screen, or write over what was said. A command's streams replace them; its own drawing
(colours of a table, a progress bar) goes past that, to :func:`unfiltered`, with its cells made :func:`safe` before.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO

from symsim.diagnostics import CONTROLS

_BETWEEN_LINES = re.compile(f"(?![\n\t]){CONTROLS}")


def safe(text: str) -> str:
    """The text without characters that a terminal obeys; lines and tabs stay."""
    return _BETWEEN_LINES.sub("�", text)


class SafeStream:
    """A text stream that writes nothing that a terminal obeys; all else is the stream's behind it."""

    def __init__(self, stream: TextIO) -> None:
        self.unfiltered = stream

    def write(self, text: str) -> int:
        self.unfiltered.write(safe(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unfiltered, name)


def unfiltered(stream: TextIO) -> TextIO:
    """The stream behind a safe one, for drawing that needs control characters of its own."""
    return stream.unfiltered if isinstance(stream, SafeStream) else stream


@contextmanager
def safe_streams() -> Iterator[None]:
    """While a command runs, what it prints is safe for a terminal."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (SafeStream(_ready(stream)) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def _ready(stream: TextIO | None) -> TextIO:
    """A stream that takes every letter: one that was closed before the start takes it nowhere."""
    if stream is None:
        return Path(os.devnull).open("w", encoding="utf-8")
    found = unfiltered(stream)
    if isinstance(found, TextIOWrapper):
        found.reconfigure(errors="backslashreplace")
    return found
