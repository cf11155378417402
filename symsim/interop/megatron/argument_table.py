"""Every argument of Megatron-LM's parser: switches, type, default, and what is known of its effect on cost.

``formats/megatron/arguments.json`` is written by ``checks/megatron/gather.py`` from the parser itself. Effects are in
``formats/megatron/effects.csv``, by patterns of names; the arguments that the rules read need none. Arguments of other
scripts than Megatron's pre-training ones, and of older versions, are in ``formats/megatron/further_arguments.csv``.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache
from typing import Any

from symsim import resources

TOOL = "megatron"
NONE = "none"
"""An effect: the argument changes nothing that is counted."""


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument. ``sets`` is the value that a switch stores, ``None`` for one that takes a value.

    ``type`` is int, float, text, flag, list (numbers with commas) or pattern (a number or a list that is written as
    Python computes it); ``many``: several values follow. ``effect`` is said of arguments that no rule reads.
    """

    name: str
    flags: tuple[str, ...]
    type: str
    default: Any
    sets: bool | None = None
    both: bool = False
    many: bool = False
    choices: tuple[Any, ...] = ()
    effect: str = ""


@cache
def source() -> str:
    """The package, with its version, whose parser is meant."""
    return str(_data()["source"])


@cache
def arguments() -> Mapping[str, Argument]:
    """Every argument by its switch; one with several switches stands under each of them."""
    found = {flag: argument for row in _data()["arguments"] for argument in [_argument(row)] for flag in argument.flags}
    for flag, effect in _rows("further_arguments.csv"):
        name = flag.lstrip("-").replace("-", "_")
        found.setdefault(flag, Argument(name, (flag,), "text", None, many=True, effect=effect))
    return found


@cache
def by_name() -> Mapping[str, Argument]:
    """Every argument by the name under which the parser stores it."""
    return {argument.name: argument for argument in arguments().values()}


@cache
def defaults() -> Mapping[str, Any]:
    """What the parser takes for arguments that are left out."""
    return {name: argument.default for name, argument in by_name().items()}


@cache
def effects() -> tuple[tuple[str, str], ...]:
    """Pattern of names → effect, in the order of the file; the first that fits counts."""
    return _rows("effects.csv")


def effect_of(name: str) -> str:
    """What an argument that no rule reads does to cost: ``none``, a sentence, or nothing where nobody knows."""
    argument = by_name().get(name)
    if argument is not None and argument.effect:
        return argument.effect
    return next((effect for pattern, effect in effects() if fnmatchcase(name, pattern)), "")


def only_with(name: str) -> str:
    """The argument without which this one has no effect, or nothing; ``name=value`` where it has to be one word."""
    if name.startswith("moe_"):
        return "num_experts"
    rows = _lines("effects.csv")
    return next((row[2].strip() for row in rows if len(row) > 2 and fnmatchcase(name, row[0].strip())), "")


def _argument(row: Mapping[str, Any]) -> Argument:
    return Argument(
        row["name"],
        tuple(row["flags"]),
        row.get("type", "flag"),
        row["default"],
        row.get("sets"),
        bool(row.get("switch")),
        bool(row.get("many")),
        tuple(row.get("choices", ())),
    )


@cache
def _data() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(resources.format_file(TOOL, "arguments.json").read_text(encoding="utf-8"))
    return data


def _rows(name: str) -> tuple[tuple[str, str], ...]:
    """Pairs of a table, without its heading and its comments."""
    return tuple((row[0].strip(), row[1].strip()) for row in _lines(name))


@cache
def _lines(name: str) -> tuple[list[str], ...]:
    text = resources.format_file(TOOL, name).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return tuple(csv.reader(lines[1:]))
