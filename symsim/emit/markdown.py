"""Formulas as a section of a Markdown document: LaTeX between ``$$``, then what each name means."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from symsim.emit import document, latex
from symsim.records.cost import Definition


def definitions(formulas: Sequence[Definition], title: str, *, level: int = 2) -> str:
    """A heading of the given level; for each part its formulas and a table of names; the inputs at the end.

    A part has a heading of its own, one level down, where there are several.
    """
    arranged = document.arranged(formulas)
    parts = document.parts(arranged)
    sections = [_heading(level, title)]
    for part in parts:
        if len(parts) > 1:
            sections.append(_heading(level + 1, part.title))
        sections.append(f"$$\n{latex.aligned(part, meanings=False)}\n$$\n")
        defined = [formula.definition for formula in part.formulas]
        sections.append(_table((d.name, d.meaning, d.unit) for d in defined))
    free = document.inputs(arranged)
    if free:
        sections += [_heading(level + 1, "inputs"), _table((entry.name, entry.meaning, entry.unit) for entry in free)]
    return "\n".join(sections)


def _heading(level: int, title: str) -> str:
    return f"{'#' * level} {' '.join(title.split())}\n"


def _table(rows: Iterator[tuple[str, str, str]]) -> str:
    lines = ["| symbol | name | meaning | unit |", "|:--|:--|:--|:--|"]
    for name, meaning, unit in rows:
        lines.append(f"| $`{latex.name(name)}`$ | `{name}` | {_prose(meaning)} | {_prose(unit)} |")
    return "\n".join(lines) + "\n"


def _prose(text: str) -> str:
    """Text in a table's cell; what Markdown would take for markup is escaped."""
    return re.sub(r"([\\`*_{}\[\]<>|$])", r"\\\1", " ".join(text.split()))
