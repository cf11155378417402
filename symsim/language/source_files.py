"""Texts of files that a command line names: read whole, as UTF-8, up to a largest size."""

from __future__ import annotations

from pathlib import Path

from symsim.diagnostics import Source, error, nearest
from symsim.language.parser import MAX_BYTES, not_text, too_large


def read_source(path: Path, name: str | None = None) -> Source:
    """A file's text.

    Raises:
        InputError: it is missing, a folder, too long, or not UTF-8 text.
    """
    shown = name or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        hint = _sibling(path) or "a path is relative to where the command runs"
        raise error("E100", f"there is no file '{shown}'", hint=hint) from None
    except IsADirectoryError:
        raise error("E100", f"'{shown}' is a folder", hint="give a .sym file in it") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise error("E100", f"cannot read '{shown}': {reason}", hint="give a .sym file that you may read") from None
    if len(raw) > MAX_BYTES:
        raise too_large(shown)
    try:
        return Source(shown, raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise not_text(shown) from None


def _sibling(path: Path) -> str | None:
    try:
        near = nearest(path.name, (p.name for p in path.parent.glob("*.sym")))
    except OSError:
        return None
    return near if near is not None and near.startswith("did you mean") else None


def file_hint(given: str) -> str | None:
    """How to name a file that would be taken for a shipped name."""
    try:
        return f"to read the file of this name, write ./{given}" if Path(given).is_file() else None
    except OSError:
        return None
