"""Measured tables of a machine: CSV files that give a value for exact dimensions.

A table begins with comment lines (``# what, unit, source``), then a header, then rows::

    # Efficiency of a matrix multiplication: fraction of the peak
    phase,m,k,n,efficiency
    forward,4096,8192,10240,0.755

The last column is the value and all others are dimensions, counted in positive integers; a first
column ``phase`` splits the rows into one table for each phase. Cells are never quoted.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from symsim.diagnostics import Diagnostic, InputError, Place, Source, error, nearest
from symsim.records.graph import PHASES
from symsim.records.system import Table

MAX_BYTES: Final = 10_000_000
MAX_ROWS: Final = 200_000
MAX_DIMENSION: Final = 2**53
"""Beyond it a dimension is no longer exact as a double, which is what formulas are evaluated in."""
MAX_ERRORS: Final = 20

MAX_EFFICIENCY: Final = 2.5
"""What is done is at most the peak, but efficiencies of attention count the full square of scores.

A kernel that skips the masked half of them is so credited with up to twice the work that it does;
the rest of the margin is for a clock above the data sheet's.
"""

_PHASE: Final = "phase"
_COMMENT: Final = "#"
_MAX_DIGITS: Final = len(str(MAX_DIMENSION))
_SHOWN: Final = 24
"""Characters of a cell that a message repeats; the line below it shows the rest."""


def read_table(path: Path, name: str) -> dict[str, Table]:
    """Read the table at ``path``: by ``name.forward`` … if it has a phase column, else by ``name``.

    Durations (a last column named with the suffix ``_s``) may be zero; all other values are
    positive. Raises :class:`InputError` with every error of the file, up to ``MAX_ERRORS``.
    """
    return _Reader(Source(str(path), _text(path)), name).tables()


def _text(path: Path) -> str:
    place = Place(Source(str(path), ""), 1, 1)
    try:
        # A pipe or a device would block or never end.
        if path.exists() and not path.is_file():
            raise error("E401", f"'{path}' is not a file", place, "a table is a CSV file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        near = _sibling(path)
        raise error("E401", f"there is no table '{path}'", place, near or "paths are relative to the file") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise error("E401", f"cannot read the table '{path}': {reason}", place, "a table is a CSV file") from None
    if len(content) > MAX_BYTES:
        raise error("E402", f"'{path}' is over {MAX_BYTES // 10**6} MB", place, "keep the shapes that are used")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise _binary(path, content, problem.start) from None
    if "\0" in text:
        raise _binary(path, content, content.index(0))
    return text


def _sibling(path: Path) -> str | None:
    try:
        return nearest(path.name, (sibling.name for sibling in path.parent.glob("*.csv")))
    except OSError:
        return None


def _binary(path: Path, content: bytes, offset: int) -> InputError:
    before = content[:offset]
    line_start = before.rfind(b"\n") + 1
    source = Source(str(path), content.decode("utf-8", errors="replace"))
    column = len(content[line_start:offset].decode("utf-8", errors="replace")) + 1
    place = Place(source, before.count(b"\n") + 1, column)
    return error("E403", f"'{path}' is not text", place, "save the table as CSV in UTF-8")


@dataclass(frozen=True, slots=True)
class _Header:
    columns: tuple[str, ...]
    phased: bool

    @property
    def dimensions(self) -> tuple[str, ...]:
        return self.columns[1 if self.phased else 0 : -1]

    @property
    def value(self) -> str:
        return self.columns[-1]


@dataclass(slots=True)
class _Reader:
    """Goes through the lines once, collecting entries and errors."""

    source: Source
    name: str
    comments: list[str] = field(default_factory=list)
    entries: dict[str, dict[tuple[int, ...], float]] = field(default_factory=dict)
    lines: dict[tuple[str, tuple[int, ...]], int] = field(default_factory=dict)
    errors: list[Diagnostic] = field(default_factory=list)

    def tables(self) -> dict[str, Table]:
        lines = self.source.text.split("\n")
        start = self._skip_comments(lines)
        if start == len(lines):
            self._error("E404", "the table is empty", 1, "give a header such as m,k,n,efficiency, then the rows")
            raise InputError(self.errors)
        header = self._header(start + 1, _cells(lines[start]))
        if not self.errors:
            self._rows(header, lines, start + 1)
        if not self.errors and not self.entries:
            self._error("E404", "the table has no rows", start + 1, "give a row under the header")
        if self.errors:
            raise InputError(self.errors)
        source = " ".join(self.comments) or self.source.name
        return {
            f"{self.name}.{phase}" if phase else self.name: Table(
                header.dimensions, entries, math.fsum(entries.values()) / len(entries), source
            )
            for phase, entries in self.entries.items()
        }

    def _skip_comments(self, lines: list[str]) -> int:
        """The index of the header's line."""
        for index, line in enumerate(lines):
            text = line.strip()
            if text.startswith(_COMMENT):
                self.comments.append(text.lstrip(_COMMENT).strip())
            elif text:
                return index
        return len(lines)

    def _header(self, line: int, columns: list[str]) -> _Header:
        seen: set[str] = set()
        for cell, text in enumerate(columns):
            if not text.isidentifier():
                message = f"'{_short(text)}' is not a column's name" if text else "a column has no name"
                self._error("E405", message, line, "the header names every column, e.g. m,k,n,efficiency", cell)
            elif text in seen:
                self._error("E405", f"the column '{text}' appears twice", line, "keep one of them", cell)
            elif text == _PHASE and cell:
                self._error("E405", "the column 'phase' is not the first", line, "move it to the front", cell)
            seen.add(text)
        header = _Header(tuple(columns), columns[0] == _PHASE)
        if not self.errors and not header.dimensions:
            hint = "dimensions first, the value last, e.g. ranks,efficiency"
            self._error("E405", "the header needs a dimension and a value", line, hint)
        return header

    def _rows(self, header: _Header, lines: list[str], start: int) -> None:
        rows = 0
        for index in range(start, len(lines)):
            line = lines[index].strip()
            if not line or line.startswith(_COMMENT):
                continue
            rows += 1
            if rows > MAX_ROWS:
                self._error("E402", f"the table has over {MAX_ROWS} rows", index + 1, "keep the shapes that are used")
                return
            self._row(header, index + 1, _cells(line))
            if len(self.errors) >= MAX_ERRORS:
                return

    def _row(self, header: _Header, line: int, cells: list[str]) -> None:
        if len(cells) != len(header.columns):
            message = f"{len(cells)} cells under {len(header.columns)} columns"
            self._error("E406", message, line, f"the columns are {', '.join(header.columns)}")
            return
        errors = len(self.errors)
        phase = self._phase(line, cells[0]) if header.phased else ""
        first = 1 if header.phased else 0
        key = tuple([self._dimension(line, cells[cell], cell) for cell in range(first, len(cells) - 1)])
        value = self._value(header, line, cells[-1])
        if len(self.errors) > errors:
            return
        entries = self.entries.setdefault(phase, {})
        if key in entries:
            message = f"line {self.lines[phase, key]} already gives the value of this row"
            self._error("E411", message, line, "keep one of the two rows")
            return
        entries[key] = value
        self.lines[phase, key] = line

    def _phase(self, line: int, text: str) -> str:
        if text not in PHASES:
            self._error("E407", f"'{_short(text)}' is not a phase", line, nearest(text, PHASES), 0)
        return text

    def _dimension(self, line: int, text: str, cell: int) -> int:
        # The length comes first: Python refuses to convert thousands of digits.
        if len(text) <= _MAX_DIGITS and text.isascii() and text.isdigit() and 0 < int(text) <= MAX_DIMENSION:
            return int(text)
        hint = f"dimensions are integers from 1 to {MAX_DIMENSION}"
        self._error("E408", f"'{_short(text)}' is not a dimension", line, hint, cell)
        return 0

    def _value(self, header: _Header, line: int, text: str) -> float:
        duration = header.value.endswith("_s")
        try:
            # Python's float() also takes 1_000, which no other reader of CSV does.
            value = math.nan if "_" in text else float(text)
        except ValueError:
            value = math.nan
        cell = len(header.columns) - 1
        if not (0 < value < math.inf or (duration and value == 0)):
            hint = f"'{header.value}' is a {'number from 0 on' if duration else 'positive number'}"
            self._error("E409", f"'{_short(text)}' is not a value", line, hint, cell)
        elif header.value == "efficiency" and value > MAX_EFFICIENCY:
            hint = f"efficiencies are fractions of the peak, and at most {MAX_EFFICIENCY} where masked work is counted"
            self._error("E410", f"an efficiency of {_short(text)} is not possible", line, hint, cell)
        return value

    def _error(self, code: str, message: str, line: int, hint: str | None, cell: int | None = None) -> None:
        """Note an error of one cell, or of the whole line."""
        if len(self.errors) == MAX_ERRORS:
            return
        if len(self.errors) == MAX_ERRORS - 1:
            hint = f"{hint or message} (further errors of this file are not shown)"
        text = self.source.line(line)
        column = 1
        if cell is not None:
            before, text = text.split(",")[:cell], text.split(",")[cell]
            column += sum(len(other) + 1 for other in before)
        column += len(text) - len(text.lstrip())
        self.errors.append(Diagnostic(code, message, Place(self.source, line, column, max(1, len(text.strip()))), hint))


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split(",")]


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"
