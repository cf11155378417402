"""Nodes of strategy files and system files."""

from __future__ import annotations

from dataclasses import dataclass, field

from symsim.diagnostics import Place
from symsim.language.tree.expressions import Calibrated, Expression
from symsim.language.tree.statements import NoteItem, Require


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    title: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Assign:
    name: str
    value: Expression
    among: bool
    """``name in {…}``: a set of values to search."""
    place: Place


@dataclass(frozen=True, slots=True)
class Objective:
    goal: str
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class StrategyFile:
    header: Header | None
    choices: tuple[Assign | Require | Objective | NoteItem, ...]


@dataclass(frozen=True, slots=True)
class FigureEntry:
    name: str
    value: Expression
    source: str | None
    place: Place
    calibrated: Calibrated | None = None


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    entries: tuple[SystemEntry, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SourceEntry:
    text: str
    place: Place


SystemEntry = FigureEntry | Group | SourceEntry


@dataclass(frozen=True, slots=True)
class SystemFile:
    header: Header
    entries: tuple[SystemEntry, ...] = field(default=())
