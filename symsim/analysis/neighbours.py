"""Plans one change away that hold less: each is settled, compiled and evaluated like any other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.load import Question
from symsim.analysis.plan import plan
from symsim.analysis.requirements import unmet
from symsim.diagnostics import InputError, Place, Source
from symsim.language.strategies import Strategy
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


_PLACES: Mapping[str, Place] = defaultdict(lambda: Place(Source("", ""), 1, 1, 1))
"""Nobody wrote these choices anywhere; what is wrong with them is not reported."""


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A legal plan and its answer."""

    change: Change
    found: Answer


def lower(asked: Question, found: Answer) -> list[Neighbour]:
    """The plans one change away whose peak is lower, lowest first; world and gbs stay.

    Plans that break a rule or a requirement of the strategy, and those without a formula, are left out.
    """
    out = [n for change in _changes(asked) if (n := _neighbour(asked, change)) is not None]
    held = found.values["memory.peak"]
    return sorted(
        (n for n in out if n.found.values["memory.peak"] < held), key=lambda n: float(n.found.values["memory.peak"])
    )


def changed(asked: Question, change: Change, follows: str = "microbatches") -> Question:
    """The question with a few choices of its strategy changed; of gbs and microbatches one ``follows``.

    Raises:
        InputError: the choices contradict each other.
    """
    settled = {n: v for n, v in {**asked.plan.values, **change}.items() if v is not None and n != follows}
    strategy = Strategy(asked.strategy_name, "", settled, {}, {}, asked.requires, None, _PLACES)
    return replace(asked, plan=plan(strategy))


def _neighbour(asked: Question, change: Change) -> Neighbour | None:
    try:
        other = changed(asked, change)
        there = answer(other.model, other.plan, machine_of(other))
        return None if unmet(other, there) else Neighbour(change, there)
    except InputError:
        return None


def _changes(asked: Question) -> Iterator[Change]:
    values = asked.plan.values
    yield from _recomputed(asked)
    yield from ({name: 2 * _size(values, name)} for name in ("tp", "cp", "pp", "ep"))
    if _size(values, "mbs") % 2 == 0:
        yield {"mbs": _size(values, "mbs") // 2}
    if values["vp"] != 1:
        yield {"vp": 1, "schedule": "1f1b"}
    if _size(values, "zero") < 3:
        yield {"zero": _size(values, "zero") + 1}
    yield from ({name: after} for name, (before, after) in LOWER.items() if values[name] == before)


def _recomputed(asked: Question) -> Iterator[Change]:
    """One more region; all layers."""
    from symsim.compiler.pipeline import regions

    chosen = asked.plan.values["recompute"]
    if chosen == "full":
        if asked.plan.values["recompute_layers"] is not None:
            yield {"recompute_layers": None, "recompute_method": "block"}
        return
    already = chosen if isinstance(chosen, frozenset) else frozenset()
    yield from (
        {"recompute": already | {name}} for name in sorted(regions(asked.model, asked.plan.structure) - already)
    )
    yield {"recompute": "full"}


def _size(values: Mapping[str, Value | None], name: str) -> int:
    value = values[name]
    assert isinstance(value, int)
    return value
