"""Write a model as a person would: one call of a family, without what the family gives anyway."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from symsim.language import tree
from symsim.language.dimensions import needed_arguments
from symsim.language.library import library_of
from symsim.language.list_text import list_text, value_text
from symsim.language.parser import keywords
from symsim.language.quoting import one_line, quoted
from symsim.records.model import One
from symsim.records.model import Value as Dimension

__all__ = ["Dimension", "One", "family_of", "identifier", "model_text", "printable"]

WIDTH = 100
"""Columns of the text."""


def family_of(name: str) -> tree.FamilyItem:
    """A shipped family."""
    return library_of().families[name]


def model_text(
    name: str,
    title: str,
    family: str,
    dimensions: Mapping[str, Dimension],
    comments: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> str:
    """``model NAME "title" = family(…)`` under its comments, wrapped at ``WIDTH`` columns; notes follow it."""
    left_open = {p.name: 1 for p in family_of(family).parameters if p.default is None and p.name not in dimensions}
    needed = needed_arguments(family_of(family), {**dimensions, **left_open}, library_of())
    kept = {name: value for name, value in needed.items() if name not in left_open}
    words = [f"{n} = {list_text(v) if isinstance(v, tuple) else value_text(v)}" for n, v in kept.items()]
    shown = f' "{title}"' if title and title != name else ""
    lines = [line for comment in comments for line in _wrapped(f"# {comment}".split(" "), "# ", " ")]
    opening = f"model {name}{shown} = {family}("
    call = _wrapped((opening + ", ".join(words)).split(", "), "    ", ", ")
    call[-1] += ")"
    return "\n".join([*lines, *call, *(f"note {quoted(note)}" for note in notes)]) + "\n"


def identifier(text: str) -> str:
    """A name of the language for any text: ``Llama-3.1-8B`` → ``llama_3_1_8b``."""
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:60]
    if not name:
        return "imported"
    return name if name[0].isalpha() and name not in keywords("model") else f"model_{name}"


def printable(text: str, longest: int = 60) -> str:
    """Text that may stand between double quotes, on one line."""
    return one_line(text.replace('"', " "), longest)


def _wrapped(pieces: Sequence[str], indent: str, joint: str) -> list[str]:
    """Pieces joined, on as many lines as they need; a line but the last ends with the joint."""
    lines = [pieces[0]]
    for piece in pieces[1:]:
        longer = lines[-1] + joint + piece
        if len(longer) + len(joint.rstrip()) <= WIDTH:
            lines[-1] = longer
        else:
            lines[-1] += joint.rstrip()
            lines.append(indent + piece)
    return lines
