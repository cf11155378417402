"""Names that a rule gives to expressions of its own: ``_bf16 = bf16.enabled == true``, read wherever ``_bf16`` stands.

They are put in place before anything is computed, so an error still points at the keys that an expression reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from symsim.diagnostics import Place, error
from symsim.language import tree

MAX_DEPTH = 12
"""How often an abbreviation may be made of others."""


def is_abbreviation(name: str) -> bool:
    return name.startswith("_")


def expanded(node: Any, meanings: Mapping[str, tree.Expression], depth: int = 0) -> Any:
    """A node of the tree with the expressions that its abbreviations stand for.

    Raises:
        InputError: an abbreviation has no meaning in this rule, or is made of itself.
    """
    if isinstance(node, tree.Name) and is_abbreviation(node.name):
        if node.name not in meanings:
            raise error("E201", f"this rule gives '{node.name}' no meaning", node.place, "_name = expression")
        if depth > MAX_DEPTH:
            raise error("E212", f"'{node.name}' is made of itself", node.place, "an abbreviation ends at keys")
        return expanded(meanings[node.name], meanings, depth + 1)
    changes = {}
    for part in fields(node) if is_dataclass(node) else ():
        value = getattr(node, part.name)
        if isinstance(value, tuple):
            changed: Any = tuple(_inner(v, meanings, depth) for v in value)
        else:
            changed = _inner(value, meanings, depth)
        if changed != value:
            changes[part.name] = changed
    return replace(node, **changes) if changes else node


def _inner(value: Any, meanings: Mapping[str, tree.Expression], depth: int) -> Any:
    inside = is_dataclass(value) and not isinstance(value, Place | type)
    return expanded(value, meanings, depth) if inside else value
