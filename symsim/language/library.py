"""The library: operators, blocks, families and optimizers that models are written with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from symsim.diagnostics import Diagnostic, InputError, Place
from symsim.language import tree
from symsim.language.closed_words import unknown_words
from symsim.language.parser import parse_model
from symsim.language.shipped_library import SHELVES, Shelf, shipped_parts, shipped_words
from symsim.records.model import Model
from symsim.records.strategy import CHOICES


@dataclass(frozen=True, slots=True)
class Library:
    """Everything that models are written with, by name."""

    families: Mapping[str, tree.FamilyItem]
    blocks: Mapping[str, tree.BlockItem]
    operators: Mapping[str, tree.OperatorItem]
    optimizers: Mapping[str, tree.OptimizerItem]
    profiles: Mapping[str, tree.ProfileItem]
    defaults: Mapping[str, tree.DefaultsItem]
    defines: Mapping[str, tree.DefineItem]
    words: Mapping[str, tuple[str, ...]]
    efficiencies: Mapping[str, tree.EfficiencyItem]
    models: Mapping[str, tree.ModelItem]


RESERVED = frozenset({*CHOICES, "dp", "edp", "m", "i", "layer", "sp", "true", "false"})
"""Names of a strategy, of what follows from it in formulas, and words of the language."""

_KINDS: dict[type, str] = {
    tree.FamilyItem: "families",
    tree.BlockItem: "blocks",
    tree.OperatorItem: "operators",
    tree.OptimizerItem: "optimizers",
    tree.ProfileItem: "profiles",
    tree.DefaultsItem: "defaults",
    tree.DefineItem: "defines",
    tree.WordsItem: "words",
    tree.EfficiencyItem: "efficiencies",
    tree.ModelItem: "models",
}


def library_of(items: Iterable[tree.Item] = ()) -> Library:
    """The shipped library with ``items`` of a user's file laid over it; words of one name add up.

    Raises:
        InputError: two items of one file share a name, one has a name that is taken, or a condition compares a
            name with a word that it never is. An item of the library raises its own when it is asked for.
    """
    own = tuple(i for i in items if not isinstance(i, tree.NoteItem))
    problems = [*_names_taken((p.shelf, p.name, p.place) for p in shipped_parts())]
    problems += _names_taken((_KINDS[type(i)], i.name, i.place) for i in own)
    shelves: dict[str, dict[str, Any]] = {shelf: {} for shelf in SHELVES.values()}
    for item in own:
        shelves[_KINDS[type(item)]][item.name] = item
    words = dict(shipped_words())
    for item in own:
        if isinstance(item, tree.WordsItem):
            words[item.name] = tuple(dict.fromkeys((*words.get(item.name, ()), *item.words)))
    problems += [d for problem in unknown_words(own, words) for d in problem.diagnostics]
    if problems:
        raise InputError(problems)
    return Library(**{**{shelf: Shelf(shelf, found) for shelf, found in shelves.items()}, "words": words})


def _names_taken(named: Iterable[tuple[str, str, Place]]) -> Iterator[Diagnostic]:
    """Names that two items of one text have, or that something else has: by shelf, name and place of each item."""
    seen: dict[tuple[str, str], Place] = {}
    for shelf, name, place in named:
        first = seen.setdefault((shelf, name), place)
        if first is not place:
            yield Diagnostic("E201", f"'{name}' is defined twice", place, f"first defined at {first}")
        if shelf in ("defines", "words") and (name in RESERVED or "." in name):
            hint = "strategies and formulas use this name"
            yield Diagnostic("E202", f"'{name}' cannot be defined", place, hint)


def library_for(model: Model) -> Library:
    """The library that a model was written with."""
    return library_of(parse_model(model.own) if model.own is not None else ())
