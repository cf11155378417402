"""How many parameters a model has, and how many of them one token uses, without compiling the rest of it.

Counting takes some hundredths of a second for each model. What was counted of the shipped models is kept next to them
in ``models/parameters.json`` (written by ``docs/generate.py models``), so that a list of all of them is there at once;
a model whose text has changed since is counted again. The counts are those of the compiled formula ``parameters``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symsim import resources
from symsim.compiler import cache
from symsim.diagnostics import Source
from symsim.loading.model_files import load_model


@dataclass(frozen=True, slots=True)
class ParameterCount:
    """Elements: of the architecture as published (no padding, a tied weight once), and those one token uses."""

    total: int
    active: int


def parameter_count(name: str, source: Source, kept: Mapping[str, Any]) -> ParameterCount:
    """The parameters of a model: as they are ``kept`` under its name, if they are those of this text."""
    mine = kept.get(name)
    if isinstance(mine, dict) and mine.get("text") == fingerprint(source) and (known := _read(mine)) is not None:
        return known
    key = cache.key_of("parameters", source.text)
    before = _read(cache.read(key))
    if before is not None:
        return before
    found = counted(source)
    cache.write(key, _numbers(found))
    return found


def counted(source: Source) -> ParameterCount:
    """The parameters of a model, counted.

    Raises:
        InputError: the model cannot be read.
    """
    from sympy import Integer

    from symsim.compiler.expand import expand
    from symsim.compiler.work import parameter_totals
    from symsim.language.library import library_for
    from symsim.language.strategies import load_strategy
    from symsim.loading.plan import plan

    model = load_model(source, {})
    graph = expand(model, library_for(model), plan(load_strategy("tp=1"), needs_sizes=False).structure)[0]
    total, active = parameter_totals(graph, Integer(model.dimensions["vocab"]))
    return ParameterCount(int(total), int(active))


def kept_counts() -> Mapping[str, Any]:
    """What is kept of the shipped models, by their names."""
    try:
        read = json.loads(resources.kept_parameters().read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return read if isinstance(read, dict) else {}


def fingerprint(source: Source) -> str:
    """What tells a model's text from another."""
    return hashlib.sha256(source.text.encode()).hexdigest()[:16]


def entry(source: Source) -> dict[str, str | int]:
    """What is kept of one model."""
    return {"text": fingerprint(source), **_numbers(counted(source))}


def _numbers(count: ParameterCount) -> dict[str, int]:
    return {"parameters": count.total, "active_parameters": count.active}


def _read(data: Any) -> ParameterCount | None:
    """A count that was kept, if it has the right form."""
    if not isinstance(data, dict):
        return None
    total, active = data.get("parameters"), data.get("active_parameters")
    if type(total) is not int or type(active) is not int or not 0 <= active <= total:
        return None
    return ParameterCount(total, active)
