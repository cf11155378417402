"""The rules of ``models/huggingface``: which family a type is read as, and what its keys say of each dimension."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from symsim import resources
from symsim.diagnostics import Source, error
from symsim.interop.huggingface.class_facts import has_class
from symsim.interop.huggingface.key_expressions import Keys, asked, evaluate, spoken_list
from symsim.language import tree
from symsim.language.parser import parse_part
from symsim.language.source_files import read_source

TOOL = "huggingface"

_HEAD = re.compile(r'^(?:config[ \t]+(?:"([^"\n]+)"|([A-Za-z_][\w.]*))|(map)\b)', re.MULTILINE)
"""First words of an item: a type is found, and parsed, without the others."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a type is read, with all that it has from others: a family, arguments by dimension, checks."""

    family: str
    arguments: Mapping[str, tree.Expression]
    checks: tuple[tree.Require | tree.Refuse | tree.Remark, ...]
    inert: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Part:
    """Where an item stands; the name of a map is ``map``."""

    name: str
    source: Source
    start: int
    end: int


@cache
def _parts() -> tuple[_Part, ...]:
    out: list[_Part] = []
    for path in resources.rule_files(TOOL):
        source = read_source(path, f"{path.parent.name}/{path.name}")
        found = list(_HEAD.finditer(source.text))
        ends = [*(match.start() for match in found[1:]), len(source.text)]
        out += [_Part(m[1] or m[2] or m[3], source, m.start(), end) for m, end in zip(found, ends, strict=False)]
    return tuple(out)


@cache
def known_types() -> tuple[str, ...]:
    """Every ``model_type`` that can be read. A name with a leading ``_`` is a rule for others to begin with."""
    return tuple(sorted({p.name for p in _parts() if not p.name.startswith("_") and p.name != "map"}))


@cache
def maps() -> Mapping[str, Mapping[str, str]]:
    """What words of configurations are called here."""
    return {item.name: item.words for item in _items("map") if isinstance(item, tree.WordMap)}


@cache
def _items(name: str) -> tuple[tree.ConfigItem | tree.WordMap, ...]:
    return tuple(item for p in _parts() if p.name == name for item in parse_part(p.source, p.start, p.end, "config"))


def _configs(name: str, asker: tree.ConfigItem | None = None) -> list[tree.ConfigItem]:
    found = [i for i in _items(name) if isinstance(i, tree.ConfigItem)]
    if not found:
        place = asker.place if asker is not None else None
        raise error("E201", f"no rule is called '{name}'", place, "a rule begins with another one")
    return found


def rule_of(model_type: str, keys: Keys) -> Rule:
    """The first rule of a type whose condition holds for a file.

    Raises:
        InputError: none does.
    """
    items = _configs(model_type)
    for item in items:
        if item.when is None or evaluate(item.when, keys) is True:
            return _inherited(item)
    tried = [key for item in items if item.when is not None for key in asked(item.when)]
    message = f"{spoken_list(sorted(set(tried)))} cannot be expressed for this model_type"
    raise keys.reading.inexpressible(tried, message)


def checks_of_whole(model_type: str) -> tuple[tree.Require | tree.Refuse, ...]:
    """What has to hold of a model with further parts, by the rule ``_whole_TYPE`` if there is one."""
    items = [i for i in _items(f"_whole_{model_type}") if isinstance(i, tree.ConfigItem)]
    return tuple(r for i in items for r in i.rules if isinstance(r, tree.Require | tree.Refuse))


@cache
def class_of(model_type: str) -> str:
    """The type whose class has the defaults: its own, or that of the rule that its rule begins with."""
    seen = model_type
    while not has_class(seen):
        like = _configs(seen)[-1].like
        if like is None:
            return model_type
        seen = like
    return seen


def every_rule(name: str) -> Iterable[tuple[tree.ConfigItem, Rule]]:
    """All rules of one name, each with what it has from others."""
    return ((item, _inherited(item)) for item in _configs(name))


def _inherited(item: tree.ConfigItem, depth: int = 0) -> Rule:
    own = {a.keyword: a.value for a in item.arguments if a.keyword is not None}
    checks = tuple(r for r in item.rules if not isinstance(r, tree.Inert))
    inert = frozenset(k for r in item.rules if isinstance(r, tree.Inert) for k in r.keys)
    if item.like is None:
        return Rule(item.family, own, checks, inert)
    if depth > 8:
        raise error("E212", f"rule '{item.name}' begins with itself", item.place, "a rule begins with another one")
    base = _inherited(_configs(item.like, item)[-1], depth + 1)
    arguments = {n: v for n, v in {**base.arguments, **own}.items() if not _is_left_out(v)}
    return Rule(item.family, arguments, (*base.checks, *checks), base.inert | inert)


def _is_left_out(value: tree.Expression) -> bool:
    """``dimension = null``: what the other rule says of it does not hold here."""
    return isinstance(value, tree.Name) and value.name == "null"
