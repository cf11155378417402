"""The library that comes with symsim, item by item: one is parsed when something first asks for it.

A model reaches a small part of the library, and parsing takes longer than anything else that reads it. The first
words of the items (``block NAME``, at the start of a line) say where each stands; nothing else of a text is
looked at before its item is needed. What needs names alone (hints, names given twice) parses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from symsim import resources
from symsim.diagnostics import Diagnostic, InputError, Place, Source
from symsim.language import tree
from symsim.language.closed_words import unknown_words
from symsim.language.parser import parse_part
from symsim.language.source_files import read_source

SHELVES: Mapping[str, str] = {
    "family": "families",
    "layer": "blocks",
    "block": "blocks",
    "operator": "operators",
    "optimizer": "optimizers",
    "profile": "profiles",
    "defaults": "defaults",
    "define": "defines",
    "words": "words",
    "efficiency": "efficiencies",
    "model": "models",
}
"""First word of an item → where a library keeps it."""

_FIRST_WORDS = re.compile(rf"^({'|'.join(SHELVES)})[ \t]+([A-Za-z_][\w.]*)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Part:
    """Where an item stands: from the end of the one before it to the end of its text."""

    kind: str
    name: str
    source: Source
    start: int
    end: int
    at: int

    @property
    def place(self) -> Place:
        """That of the item's name."""
        before = self.source.text[: self.at]
        return Place(self.source, before.count("\n") + 1, self.at - before.rfind("\n"), len(self.name))

    @property
    def shelf(self) -> str:
        return SHELVES[self.kind]


def parts_of(source: Source) -> Iterator[Part]:
    """The items of a text, found by their first words; together they are all of it."""
    found = list(_FIRST_WORDS.finditer(source.text))
    starts = [0, *(match.start() for match in found[1:]), len(source.text)]
    for match, start, end in zip(found, starts, starts[1:], strict=False):
        yield Part(match[1], match[2], source, start, end, match.start(2))


@cache
def shipped_parts() -> tuple[Part, ...]:
    """Every item of the files under ``models/library`` and ``models/families``."""
    files = resources.library_files()
    return tuple(part for path in files for part in parts_of(read_source(path, f"{path.parent.name}/{path.name}")))


@cache
def shipped_names() -> Mapping[str, Mapping[str, Part]]:
    """The same by shelf and name; of two of one name the later."""
    shelves: dict[str, dict[str, Part]] = {shelf: {} for shelf in SHELVES.values()}
    for part in shipped_parts():
        shelves[part.shelf][part.name] = part
    return shelves


@cache
def shipped_words() -> Mapping[str, tuple[str, ...]]:
    """What the dimensions that are words may be."""
    return {part.name: _parsed(part).words for part in shipped_names()["words"].values()}


@cache
def shipped_item(shelf: str, name: str) -> tree.Item:
    """An item of the library.

    Raises:
        InputError: its text is wrong, or compares a name with a word that it never is.
    """
    item: tree.Item = _parsed(shipped_names()[shelf][name])
    problems: list[Diagnostic] = [d for p in unknown_words((item,), shipped_words()) for d in p.diagnostics]
    if problems:
        raise InputError(problems)
    return item


@cache
def _parsed(part: Part) -> Any:
    (item,) = parse_part(part.source, part.start, part.end)
    return item


class Shelf(Mapping[str, Any]):
    """Items of one kind by name: those of a user's text over the shipped ones."""

    def __init__(self, shelf: str, own: Mapping[str, tree.Item]) -> None:
        self._shelf = shelf
        self._own = own
        self._names = dict.fromkeys((*shipped_names()[shelf], *own))

    def __getitem__(self, name: str) -> tree.Item:
        if name in self._own:
            return self._own[name]
        if name not in self._names:
            raise KeyError(name)
        return shipped_item(self._shelf, name)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
