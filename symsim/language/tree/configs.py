"""Nodes of the rules that read configuration files of other tools."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symsim.diagnostics import Place
from symsim.language.tree.expressions import Expression
from symsim.language.tree.statements import Argument, Require


@dataclass(frozen=True, slots=True)
class Refuse:
    """Where the condition holds, the other tool's own class refuses the file."""

    condition: Expression
    message: str
    place: Place


@dataclass(frozen=True, slots=True)
class Remark:
    """What is said about a file where the condition holds."""

    condition: Expression
    text: str
    place: Place


@dataclass(frozen=True, slots=True)
class Inert:
    """Keys that change nothing that is counted."""

    keys: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class ConfigItem:
    """One way to read a type: a call of a family whose values are expressions over the keys of a file.

    It begins with the arguments and rules of the type ``like``. It is taken where ``when`` holds.
    """

    name: str
    like: str | None
    when: Expression | None
    family: str
    arguments: tuple[Argument, ...]
    rules: tuple[Require | Refuse | Remark | Inert, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class WordMap:
    """What the words of a file are called here."""

    name: str
    words: Mapping[str, str]
    place: Place
