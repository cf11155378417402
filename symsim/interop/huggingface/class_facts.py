"""What Hugging Face's configuration classes say: defaults, other names of keys, which keys change nothing.

``models/huggingface/classes.json`` is written by ``checks/huggingface/gather.py`` from the library itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from symsim import resources


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A configuration class. ``renamed``: names that a file may have for a key of the class.

    ``inert`` keys change nothing that is counted; ``active`` ones change the parameters, and ``cost``
    ones what a layer computes or keeps. ``refused``: what the class
    does not take for a key; ``refused_in_layers`` are keys that no single layer may have for itself.
    """

    defaults: Mapping[str, Any]
    renamed: Mapping[str, str]
    inert: frozenset[str] = frozenset()
    active: frozenset[str] = frozenset()
    cost: frozenset[str] = frozenset()
    refused: Mapping[str, Sequence[str]] = field(default_factory=dict)
    refused_in_layers: frozenset[str] = frozenset()

    def knows(self, key: str) -> bool:
        return key in self.defaults or key in self.renamed

    def own_name(self, key: str) -> str:
        """The name that the class itself has for a key of a file."""
        return key if key in self.defaults else self.renamed.get(key, key)

    def names(self, key: str) -> tuple[str, ...]:
        """Every name that a file may have for a key, the class's own first."""
        own = self.own_name(key)
        pairs = [name for pair in self.renamed.items() for name in pair]
        return tuple(dict.fromkeys((own, *(n for n in pairs if self.own_name(n) == own or self.renamed.get(own) == n))))


@cache
def _table() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(resources.class_table("huggingface").read_text(encoding="utf-8"))
    return data


def source() -> str:
    """The library, with its version, that the classes are those of."""
    return str(_table()["source"])


@cache
def facts_of(model_type: str) -> ClassFacts:
    """The facts of a type; those of a type that is no class of the library are empty."""
    found = _table()["types"].get(model_type, {})
    return ClassFacts(
        found.get("defaults", {}),
        found.get("renamed", {}),
        frozenset(found.get("inert", ())),
        frozenset(found.get("active", ())),
        frozenset(found.get("cost", ())),
        found.get("refused", {}),
        frozenset(found.get("per_layer", {}).get("refused", ())),
    )


def has_class(model_type: str) -> bool:
    """Whether the library has a class of this type."""
    return model_type in _table()["types"]


@cache
def type_of_class(name: str) -> str | None:
    """The ``model_type`` of a class of models: ``Qwen3ForCausalLM`` → ``qwen3``."""
    return next((t for t, facts in _table()["types"].items() if facts.get("class") == name), None)


def wrapper(model_type: str) -> Mapping[str, Any] | None:
    """How a model with further parts holds its language model, if the type is one."""
    found: Mapping[str, Any] | None = _table().get("wrappers", {}).get(model_type)
    return found
