"""What would make a plan faster: each change of its strategy evaluated, and the time that is not hidden, by name.

Plans one change away are evaluated like any other. A change counts as a speedup if the plan with it is legal, fits
the machine and meets every requirement; those that are faster and do not are told apart. World, gbs, seq and the model
stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

from symsim.analysis.answer_json import BREAKDOWN
from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.analysis.explaining.neighbours import Change, neighbour, size_of
from symsim.analysis.explaining.repair import Repair, peak_of, priced, ranked, single_changes
from symsim.diagnostics import InputError
from symsim.loading.question import Question
from symsim.records.strategy import CHOICES, Value

LEAST_GAIN = 0.0005
"""Share of a step that a change must gain to be named."""

PAIRED, PAIRED_UNFIT, PAIRED_LOWER = 5, 2, 3
"""Changes of which pairs are tried: the fastest that fit, the fastest that do not, and those with the lowest peaks."""

COMPUTE = frozenset({"forward", "backward", "accumulate", "optimizer", "stragglers"})
"""Items of a step that are work, or a share of all others; the rest is waiting, messages and what runs again."""

OFFERED: Mapping[str, tuple[Value, ...]] = {
    "attention": ("flash",),
    "cp_comm": ("a2a", "ring", "all_gather"),
    "moe_dispatch": ("all_to_all", "deepep", "hybridep"),
    "schedule": ("1f1b", "zb_h1", "zb_h2", "zb_v", "dualpipe"),
    "grad_dtype": ("bf16",),
    "sequence_parallel": (True,),
    "fused_cross_entropy": (True,),
    "moe_probs_in_activation": (True,),
    "cuda_graph": (True,),
}
"""Choices of software, and the values that a plan may be given in place of its own."""

OVERLAPS = tuple(name for name in CHOICES if name.startswith("overlap_"))
"""Flags that hide messages."""

SIZES = ("tp", "cp", "pp", "ep", "etp", "mbs")

QUANTISED = ("fp8", "mxfp8", "nvfp4")
"""Precisions of GEMMs that are offered where the machine states their rate."""


@dataclass(frozen=True, slots=True)
class Unhidden:
    """Time of a step that is not work: ``item`` is a name of the breakdown, or a data-parallel message of it.

    ``answer`` is the fastest change that shortens this item more than any other, and leaves the numbers of training
    as they are; ``None``: none that was tried does.
    """

    item: str
    seconds: float
    answer: Repair | None


@dataclass(frozen=True, slots=True)
class Speedups:
    """``single`` changes that make the plan faster and fit, ``pairs`` of changes that are faster than either alone.

    ``unfit`` are faster and do not fit, or break a requirement. All are sorted by time, ``unhidden`` by its seconds.
    ``thorough``: every change was tried, and pairs.
    """

    single: tuple[Repair, ...]
    pairs: tuple[Repair, ...]
    unfit: tuple[Repair, ...]
    unhidden: tuple[Unhidden, ...]
    tried: int
    thorough: bool


def speedups(
    asked: Question, found: Answer, thorough: bool = True, tell: Callable[[str], None] | None = None
) -> Speedups | None:
    """What would make the plan faster; ``None`` without a machine. ``found`` is its answer, with moments.

    Unless ``thorough``, only sizes and what hides messages are changed, one at a time.
    """
    if "time.iteration" not in found.values:
        return None
    told = tell or (lambda _: None)
    near: list[Repair] = []
    for change in _singles(asked, thorough):
        told(f"change {len(near) + 1}")
        near += _tried(asked, found, change)
    single = ranked(n for n in near if _faster(n) and not n.lacking)
    unfit = ranked(n for n in near if _faster(n) and n.lacking)
    both: list[Repair] = []
    for change in _pairs(single, unfit, near) if thorough else ():
        told(f"pair {len(both) + 1} of changes")
        both += _tried(asked, found, change)
    pairs = ranked(n for n in both if not n.lacking and (n.slower or 0.0) < _to_beat(n.change, single))
    return Speedups(single, pairs, unfit, tuple(_unhidden(found, single)), len(near) + len(both), thorough)


def _tried(asked: Question, found: Answer, change: Change) -> list[Repair]:
    there = neighbour(asked, change)
    return [] if there is None else [priced(there, found)]


def _faster(near: Repair) -> bool:
    return near.slower is not None and near.slower < -LEAST_GAIN


def _to_beat(change: Change, single: Sequence[Repair]) -> float:
    """What a pair must be faster than: each of its changes that fits alone."""
    parts = [n.slower or 0.0 for n in single if n.change.items() <= change.items()]
    return min(parts, default=0.0) - LEAST_GAIN


def _singles(asked: Question, thorough: bool) -> Iterator[Change]:
    """Each single change once, without what it leaves as it is; if ``thorough`` those that repairs try too."""
    seen: list[Change] = []
    others = (*single_changes(asked, beyond_memory=True), *_quicker(asked)) if thorough else ()
    for every in (*_at_a_glance(asked), *others):
        change = {n: v for n, v in every.items() if asked.plan.values[n] != v}
        if change and change not in seen:
            seen.append(change)
            yield change


def _at_a_glance(asked: Question) -> Iterator[Change]:
    """Sizes, which need few new formulas, and what hides messages."""
    values = asked.plan.values
    for name in SIZES:
        size = size_of(values, name)
        yield from ({name: other} for other in ([size // 2] if size % 2 == 0 else []))
        yield {name: 2 * size}
    if size_of(values, "pp") > 1 and values["layout"] is None:
        yield from ({"vp": times * size_of(values, "vp")} for times in (2, 3, 4))
    yield from ({name: True} for name in OVERLAPS if not values[name])


def _quicker(asked: Question) -> Iterator[Change]:
    """Other kernels, exchanges, schedules and precisions; less recomputation; nothing offloaded."""
    values = asked.plan.values
    for name, offered in OFFERED.items():
        for value in offered:
            if values[name] != value:
                yield {name: value, **({"vp": 1} if name == "schedule" and values["vp"] != 1 else {})}
    if isinstance(values["recompute"], frozenset) or values["recompute"] == "full":
        from symsim.compiler.pipeline import regions

        for name in sorted(regions(asked.model, asked.plan.structure)):
            yield {"recompute": frozenset({name}), "recompute_layers": None, "recompute_method": "block"}
    layers = values["recompute_layers"]
    if isinstance(layers, int) and layers > 1 and values["recompute_method"] == "block":
        yield from ({"recompute_layers": count} for count in sorted({layers - 1, layers // 2}))
    if values["offload"] != "none":
        yield {"offload": "none"}
    figures = asked.system.figures if asked.system is not None else {}
    yield from ({"precision": p} for p in QUANTISED if f"matmul.{p}" in figures)


def _pairs(single: Sequence[Repair], unfit: Sequence[Repair], near: Sequence[Repair]) -> Iterator[Change]:
    """Pairs of the fastest changes, and of those that do not fit with those that leave room; numbers stay the same."""
    best = [n for n in single if not n.changes_numbers][:PAIRED]
    crowded = [n for n in unfit if not n.changes_numbers][:PAIRED_UNFIT]
    lowest = sorted((n for n in near if not n.changes_numbers), key=peak_of)[:PAIRED_LOWER]
    seen: list[Change] = []
    for first, second in (*combinations(best, 2), *product(crowded, (*best, *lowest))):
        change = {**first.change, **second.change}
        if not first.change.keys() & second.change.keys() and change not in seen:
            seen.append(change)
            yield change


def _unhidden(found: Answer, single: Sequence[Repair]) -> Iterator[Unhidden]:
    """Items that are no work, the longest first, each with the change that shortens it most of all."""
    here = _items(found)
    answers: dict[str, Repair] = {}
    for change in (c for c in single if not c.changes_numbers):
        main = _shortened(found, change)
        if main is not None:
            answers.setdefault(main, change)
    for item, seconds in sorted(here.items(), key=lambda entry: -entry[1]):
        if seconds > LEAST_GAIN * float(found.values["time.iteration"]):
            yield Unhidden(item, seconds, answers.get(item))


def _shortened(found: Answer, change: Repair) -> str | None:
    """The item that a change shortens most, of those that are no work."""
    before, after = _items(found, whole=True), _items(change.found, whole=True)
    main = max(before, key=lambda item: before[item] - after.get(item, 0.0), default=None)
    if main is None or before[main] <= after.get(main, 0.0):
        return None
    if main != "data_parallel":
        return main
    before, after = _messages(found), _messages(_with_moments(change))
    return max(before, key=lambda item: before[item] - after.get(item, 0.0), default=main)


def _with_moments(change: Repair) -> Answer:
    try:
        return answer(change.asked.model, change.asked.plan, machine_of(change.asked, moments=True), moments=True)
    except InputError:
        return change.found


def _items(found: Answer, whole: bool = False) -> dict[str, float]:
    """Seconds of a step's items that are no work; data-parallel messages one by one, unless ``whole``."""
    items = {n: float(found.values[f"time.{n}"]) for n in BREAKDOWN if n not in COMPUTE and f"time.{n}" in found.values}
    messages = {} if whole else _messages(found)
    if messages:
        items.pop("data_parallel", None)
    return {**items, **messages}


def _messages(found: Answer) -> dict[str, float]:
    """Exposed seconds of each data-parallel message."""
    prefix = "time@data_parallel@"
    return {n.removeprefix(prefix): float(s) for n, s in found.values.items() if n.startswith(prefix)}
