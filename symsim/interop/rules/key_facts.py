"""What a tool itself says of the keys of its files: defaults, other names, which of them change nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class KeyFacts:
    """The keys of one kind of file. ``renamed``: names that a file may have for a key of the tool.

    ``inert`` keys change nothing that is counted; ``active`` ones change the parameters, and ``cost``
    ones what a layer computes or keeps. ``refused``: what the tool
    does not take for a key; ``refused_in_layers`` are keys that no single layer may have for itself.
    """

    defaults: Mapping[str, Any]
    renamed: Mapping[str, str] = field(default_factory=dict)
    inert: frozenset[str] = frozenset()
    active: frozenset[str] = frozenset()
    cost: frozenset[str] = frozenset()
    refused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused_in_layers: frozenset[str] = frozenset()

    def knows(self, key: str) -> bool:
        return key in self.defaults or key in self.renamed

    def own_name(self, key: str) -> str:
        """The name that the tool itself has for a key of a file."""
        return key if key in self.defaults else self.renamed.get(key, key)

    def names(self, key: str) -> tuple[str, ...]:
        """Every name that a file may have for a key, the tool's own first."""
        own = self.own_name(key)
        pairs = [name for pair in self.renamed.items() for name in pair]
        return tuple(dict.fromkeys((own, *(n for n in pairs if self.own_name(n) == own or self.renamed.get(own) == n))))
