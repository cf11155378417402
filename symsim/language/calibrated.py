"""Write fitted values into the text of a system or a library file, next to what they were.

``efficiency = 0.88 "a benchmark"`` becomes ``efficiency = 0.81 calibrated "…" from 0.88 "a benchmark"``:
the old line goes on behind what is put in, comments and all. A value that was fitted before keeps
what it was before the first fit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction

from symsim import units
from symsim.diagnostics import Source
from symsim.language import tree
from symsim.language.figures import LINKS, UNSTATED, canonical
from symsim.language.quoting import one_line, quoted

SHOWN_DIGITS = 4
RECORD = "#: "
"""Begins the lines at the top of a file that say how its figures were fitted."""

_VALUE = re.compile(r'(\s*=\s*)(?:[^"\n]*?\bcalibrated\s+"[^"\n]*"\s+from\s+)?')
_WRITTEN_UNIT = re.compile(r"[0-9][0-9_.eE+-]*\s*([A-Za-z]+(?:/s)?)")
_BASE_UNIT = {"B": "B", "s": "s", "B/s": "B/s", "FLOP/s": "FLOP/s"}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A new value in its base unit, and what is said of it."""

    value: float
    before: float
    unit: str
    note: str


def figures_of(parsed: tree.SystemFile) -> dict[str, tree.FigureEntry]:
    """The entry of each figure of a system file, by its name in formulas."""
    return dict(_entries(parsed.entries, ""))


def _entries(entries: tuple[tree.SystemEntry, ...], prefix: str) -> Iterator[tuple[str, tree.FigureEntry]]:
    for entry in entries:
        if isinstance(entry, tree.Group):
            yield from _entries(entry.entries, canonical(prefix + entry.name) + ".")
        elif isinstance(entry, tree.FigureEntry):
            yield canonical(prefix + entry.name), entry


def rewritten(
    source: Source,
    entries: Mapping[str, tree.FigureEntry] | Mapping[str, tree.Fact],
    fitted: Mapping[str, Fitted],
    record: str,
    link: str = LINKS[0],
) -> str:
    """The text with new values; ``record`` says in lines at its top how they were found.

    A figure that the text does not state is put behind its end; ``link`` is what its machine calls the
    link of an island. Earlier records stay, unless every value that they tell of is a new one.
    """
    lines = source.text.split("\n")
    for name, new in fitted.items():
        if name not in entries:
            lines += ["", _group(name, new, link)]
            continue
        place = entries[name].place
        line = lines[place.line - 1]
        start = place.column - 1 + place.width
        rest = _VALUE.match(line, start)
        assert rest is not None, line
        old = line[rest.end() :]
        lines[place.line - 1] = f"{line[:start]}{rest[1]}{_text(new, old)} calibrated {quoted(new.note)} from {old}"
    left = [n for n, entry in entries.items() if entry.calibrated is not None and n not in fitted]
    if not left:
        lines = [line for line in lines if not line.startswith(RECORD)]
    told = [RECORD + one_line(line) for line in record.split("\n")]
    return "\n".join([*told, *lines]).rstrip("\n") + "\n"


def _group(name: str, new: Fitted, link: str) -> str:
    *groups, last = (link + name.removeprefix("link") if name.startswith("link.") else name).split(".")
    before = _text(replace(new, value=new.before), "")
    figure = f"{last} = {_text(new, '')} calibrated {quoted(new.note)} from {before} {quoted(UNSTATED)}"
    return " { ".join([*groups, figure]) + " }" * len(groups)


def _text(new: Fitted, old: str) -> str:
    """The value in the unit that the old one is written in."""
    written = _WRITTEN_UNIT.match(old)
    unit = (
        written[1]
        if written and units.UNITS.get(written[1], (0, None))[1] == new.unit
        else _BASE_UNIT.get(new.unit, "")
    )
    scale = units.UNITS[unit][0] if unit else Fraction(1)
    return f"{new.value / float(scale):.{SHOWN_DIGITS}g} {unit}".rstrip()
