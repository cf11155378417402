"""A plan that does not fit, or does not meet what its strategy requires: the changes that fix it, cheapest first.

Plans one change away are evaluated like any other; those that fit and meet every requirement fix it, and what
they cost is the time that a step gets longer by. Where no single change does, pairs of them are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from symsim.analysis.evaluate import Answer
from symsim.analysis.explaining.constraints import broken
from symsim.analysis.explaining.neighbours import Change, Neighbour, changed, lowering, neighbour, size_of
from symsim.loading.question import Question
from symsim.records.strategy import Structure

OTHER_NUMBERS = frozenset({"grad_dtype", "optimizer", "precision"})
"""Choices that change what training computes."""

STRUCTURES_PAIRED = 4
"""Single changes of formulas, those that save most, of which pairs are compiled; pairs that need no new formulas
are all tried."""

MOST_LAYERS = 128
"""Layers of a stage up to which recomputing some of them is tried one by one."""

ZERO_STAGES = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Repair:
    """A plan near by. ``slower`` is its step's time against the plan's own, less 1; ``None`` without a machine."""

    change: Change
    asked: Question
    found: Answer
    lacking: tuple[str, ...]
    slower: float | None

    @property
    def changes_numbers(self) -> bool:
        """Whether training computes other numbers then."""
        return any(name in OTHER_NUMBERS for name in self.change)


@dataclass(frozen=True, slots=True)
class Repairs:
    """``lacking`` is what is wrong; ``single`` changes fix it, or ``pairs`` of them; else one is the ``closest``."""

    lacking: tuple[str, ...]
    single: tuple[Repair, ...]
    pairs: tuple[Repair, ...]
    closest: Repair | None
    tried: int


def repairs(asked: Question, found: Answer, tell: Callable[[str], None] | None = None) -> Repairs | None:
    """The changes that fix a plan, by the time they lose; without a machine by bytes. ``None``: nothing to fix.

    World, gbs and seq stay, and so does the model.
    """
    lacking = tuple(broken(asked, found))
    if not lacking:
        return None
    told = tell or (lambda _: None)
    beyond_memory = any(not text.startswith("memory.") for text in lacking)
    near: list[Repair] = []
    for change in single_changes(asked, beyond_memory):
        told(f"change {len(near) + 1}")
        there = neighbour(asked, change)
        near += [] if there is None else [priced(there, found)]
    near += [n for n in _fewest_layers(asked, found) if peak_of(n) not in map(peak_of, near)]
    single = ranked(n for n in near if not n.lacking)
    pairs: list[Repair] = []
    if not single:
        for change in _pairs(asked, near):
            told(f"pair {len(pairs) + 1} of changes")
            there = neighbour(asked, change)
            pairs += [] if there is None else [priced(there, found)]
    fixed = ranked(n for n in pairs if not n.lacking)
    rest = [*near, *pairs] if not single and not fixed else []
    closest = min(rest, key=lambda n: (len(n.lacking), peak_of(n)), default=None)
    return Repairs(lacking, single, fixed, closest, len(near) + len(pairs))


def priced(there: Neighbour, here: Answer) -> Repair:
    time = "time.iteration"
    timed = time in there.found.values and time in here.values
    slower = float(there.found.values[time] / here.values[time]) - 1 if timed else None
    return Repair(there.change, there.asked, there.found, tuple(broken(there.asked, there.found)), slower)


def ranked(near: Iterator[Repair]) -> tuple[Repair, ...]:
    return tuple(sorted(near, key=lambda n: (0.0 if n.slower is None else n.slower, peak_of(n))))


def peak_of(near: Repair) -> float:
    return float(near.found.values["memory.peak"])


def single_changes(asked: Question, beyond_memory: bool) -> Iterator[Change]:
    """Each single change once; those that give memory away only where something else is lacking."""
    seen: list[Change] = []
    every = [*lowering(asked), *_sizes(asked), *_others(asked), *(_giving(asked) if beyond_memory else ())]
    for change in every:
        if change not in seen:
            seen.append(change)
            yield change


def _sizes(asked: Question) -> Iterator[Change]:
    values = asked.plan.values
    for name in ("tp", "cp", "pp", "ep", "etp"):
        size = size_of(values, name)
        if size % 2 == 0:
            yield {name: size // 2}
        if name == "etp":
            yield {name: 2 * size}
    yield {"mbs": 2 * size_of(values, "mbs")}


def _others(asked: Question) -> Iterator[Change]:
    values = asked.plan.values
    yield from ({"zero": stage} for stage in ZERO_STAGES if stage > size_of(values, "zero"))
    if values["schedule"] in ("zb_h2", "zb_v", "dualpipe"):
        yield from ({"schedule": name, "vp": 1} for name in ("zb_h1", "1f1b"))
    if asked.system is not None and "host.bandwidth" in asked.system.figures and values["offload"] == "none":
        yield from ({"offload": frozenset({name})} for name in ("optimizer", "weights"))


def _giving(asked: Question) -> Iterator[Change]:
    """What takes memory and may save time."""
    values = asked.plan.values
    recomputed = values["recompute"]
    if recomputed != "none":
        yield {"recompute": "none", "recompute_layers": None, "recompute_method": "block"}
    if isinstance(recomputed, frozenset) and len(recomputed) > 1:
        yield from ({"recompute": recomputed - {name}} for name in sorted(recomputed))
    yield from ({"zero": stage, "zero_shard": None} for stage in ZERO_STAGES if stage < size_of(values, "zero"))
    yield from (
        {name: True} for name in ("overlap_grad_reduce", "overlap_param_gather", "overlap_p2p") if not values[name]
    )


def _fewest_layers(asked: Question, found: Answer) -> list[Repair]:
    """Recomputing no more layers of a stage than it takes; all of them are another change's."""
    values = asked.plan.values
    least = values["recompute_layers"] if values["recompute"] == "full" else 0
    if least is None or values["recompute_method"] == "uniform":
        return []
    assert isinstance(least, int)
    for count in range(least + 1, MOST_LAYERS + 1):
        change: Change = {"recompute": "full", "recompute_layers": count}
        there = neighbour(asked, change)
        if there is None:
            return []
        tried = priced(there, found)
        if not tried.lacking:
            return [tried]
    return []


def _pairs(asked: Question, near: Sequence[Repair]) -> Iterator[Change]:
    """Pairs whose formulas are there already, and pairs of the few changes that save most."""
    known: set[Structure] = {asked.plan.structure, *(n.asked.plan.structure for n in near)}
    others = [n for n in near if n.asked.plan.structure != asked.plan.structure]
    best = sorted(others, key=lambda n: (len(n.lacking), peak_of(n)))[:STRUCTURES_PAIRED]
    for first, second in combinations(near, 2):
        if first.change.keys() & second.change.keys():
            continue
        change = {**first.change, **second.change}
        both = changed(asked, change)
        if both is not None and (both.plan.structure in known or (first in best and second in best)):
            yield change
