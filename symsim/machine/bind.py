"""Put a machine's figures and tables behind the names that formulas use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from symsim.diagnostics import error
from symsim.records.system import System


@dataclass(frozen=True, slots=True)
class Machine:
    """``values`` of the machine's names in formulas, and ``lookup(name, *dimensions)`` for its tables."""

    name: str
    values: Mapping[str, float]
    lookup: Callable[..., Any]
    assumptions: tuple[str, ...]


FALLBACKS = {
    "matmul.fp8_relative_efficiency": 1.0,
    "link.overlap_slowdown": 0.0,
    "network.overlap_slowdown": 0.0,
    "network.straggler": 0.0,
    "hbm.efficiency": 1.0,
    "hbm.latency": 0.0,
    "memory.context": 0.0,
    "memory.communicator": 0.0,
    "memory.fragmentation": 0.0,
}
"""What a system file may leave out, and what is taken then."""

WITHOUT_EFFECT = frozenset({"link.overlap_slowdown", "network.overlap_slowdown", "network.straggler"})
"""Fallbacks that leave something out: what that means for a plan is said once, with its answer."""

LINK_FALLBACKS = {"efficiency": 1.0, "latency": 0.0, "fixed": 0.0}


def bind(
    system: System, names: tuple[str, ...], tables: tuple[str, ...] = (), stated: Mapping[str, float] | None = None
) -> Machine:
    """Values for those of ``names`` that belong to a machine (dotted ones and gpus_per_node).

    ``tables`` are those that will be asked; what a machine does not state becomes an assumption.
    ``stated`` are figures of the framework, which a system's own of the same name replace.

    Raises:
        InputError: the machine says nothing about a name, such as a precision that it lacks.
    """
    values: dict[str, float] = {}
    assumptions: list[str] = []
    for name in names:
        if "." not in name and name != "gpus_per_node":
            continue
        found = _figure(system, name, stated or {})
        if found is None:
            about = "precision" if name.startswith("matmul.") else None
            hint = f"state {name} in its file" + (", or choose another precision" if about else "")
            raise error("E430", f"system '{system.name}' does not say '{name}'", None, hint, about)
        values[name], assumed = found
        if assumed:
            assumptions.append(assumed)
    for name in tables:
        first, last = name.partition(".")[0], name.rpartition(".")[2]
        known = name in system.tables or name in system.figures or f"{first}.{last}" in system.figures
        if not known and first not in ("link", "network", "matmul"):
            assumptions.append(f"{first}.efficiency is not stated: matmul.efficiency is taken")
    return Machine(system.name, values, lookup_of(system), tuple(dict.fromkeys(assumptions)))


def lookup_of(system: System) -> Callable[..., Any]:
    """``lookup(name, *dimensions)``: the measured entry, else the table's mean, else the figure."""
    answers: dict[tuple[Any, ...], float] = {}

    def scalar(key: tuple[Any, ...]) -> float:
        name, *dimensions = key
        entries, otherwise = measured(system, name)
        return entries.get(tuple(round(d) for d in dimensions), otherwise)

    def lookup(name: str, *dimensions: Any) -> Any:
        if any(hasattr(d, "shape") for d in dimensions):
            return _over_arrays(scalar, name, dimensions)
        key = (name, *dimensions)
        answer = answers.get(key)
        if answer is None:
            answer = answers[key] = scalar(key)
        return answer

    return lookup


def measured(system: System, name: str) -> tuple[Mapping[tuple[int, ...], float], float]:
    """Measured entries by dimensions, and what is taken for any other."""
    table = system.tables.get(name)
    return (table.entries, table.mean) if table is not None else ({}, _plain(system, name))


def _over_arrays(scalar: Callable[[tuple[Any, ...]], float], name: str, dimensions: tuple[Any, ...]) -> Any:
    """Each distinct combination is looked up once."""
    import numpy as np

    spread = np.broadcast_arrays(*dimensions)
    rows = np.stack([s.ravel() for s in spread], axis=-1)
    distinct, where = np.unique(rows, axis=0, return_inverse=True)
    answers = np.array([scalar((name, *row)) for row in distinct])
    return answers[where.ravel()].reshape(spread[0].shape)


def _plain(system: System, name: str) -> float:
    """A table's name without a table: the constant of its class, of its link, or of the GEMMs."""
    first, last = name.partition(".")[0], name.rpartition(".")[2]
    for candidate in (name, f"{first}.{last}"):
        if candidate in system.figures:
            return system.figures[candidate].value
    if first in ("link", "network"):
        return LINK_FALLBACKS[last]
    if "matmul.efficiency" in system.figures:
        return system.figures["matmul.efficiency"].value
    means = [t.mean for n, t in system.tables.items() if n.startswith("matmul.")]
    return sum(means) / len(means) if means else 1.0


def _figure(system: System, name: str, stated: Mapping[str, float]) -> tuple[float, str] | None:
    if name in system.figures:
        return system.figures[name].value, ""
    if name in stated:
        return stated[name], ""
    if name.endswith(".sustained"):
        shared = system.figures.get("matmul.sustained")
        return (shared.value if shared is not None else 1.0), ""
    if name.endswith(".efficiency") and name not in FALLBACKS:
        shared = system.figures.get("hbm.efficiency")
        value = shared.value if shared is not None else FALLBACKS["hbm.efficiency"]
        return value, f"{name} is not stated: hbm.efficiency is taken"
    if name in FALLBACKS:
        taken = "" if name in WITHOUT_EFFECT else f"{name} is not stated: {FALLBACKS[name]:g} is taken"
        return FALLBACKS[name], taken
    return None
