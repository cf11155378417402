"""What a list of definitions says besides its formulas: parts, units, and the inputs that stay free."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from symsim.emit.arrangement import Name, Node, arrange_all, walk
from symsim.records.cost import Definition
from symsim.symbols import VOCABULARY

PART_TITLES: Final = {
    "params": "parameters",
    "params.operator": "parameters of each operator",
    "memory.operator": "memory of each operator",
    "memory.moment": "memory at each moment",
    "memory.device": "from peak allocated to what the device shows",
    "memory.used": "memory of the device",
    "flops": "floating-point operations",
    "flops.operator": "floating-point operations of each operator",
    "communication.operator": "messages of each operator",
    "time.layer": "time of each layer",
    "time.operator": "time of each operator, and the share of the peak that it reaches",
    "time.limits": "what limits each operator, and takes of a step",
}
"""Headings of the parts whose name is an abbreviation."""


@dataclass(frozen=True, slots=True)
class Formula:
    """A definition with its expression arranged for printing."""

    definition: Definition
    body: Node


@dataclass(frozen=True, slots=True)
class Part:
    """Definitions that follow each other and answer the same question."""

    name: str
    unit: str
    """The unit of most of them; the others state their own."""
    formulas: tuple[Formula, ...]

    @property
    def title(self) -> str:
        return PART_TITLES.get(self.name, self.name)

    def note(self, definition: Definition) -> str:
        """The meaning, with the unit where it is not the part's; nothing where that only repeats the name."""
        meaning = "" if _same_words(definition.name, definition.meaning) else definition.meaning
        return noted(meaning, "" if definition.unit == self.unit else definition.unit)


@dataclass(frozen=True, slots=True)
class Input:
    """A name that formulas use and that none of them defines."""

    name: str
    meaning: str
    unit: str


def arranged(definitions: Sequence[Definition]) -> list[Formula]:
    """The definitions' expressions in human order; sums of definitions follow the definitions' order."""
    bodies = arrange_all([d.expression for d in definitions], [d.name for d in definitions])
    return [Formula(definition, body) for definition, body in zip(definitions, bodies, strict=True)]


def parts(formulas: Iterable[Formula]) -> list[Part]:
    """Runs of formulas of the same part."""
    runs = [(name, tuple(run)) for name, run in groupby(formulas, key=lambda formula: formula.definition.part)]
    return [Part(name, _prevailing_unit(run), run) for name, run in runs]


def inputs(formulas: Iterable[Formula], *others: str) -> list[Input]:
    """The free names and ``others``: those of the vocabulary in its order, then the rest as they appear."""
    formulas = list(formulas)
    used = dict.fromkeys(others)
    used |= dict.fromkeys(node.name for f in formulas for node in walk(f.body) if isinstance(node, Name))
    free = used.keys() - {formula.definition.name for formula in formulas}
    known = [name for name in VOCABULARY if name in free]
    return [_input(name) for name in [*known, *(name for name in used if name in free and name not in VOCABULARY)]]


def noted(meaning: str, unit: str) -> str:
    """``parameters held (elements)``: a meaning, and its unit if the meaning does not say it."""
    words = " ".join(meaning.split())
    return f"{words} ({unit})".strip() if unit and unit not in words.split() else words


def _same_words(name: str, meaning: str) -> bool:
    return meaning.casefold().split() == re.split(r"[._ ]", name.casefold())


def _input(name: str) -> Input:
    entry = VOCABULARY.get(name)
    return Input(name, entry.meaning, entry.unit) if entry else Input(name, "", "")


def _prevailing_unit(formulas: Sequence[Formula]) -> str:
    """The unit of at least half of the formulas, if there is one."""
    units = Counter(formula.definition.unit for formula in formulas)
    unit, count = units.most_common(1)[0]
    return unit if 2 * count >= len(formulas) else ""
