"""The library: operators, blocks, families and optimizers that models are written with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from symsim import resources
from symsim.diagnostics import Diagnostic, InputError, Source, error, nearest
from symsim.language import tree
from symsim.language.closed_words import unknown_words
from symsim.language.parser import MAX_BYTES, not_text, parse_model, too_large
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


@cache
def shipped_items() -> tuple[tree.Item, ...]:
    """Every item of the files under ``models/library`` and ``models/families``."""
    items: list[tree.Item] = []
    for path in resources.library_files():
        items.extend(parse_model(read_source(path, f"{path.parent.name}/{path.name}")))
    return tuple(items)


RESERVED = frozenset({*CHOICES, "dp", "edp", "m", "i", "sp", "true", "false"})
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
            name with a word that it never is.
    """
    shelves: dict[str, dict[str, Any]] = {shelf: {} for shelf in _KINDS.values()}
    problems: list[Diagnostic] = []
    for layer in (shipped_items(), tuple(items)):
        seen: dict[tuple[str, str], tree.Item] = {}
        for item in layer:
            shelf = _KINDS[type(item)]
            first = seen.setdefault((shelf, item.name), item)
            if first is not item:
                where = f"first defined at {first.place}"
                problems.append(Diagnostic("E201", f"'{item.name}' is defined twice", item.place, where))
            defined = isinstance(item, tree.DefineItem | tree.WordsItem)
            if defined and (item.name in RESERVED or "." in item.name):
                hint = "strategies and formulas use this name"
                problems.append(Diagnostic("E202", f"'{item.name}' cannot be defined", item.place, hint))
            if isinstance(item, tree.WordsItem):
                known = shelves[shelf].get(item.name, ())
                shelves[shelf][item.name] = tuple(dict.fromkeys((*known, *item.words)))
            else:
                shelves[shelf][item.name] = item
        problems += _unknown_words() if layer is shipped_items() else _diagnostics(layer, shelves["words"])
    if problems:
        raise InputError(problems)
    return Library(**shelves)


@cache
def _unknown_words() -> tuple[Diagnostic, ...]:
    """Words that the shipped library compares a name with although the name never is one of them."""
    words: dict[str, tuple[str, ...]] = {i.name: i.words for i in shipped_items() if isinstance(i, tree.WordsItem)}
    return _diagnostics(shipped_items(), words)


def _diagnostics(items: tuple[tree.Item, ...], words: Mapping[str, tuple[str, ...]]) -> tuple[Diagnostic, ...]:
    return tuple(d for problem in unknown_words(items, words) for d in problem.diagnostics)


def library_for(model: Model) -> Library:
    """The library that a model was written with."""
    return library_of(parse_model(model.own) if model.own is not None else ())
