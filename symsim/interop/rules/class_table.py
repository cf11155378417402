"""What another tool itself says of the keys of its files, from ``formats/TOOL/classes.json``.

The table has a ``source`` and, for each type of file, ``defaults`` of its keys, those that are ``needed``, ``inert``
ones that change nothing that is counted, and ``renamed`` ones.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from symsim import resources
from symsim.interop.rules.key_facts import KeyFacts


@cache
def _table(tool: str) -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(resources.class_table(tool).read_text(encoding="utf-8"))
    return data


def source(tool: str) -> str:
    """The tool's version and the file that the table is from."""
    return str(_table(tool)["source"])


@cache
def key_facts(tool: str, *types: str) -> KeyFacts:
    """The facts of the keys of one or several types of a tool's files, which share no key."""
    found = [_table(tool)["types"][name] for name in types]
    return KeyFacts(
        {key: value for of in found for key, value in of["defaults"].items()},
        {key: value for of in found for key, value in of.get("renamed", {}).items()},
        frozenset(key for of in found for key in of.get("inert", ())),
    )


def needed(tool: str, type_of_file: str) -> tuple[str, ...]:
    """Keys that a file must have: the tool has no default for them."""
    return tuple(_table(tool)["types"][type_of_file].get("needed", ()))
