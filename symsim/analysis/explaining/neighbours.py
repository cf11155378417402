"""Plans one change away that hold less: each is settled, compiled and evaluated like any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.requirements import unmet
from symsim.diagnostics import InputError
from symsim.loading.changed_plan import with_values
from symsim.loading.question import Question
from symsim.records.strategy import Value

Change = Mapping[str, Value | None]
"""Names of a strategy and their new values; ``None`` leaves a name out."""

LOWER: Mapping[str, tuple[Value, Value]] = {
    "sequence_parallel": (False, True),
    "fused_cross_entropy": (False, True),
    "moe_probs_in_activation": (False, True),
    "attention": ("unfused", "flash"),
    "grad_dtype": ("fp32", "bf16"),
    "optimizer": ("adam", "adam_bf16"),
    "schedule": ("gpipe", "1f1b"),
}
"""Choices with a value that may hold less: from, to."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A legal plan and its answer; ``lacking`` are the strategy's requirements that it does not meet."""

    change: Change
    found: Answer
    asked: Question
    lacking: tuple[str, ...] = ()


def lower(asked: Question, found: Answer) -> list[Neighbour]:
    """The plans one change away whose peak is lower, lowest first; world and gbs stay.

    Plans that break a rule or a requirement of the strategy, and those without a formula, are left out.
    """
    near = (neighbour(asked, change) for change in lowering(asked))
    held = found.values["memory.peak"]
    out = [n for n in near if n is not None and not n.lacking and n.found.values["memory.peak"] < held]
    return sorted(out, key=lambda n: float(n.found.values["memory.peak"]))


def changed(asked: Question, change: Change) -> Question | None:
    """The plan with a change, gbs as it was; ``None`` where its choices contradict each other."""
    try:
        return with_values(asked, {**asked.plan.values, "microbatches": None, **change})
    except InputError:
        return None


def neighbour(asked: Question, change: Change) -> Neighbour | None:
    """The plan with a change, evaluated; ``None`` where it breaks a rule or has no formula."""
    other = changed(asked, change)
    if other is None:
        return None
    try:
        there = answer(other.model, other.plan, machine_of(other))
        return Neighbour(change, there, other, tuple(unmet(other)))
    except InputError:
        return None


def lowering(asked: Question) -> Iterator[Change]:
    """Single changes that may lower the peak."""
    values = asked.plan.values
    yield from _recomputed(asked)
    yield from ({name: 2 * size_of(values, name)} for name in ("tp", "cp", "pp", "ep"))
    if size_of(values, "mbs") % 2 == 0:
        yield {"mbs": size_of(values, "mbs") // 2}
    if values["vp"] != 1:
        yield {"vp": 1, "schedule": "1f1b"}
    if size_of(values, "zero") < 3:
        yield {"zero": size_of(values, "zero") + 1}
    yield from ({name: after} for name, (before, after) in LOWER.items() if values[name] == before)


def _recomputed(asked: Question) -> Iterator[Change]:
    """One more region; all layers."""
    from symsim.compiler.pipeline import regions

    chosen = asked.plan.values["recompute"]
    if chosen in ("full", "per_op_sac"):
        if asked.plan.values["recompute_layers"] is not None:
            yield {"recompute_layers": None, "recompute_method": "block"}
        return
    already = chosen if isinstance(chosen, frozenset) else frozenset()
    yield from (
        {"recompute": already | {name}} for name in sorted(regions(asked.model, asked.plan.structure) - already)
    )
    yield {"recompute": "full"}


def size_of(values: Mapping[str, Value | None], name: str) -> int:
    value = values[name]
    assert isinstance(value, int)
    return value
