"""The rules of one tool, in ``formats/TOOL``: what a kind of file is read as, and what its keys say of each name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

from symsim import resources
from symsim.diagnostics import Source, error
from symsim.interop.rules.abbreviations import expanded, is_abbreviation
from symsim.interop.rules.key_expressions import Keys, asked, evaluate, spoken_list
from symsim.language import tree
from symsim.language.parser import parse_part
from symsim.language.source_files import read_source

_HEAD = re.compile(r'^(?:config[ \t]+(?:"([^"\n]+)"|([A-Za-z_][\w.]*))|(map)\b)', re.MULTILINE)
"""First words of an item: a type is found, and parsed, without the others."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How a type is read, with all that it has from others: a family, arguments by name, checks."""

    family: str
    arguments: Mapping[str, tree.Expression]
    checks: tuple[tree.Require | tree.Refuse | tree.Remark, ...]
    inert: frozenset[str]

    def asked(self) -> frozenset[str]:
        """Every key that the rule reads or names."""
        nodes = (*self.arguments.values(), *(check.condition for check in self.checks))
        return frozenset(k.partition(".")[0] for node in nodes for k in asked(node)) | self.inert


@dataclass(frozen=True, slots=True)
class _Part:
    """Where an item stands; the name of a map is ``map``."""

    name: str
    source: Source
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class RuleBook:
    """All rules for files of one tool."""

    tool: str

    def known_types(self) -> tuple[str, ...]:
        """Every type that can be read. A name with a leading ``_`` is a rule for others to begin with."""
        return _known_types(self.tool)

    def maps(self) -> Mapping[str, Mapping[str, str]]:
        """What words of the files are called here."""
        return _maps(self.tool)

    def rule_of(self, name: str, keys: Keys) -> Rule:
        """The first rule of a type whose condition holds for a file.

        Raises:
            InputError: none does.
        """
        items = self.configs(name)
        for item in items:
            if item.when is None or evaluate(item.when, keys) is True:
                return _whole(self._inherited(item))
        tried = [key for item in items if item.when is not None for key in asked(item.when)]
        message = f"{spoken_list(sorted(set(tried)))} cannot be expressed for this {keys.reading.kind_of_file}"
        raise keys.reading.inexpressible(tried, message)

    def every_rule(self, name: str) -> Iterable[tuple[tree.ConfigItem, Rule]]:
        """All rules of one name, each with what it has from others."""
        return ((item, _whole(self._inherited(item))) for item in self.configs(name))

    def configs(self, name: str, asker: tree.ConfigItem | None = None) -> list[tree.ConfigItem]:
        """The items of one name.

        Raises:
            InputError: there is none.
        """
        found = self.items(name)
        if not found:
            place = asker.place if asker is not None else None
            raise error("E201", f"no rule is called '{name}'", place, "a rule begins with another one")
        return found

    def items(self, name: str) -> list[tree.ConfigItem]:
        return [i for i in _items(self.tool, name) if isinstance(i, tree.ConfigItem)]

    def _inherited(self, item: tree.ConfigItem, depth: int = 0) -> Rule:
        own = {a.keyword: a.value for a in item.arguments if a.keyword is not None}
        checks = tuple(r for r in item.rules if not isinstance(r, tree.Inert))
        inert = frozenset(k for r in item.rules if isinstance(r, tree.Inert) for k in r.keys)
        if item.like is None:
            return Rule(item.family, own, checks, inert)
        if depth > 8:
            raise error("E212", f"rule '{item.name}' begins with itself", item.place, "a rule begins with another one")
        base = self._inherited(self.configs(item.like, item)[-1], depth + 1)
        arguments = {n: v for n, v in {**base.arguments, **own}.items() if not _is_left_out(v)}
        return Rule(item.family, arguments, (*base.checks, *checks), base.inert | inert)


def _whole(rule: Rule) -> Rule:
    """The rule with its abbreviations written out."""
    meanings = {n: v for n, v in rule.arguments.items() if is_abbreviation(n)}
    if not meanings:
        return rule
    arguments = {n: expanded(v, meanings) for n, v in rule.arguments.items() if n not in meanings}
    return Rule(rule.family, arguments, tuple(expanded(c, meanings) for c in rule.checks), rule.inert)


@cache
def _parts(tool: str) -> tuple[_Part, ...]:
    out: list[_Part] = []
    for path in resources.rule_files(tool):
        source = read_source(path, f"{path.parent.name}/{path.name}")
        found = list(_HEAD.finditer(source.text))
        ends = [*(match.start() for match in found[1:]), len(source.text)]
        out += [_Part(m[1] or m[2] or m[3], source, m.start(), end) for m, end in zip(found, ends, strict=False)]
    return tuple(out)


@cache
def _known_types(tool: str) -> tuple[str, ...]:
    return tuple(sorted({p.name for p in _parts(tool) if not p.name.startswith("_") and p.name != "map"}))


@cache
def _maps(tool: str) -> Mapping[str, Mapping[str, str]]:
    return {item.name: item.words for item in _items(tool, "map") if isinstance(item, tree.WordMap)}


@cache
def _items(tool: str, name: str) -> tuple[tree.ConfigItem | tree.WordMap, ...]:
    parts = (p for p in _parts(tool) if p.name == name)
    return tuple(item for p in parts for item in parse_part(p.source, p.start, p.end, "config"))


def _is_left_out(value: tree.Expression) -> bool:
    """``name = null``: what the other rule says of it does not hold here."""
    return isinstance(value, tree.Name) and value.name == "null"
