"""What Hugging Face's configuration classes say: defaults, other names of keys, which keys change nothing.

``formats/huggingface/classes.json`` is written by ``checks/huggingface/gather.py`` from the library itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from symsim import resources
from symsim.interop.rules.key_facts import KeyFacts


@cache
def _table() -> Mapping[str, Any]:
    data: Mapping[str, Any] = json.loads(resources.class_table("huggingface").read_text(encoding="utf-8"))
    return data


def source() -> str:
    """The library, with its version, that the classes are those of."""
    return str(_table()["source"])


@cache
def facts_of(model_type: str) -> KeyFacts:
    """The facts of a type; those of a type that is no class of the library are empty."""
    found = _table()["types"].get(model_type, {})
    return KeyFacts(
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
