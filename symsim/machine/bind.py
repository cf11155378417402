"""Put a machine's figures and tables behind the names that formulas use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from symsim.diagnostics import InputError, error
from symsim.language.figures import PEAKS, TIERS, is_coefficient, neutral
from symsim.records.strategy import ASSUMED_FIGURES
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
    **ASSUMED_FIGURES,
}
"""What a system file may leave out, and what is taken then."""

WITHOUT_EFFECT = frozenset({"link.overlap_slowdown", "network.overlap_slowdown", "network.straggler"})
"""Fallbacks that leave something out: what that means for a plan is said once, with its answer."""

ABSENT = {"link.sharp": 0.0}
"""What only some machines have: a file that does not name it says that there is none."""

LEFT_OUT = frozenset({"gpu.power"})
"""What a file may leave out without a value in its place: answers that need it are left out too."""

RINGS = ("all_reduce", "all_gather", "reduce_scatter")
"""Collectives that go round the same ring, so that one stands in for another that nobody measured."""

LINK_FALLBACKS = {
    "efficiency": 1.0,
    "latency": 0.0,
    "fixed": 0.0,
    "fill": 0.0,
    "shared": 0.0,
    "contention": 0.0,
}


WITHOUT_GROUP = ("gpus_per_node", "sms")
"""Figures of the machine as a whole: their names have no point."""


def bind(
    system: System, names: tuple[str, ...], tables: tuple[str, ...] = (), framework: Mapping[str, float] | None = None
) -> Machine:
    """Values for those of ``names`` that belong to a machine (dotted ones and those of the whole machine).

    ``tables`` are those that will be asked; what a machine does not state becomes an assumption.
    ``framework`` are figures of the framework, which a system's own of the same name replace.

    Raises:
        InputError: the machine says nothing about a name, such as a precision that it lacks.
    """
    values: dict[str, float] = {}
    assumptions: list[str] = []
    for name in names:
        if "." not in name and name not in WITHOUT_GROUP:
            continue
        found = _figure(system, name, framework or {})
        if found is None and name in LEFT_OUT:
            continue
        if found is None:
            about = "precision" if name.startswith("matmul.") else None
            if name in system.lacking:
                raise _without_precision(system, name)
            hint = f"state {name} in its file" + (", or choose another precision" if about else "")
            raise error("E430", f"system '{system.name}' does not say '{name}'", None, hint, about)
        values[name], assumed = found
        if assumed:
            assumptions.append(assumed)
    for name in tables:
        first = name.partition(".")[0]
        if first not in TIERS and not _states_efficiency(system, first):
            assumptions.append(f"{first}.efficiency is not stated: matmul's is used")
    return Machine(system.name, values, lookup_of(system), tuple(dict.fromkeys(assumptions)))


def _without_precision(system: System, name: str) -> InputError:
    """The chip does not compute in this precision: which it has instead, and who says so."""
    stated = [n.partition(".")[2] for n in PEAKS if n in system.figures]
    message = f"{system.title} has no {name.partition('.')[2]} matrix products"
    return error("E430", message, None, f"choose {', '.join(stated)}; source: {system.lacking[name]}", "precision")


def lookup_of(system: System) -> Callable[..., Any]:
    """``lookup(name, *dimensions)``: the measured entry, else what :func:`measured` gives for any other."""
    answers: dict[tuple[Any, ...], float] = {}

    def scalar(key: tuple[Any, ...]) -> float:
        name, *dimensions = key
        entries, otherwise = measured(system, name)
        return entries.get(tuple(round(d) for d in dimensions), otherwise)

    def lookup(name: str, *dimensions: Any) -> Any:
        if any(hasattr(d, "shape") for d in dimensions):
            entries, otherwise = measured(system, name)
            if not entries:
                return otherwise
            return _over_arrays(scalar, name, dimensions)
        key = (name, *dimensions)
        answer = answers.get(key)
        if answer is None:
            answer = answers[key] = scalar(key)
        return answer

    return lookup


def measured(system: System, name: str) -> tuple[Mapping[tuple[int, ...], float], float]:
    """Measured entries by dimensions, and what is taken for any other.

    For a link that is the mean of the table, or its one figure. For a class of kernels it is 0: formulas
    then take the form of its efficiency.
    """
    if name.partition(".")[0] not in TIERS:
        table = system.tables.get(name)
        return (table.entries if table is not None else {}), 0.0
    for candidate in (name, *_siblings(name)):
        table = system.tables.get(candidate)
        if table is not None:
            return table.entries, table.mean
        if candidate in system.figures:
            return {}, system.figures[candidate].value
    return {}, LINK_FALLBACKS[name.rpartition(".")[2]]


def constant_of_table(system: System, name: str) -> float | None:
    """The one answer of a table's name, whatever the dimensions; ``None`` where entries were measured."""
    entries, otherwise = measured(system, name)
    return None if entries else otherwise


