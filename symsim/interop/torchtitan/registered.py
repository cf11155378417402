"""What a registered configuration of torchtitan sets, from a table that ``checks/torchtitan`` writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from symsim import resources
from symsim.interop.json_text import Object


@cache
def table() -> Mapping[str, Any]:
    """``types``: defaults of each section; ``configurations`` by the words of ``--module`` and ``--config``."""
    found: Mapping[str, Any] = json.loads(resources.class_table("torchtitan").read_text("utf-8"))
    return found


@cache
def defaults() -> Mapping[str, Mapping[str, Any]]:
    """Section → name → value."""
    return {section: facts["defaults"] for section, facts in table()["types"].items()}


def names() -> tuple[str, ...]:
    """``module config`` of every known configuration."""
    return tuple(table()["configurations"])


def registered(module: str, config: str) -> Object | None:
    """The keys of a configuration, defaults included; ``None`` where it is not known."""
    own = table()["configurations"].get(f"{module} {config}")
    if own is None:
        return None
    out = Object()
    for section, keys in {**defaults(), **own}.items():
        out[section] = {**defaults().get(section, {}), **keys} if isinstance(keys, Mapping) else keys
    out["activation_checkpoint"] = {"mode": own["activation_checkpoint"]}
    return out
