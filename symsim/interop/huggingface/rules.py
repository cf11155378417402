"""The rules of ``models/huggingface``: which family a type is read as, and what its keys say of each dimension."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from symsim import resources
from symsim.diagnostics import Source, error
from symsim.interop.huggingface.key_expressions import Keys, evaluate
from symsim.language import tree
from symsim.language.library import read_source
from symsim.language.parser import parse_configs

TOOL = "huggingface"
SHARED = "shared"
"""The file of maps that all rules use."""

_HEAD = re.compile(r'^config\s+(?:"([^"\n]+)"|([A-Za-z_][\w.]*))', re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Rule:
    """How a type is read, with all that it has from others: a family, arguments by dimension, checks."""

    family: str
    arguments: Mapping[str, tree.Expression]
    checks: tuple[tree.Require | tree.Refuse | tree.Remark, ...]
    inert: frozenset[str]


@cache
def _texts() -> tuple[Source, ...]:
    return tuple(_source(path) for path in resources.rule_files(TOOL))


def _source(path: Path) -> Source:
    return read_source(path, f"{path.parent.name}/{path.name}")


@cache
def _where() -> Mapping[str, Source]:
    """The file of each type, found without parsing any."""
    found: dict[str, Source] = {}
    for source in _texts():
        for match in _HEAD.finditer(source.text):
            found.setdefault(match[1] or match[2], source)
    return found


def known_types() -> tuple[str, ...]:
    """Every ``model_type`` that can be read. A name with a leading ``_`` is a rule for others to begin with."""
    return tuple(sorted(name for name in _where() if not name.startswith("_")))


@cache
def maps() -> Mapping[str, Mapping[str, str]]:
    """What words of configurations are called here."""
    items = (i for s in _texts() if s.name.endswith(f"/{SHARED}.sym") for i in parse_configs(s))
    return {i.name: i.words for i in items if isinstance(i, tree.WordMap)}


def _items(name: str, asker: tree.ConfigItem | None = None) -> list[tree.ConfigItem]:
    source = _where().get(name)
    if source is None:
        place = asker.place if asker is not None else None
        raise error("E201", f"no rule is called '{name}'", place, "a rule begins with another one")
    return [i for i in parse_configs(source) if isinstance(i, tree.ConfigItem) and i.name == name]


def rule_of(model_type: str, keys: Keys) -> Rule:
    """The first rule of a type whose condition holds for a file.

    Raises:
        InputError: none does.
    """
    for item in _items(model_type):
        if item.when is None or evaluate(item.when, keys) is True:
            return _inherited(item)
    raise keys.reading.inexpressible((), f"this {model_type} model cannot be expressed")


def every_rule(name: str) -> Iterable[tuple[tree.ConfigItem, Rule]]:
    """All rules of one name, each with what it has from others."""
    return ((item, _inherited(item)) for item in _items(name))


def _inherited(item: tree.ConfigItem, depth: int = 0) -> Rule:
    own = {a.keyword: a.value for a in item.arguments if a.keyword is not None}
    checks = tuple(r for r in item.rules if not isinstance(r, tree.Inert))
    inert = frozenset(k for r in item.rules if isinstance(r, tree.Inert) for k in r.keys)
    if item.like is None:
        return Rule(item.family, own, checks, inert)
    if depth > 8:
        raise error("E212", f"rule '{item.name}' begins with itself", item.place, "a rule begins with another one")
    base = _inherited(_items(item.like, item)[-1], depth + 1)
    arguments = {n: v for n, v in {**base.arguments, **own}.items() if not _is_left_out(v)}
    return Rule(item.family, arguments, (*base.checks, *checks), base.inert | inert)


def _is_left_out(value: tree.Expression) -> bool:
    """``dimension = null``: what the other rule says of it does not hold here."""
    return isinstance(value, tree.Name) and value.name == "null"