def figure_of_table(system: System, name: str) -> str | None:
    """The figure that answers for a table's name; ``None`` where a table does, or nothing is stated."""
    if name.partition(".")[0] not in TIERS:
        return None
    candidates = (n for n in (name, *_siblings(name)) if n in system.tables or n in system.figures)
    first = next(candidates, None)
    return None if first in system.tables else first


def figure_of_input(system: System, name: str) -> str | None:
    """The figure that answers for a name of formulas; ``None`` where a table or a fallback does."""
    last = name.rpartition(".")[2]
    if is_coefficient(last) and last != "level":
        return coefficient(system, name)
    if last == "level":
        return level_figure(system, name)
    shared = {"sustained": "matmul.sustained", "efficiency": "hbm.efficiency"}.get(last)
    candidates = (name,) if name in FALLBACKS or shared is None else (name, shared)
    return next((n for n in candidates if n in system.figures), None)


def _siblings(name: str) -> tuple[str, ...]:
    """Where a figure of a collective is taken from if it has none: its tier's, else another ring's there."""
    first, _, rest = name.partition(".")
    collective, _, last = rest.partition(".")
    if not last:
        return ()
    if collective == "dispatch":
        return (f"{first}.all_to_all.{last}", f"{first}.{last}")
    others = RINGS if collective in RINGS and last in ("efficiency", "latency", "fixed") else ()
    return (f"{first}.{last}", *(f"{first}.{ring}.{last}" for ring in others if ring != collective))


def _over_arrays(scalar: Callable[[tuple[Any, ...]], float], name: str, dimensions: tuple[Any, ...]) -> Any:
    """Each distinct combination is looked up once."""
    import numpy as np

    spread = np.broadcast_arrays(*dimensions)
    rows = np.stack([s.ravel() for s in spread], axis=-1)
    distinct, where = np.unique(rows, axis=0, return_inverse=True)
    answers = np.array([scalar((name, *row)) for row in distinct])
    return answers[where.ravel()].reshape(spread[0].shape)


def coefficient(system: System, name: str) -> str | None:
    """The figure behind a coefficient's name in formulas: of the phase, of the class, or (``sms``) of the chip."""
    first, last = name.partition(".")[0], name.rpartition(".")[2]
    return next((n for n in (name, f"{first}.{last}", last) if n in system.figures), None)


def level_figure(system: System, name: str) -> str | None:
    """The figure behind a level's name: stated, else the one figure of the class, else that of the matrix products."""
    first, phase = name.split(".")[:2]
    for candidate in (name, f"{first}.level", f"{first}.{phase}.efficiency", f"{first}.efficiency"):
        if candidate in system.figures:
            return candidate
    if f"{first}.{phase}.efficiency" in system.tables or f"{first}.efficiency" in system.tables or first == "matmul":
        return None
    return level_figure(system, f"matmul.{phase}.level")


def _level(system: System, name: str) -> float:
    """The level of ``matmul.forward.level``: a figure's, else the mean of the class's table, else that of the matrix
    products."""
    first, phase = name.split(".")[:2]
    stated = level_figure(system, name)
    if stated is not None:
        return system.figures[stated].value
    table = system.tables.get(f"{first}.{phase}.efficiency") or system.tables.get(f"{first}.efficiency")
    if table is not None:
        return table.mean
    return _level(system, f"matmul.{phase}.level") if first != "matmul" else 1.0


def _states_efficiency(system: System, first: str) -> bool:
    stated = (n for n in (*system.figures, *system.tables) if n.startswith(f"{first}."))
    return any(n.rpartition(".")[2] in ("efficiency", "level") for n in stated)


def _figure(system: System, name: str, framework: Mapping[str, float]) -> tuple[float, str] | None:
    last = name.rpartition(".")[2]
    if is_coefficient(last):
        stated = coefficient(system, name) if last != "level" else None
        value = system.figures[stated].value if stated is not None else neutral(last)
        return _level(system, name) if value is None else value, ""
    if name in system.figures:
        return system.figures[name].value, ""
    if name in ABSENT:
        return ABSENT[name], ""
    if name in framework:
        return framework[name], ""
    if name.endswith(".sustained"):
        shared = system.figures.get("matmul.sustained")
        return (shared.value if shared is not None else 1.0), ""
    if name.endswith(".efficiency") and name not in FALLBACKS:
        shared = system.figures.get("hbm.efficiency")
        value = shared.value if shared is not None else FALLBACKS["hbm.efficiency"]
        return value, f"{name} is not stated: hbm.efficiency is used"
    if name in FALLBACKS:
        taken = "" if name in WITHOUT_EFFECT else f"{name} is not stated: {FALLBACKS[name]:g} is used"
        return FALLBACKS[name], taken
    return None
