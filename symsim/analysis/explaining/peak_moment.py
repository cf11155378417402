"""Which moment is the peak of a stage: found among the ``rise…`` and ``w.…`` of an answer."""

from __future__ import annotations

from dataclasses import dataclass

from symsim.analysis.evaluate import Answer


@dataclass(frozen=True, slots=True)
class Moment:
    """One operator of one unit in one phase, on a stage.

    ``unit`` is the kind of layer (``layer`` where there is one kind), ``embedding`` or ``head``;
    ``name`` is the moment's name in formulas: ``w.NAME``, ``peak@NAME``. A rise that is no operator's
    gives its own name for all three, and no phase.
    """

    name: str
    unit: str
    operator: str
    phase: str


def peak_moment(found: Answer, stage: int) -> Moment | None:
    """The worst moment of a stage; ``None`` where nothing ever stands above the saved activations."""
    rises = [n for n in found.values if n == "rise" or n.startswith("rise_")]
    worst = max(rises, key=lambda n: found.of_stage(n)[stage], default="rise")
    if not rises or found.of_stage(worst)[stage] <= 0:
        return None
    unit = unit_of(worst.removeprefix("rise"))
    names = [n for n in moment_names(found, "w.") if unit_of_moment(found, n) == unit]
    if not names:
        return Moment(unit, unit, unit, "")
    return moment(found, max(names, key=lambda n: found.of_stage(f"w.{n}")[stage]))


def moment(found: Answer, name: str) -> Moment:
    """A moment by its name in formulas."""
    unit = unit_of_moment(found, name)
    operator, _, phase = name.removeprefix("recomputed.").rpartition(".")
    return Moment(name, unit, operator, phase)


def moment_names(found: Answer, prefix: str) -> list[str]:
    """What follows ``w.`` or ``peak@`` in the names of an answer, in the order of its formulas."""
    return [n.removeprefix(prefix) for n in found.values if n.startswith(prefix)]


def unit_of(suffix: str) -> str:
    """``_moe_recomputed`` → ``moe_recomputed``; what has no suffix is the one kind of layer."""
    return suffix.removeprefix("_") or "layer"


def unit_of_moment(found: Answer, name: str) -> str:
    """The unit whose operator runs: names of moments begin with it, except those of the one kind of layer."""
    again = name.startswith("recomputed.")
    rest = name.removeprefix("recomputed.")
    for unit in (unit_of(n[1:]) for n in found.values if n.startswith(("w_", "A_"))):
        kind = unit.removesuffix("recomputed").removesuffix("_")
        if again == unit.endswith("recomputed") and (not kind or rest.startswith(f"{kind}.")):
            return unit
    return "layer"


def in_words(found: Answer, at: Moment | None, stage: int) -> str:
    """``mlp.up backward, 4 micro-batches in flight``."""
    held = float(found.of_stage("f")[stage])
    return f"{_running(at)}, {held:.4g} micro-batch{'es' * (held != 1)} in flight"


def _running(at: Moment | None) -> str:
    if at is None:
        return "all saved activations"
    again = " of a recomputed layer" if at.unit.endswith("recomputed") else ""
    return f"{at.operator} {at.phase}{again}".rstrip()
