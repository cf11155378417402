"""One name of a question with another value: what ``--set NAME=VALUE`` would ask.

A name is a size of the strategy, a dimension of the model or a figure of the machine. What follows
from it follows: data-parallel ranks, micro-batches, dimensions that nobody gave.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from symsim.diagnostics import InputError, Place, Source, error, nearest
from symsim.language import tree
from symsim.language.figures import canonical, check_name, is_whole, unit_of
from symsim.language.strategies import MAX_SIZE, Strategy, largest
from symsim.language.systems import settable, with_figure
from symsim.language.tables import MAX_EFFICIENCY
from symsim.loading.model_files import load_model
from symsim.loading.plan import Plan, plan
from symsim.loading.question import Question
from symsim.records.model import Model
from symsim.records.strategy import CHOICES
from symsim.records.system import System

Of = Literal["size", "dimension", "figure"]
Sought = Literal["largest", "smallest"]

BETTER_SMALL = frozenset(
    ("world", "tp", "cp", "pp", "vp", "ep", "etp", "zero_shard", "recompute_layers", "cp_a2a", "microbatch_group")
)
"""Sizes of which a plan wants the fewest that will do."""
BURDENS = ("latency", "fixed", "fill", "shared", "contention", "overlap_slowdown", "straggler", "launch", "turn")
BURDENS_OF_MEMORY = ("context", "communicator", "fragmentation", "step", "traffic")
"""Figures of which a plan bears so much; of any other it needs so much."""
FROM_NOTHING: Mapping[str, tuple[float, float]] = {"B": (1.0, 2.0**50), "B/s": (1.0, 1e18), "s": (1e-12, 1e3)}
"""By unit: where a figure is looked for that is 0 now."""
FAR = 2.0**20
"""How many times a real number may be larger or smaller than it is now."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A name that varies: whole numbers or real ones from ``low`` to ``high``; ``now`` is its value.

    ``bounded``: nothing beyond ``high`` is possible, or the caller has set it.
    """

    name: str
    of: Of
    whole: bool
    low: float
    high: float
    now: float | None
    unit: str
    bounded: bool
    sought: Sought


def parameter(asked: Question, name: str, low: float | None = None, high: float | None = None) -> Parameter:
    """What a name is in a question, and between which values it is looked for.

    Raises:
        InputError: no such name, one that is not a number, or an empty range.
    """
    name = canonical(name)
    found = _size(asked, name) or _dimension(asked, name) or _figure(asked, name)
    if found is None:
        raise _unknown(asked, name)
    low = found.low if low is None else max(low, found.low)
    given = high is not None
    high = found.high if high is None else min(high, found.high)
    if not low <= high:
        message = f"{name} lies between {found.low:g} and {found.high:g}; nothing of that is asked for"
        raise error("E350", message, None, "--from and --to are the smallest and the largest value to look at")
    return replace(found, low=low, high=high, bounded=given or found.bounded)


def _size(asked: Question, name: str) -> Parameter | None:
    choice = CHOICES.get(name)
    if choice is None:
        return None
    if choice.kind not in ("size", "number"):
        hint = f"{name} is one of {', '.join(choice.words)}" if choice.words else f"{name} is not a number"
        raise error("E350", f"'{name}' has no largest or smallest value", None, hint)
    value = asked.plan.values[name]
    now = float(value) if isinstance(value, int | Fraction) else None
    sought: Sought = "smallest" if name in BETTER_SMALL else "largest"
    if choice.kind == "number":
        low = 1.0 if name == "moe_imbalance" else 1 / FAR
        return Parameter(name, "size", False, low, FAR, now, "", False, sought)
    return Parameter(name, "size", True, 1, largest(name), now, "", False, sought)


def _dimension(asked: Question, name: str) -> Parameter | None:
    value = asked.model.dimensions.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool):
        raise error("E350", f"'{name}' has no largest or smallest value", None, f"it is {str(value).lower()} here")
    return Parameter(name, "dimension", True, 1, MAX_SIZE, value, "", False, "largest")


def _figure(asked: Question, name: str) -> Parameter | None:
    system = asked.system
    if system is None or name in CHOICES or not settable(system, name):
        return None
    check_name(name, _place(name))
    now = system.figures[name].value if name in system.figures else None
    last, unit = name.rpartition(".")[2], unit_of(name)
    sought: Sought = "largest" if last in (*BURDENS, *BURDENS_OF_MEMORY) else "smallest"
    if is_whole(name):
        return Parameter(name, "figure", True, 1, 2.0**20, now, unit, False, sought)
    low, high = (now / FAR, now * FAR) if now else FROM_NOTHING.get(unit, (1 / FAR, FAR))
    most = _most(last)
    return Parameter(name, "figure", False, low, min(high, most), now, unit, most <= high, sought)


def _most(last: str) -> float:
    if last.endswith("efficiency") or last == "level":
        return float(MAX_EFFICIENCY)
    shares = (*("misaligned", "shared", "sharp", "overlap_slowdown", "wave"),)
    return 1.0 if last in shares else float("inf")


def _unknown(asked: Question, name: str) -> InputError:
    sizes = [n for n, c in CHOICES.items() if c.kind in ("size", "number")]
    dimensions = [n for n, v in asked.model.dimensions.items() if type(v) is int]
    figures = list(asked.system.figures) if asked.system is not None else []
    hint = nearest(name, [*sizes, *dimensions, *figures])
    if "." in name and asked.system is None:
        hint = "a figure belongs to a machine: name one with -y"
    hint = hint or f"a size such as mbs, a dimension such as {dimensions[0]}, or a figure such as memory.capacity"
    message = f"'{name}' is not a size of a strategy, a dimension of {asked.model.name} or a figure of a machine"
    return error("E350", message, None, hint)


def changed(asked: Question, about: Parameter, value: float) -> Question:
    """The question with the name at a value, everything settled anew.

    Raises:
        InputError: the value is not possible.
    """
    if about.of == "figure":
        assert asked.system is not None
        return replace(asked, system=at_figure(asked.system, about.name, value))
    if about.of == "dimension":
        return replace(asked, model=at_dimension(asked, about.name, int(value)))
    return replace(asked, plan=at_size(asked, about.name, int(value) if about.whole else Fraction(value)))


def at_figure(system: System, name: str, value: float) -> System:
    exact = Fraction(value)
    whole_number = exact.numerator if exact.denominator == 1 else exact
    return with_figure(system, name, tree.Number(whole_number, _place(name), unit_of(name) or None))


def at_dimension(asked: Question, name: str, value: int) -> Model:
    if asked.source is None:
        raise error("E351", f"the model was not read from a text: its '{name}' cannot vary", None, "ask by its name")
    return load_model(asked.source, {**asked.for_model, name: tree.Number(value, _place(name))})


def at_size(asked: Question, name: str, value: int | Fraction) -> Plan:
    """The plan with a size as ``--set`` gives it; of gbs and micro-batches the other one follows."""
    other = {"gbs": "microbatches", "microbatches": "gbs"}.get(name)
    given = {n: v for n in asked.plan.places if n in CHOICES and (v := asked.plan.values[n]) is not None}
    given = {n: v for n, v in given.items() if n != other} | {name: value}
    places = defaultdict(lambda: _place(name), {**asked.plan.places, name: _place(name)})
    if other is not None:
        places.pop(other, None)
    return plan(Strategy(asked.strategy_name, "", given, {}, {}, asked.requires, None, places), model=asked.model)


def setting(about: Parameter, value: float, asked: Question) -> str:
    """``--set`` with the name at a value, and without what would contradict it."""
    other = {"gbs": "microbatches", "microbatches": "gbs"}.get(about.name)
    number = f"{int(value)}" if about.whole else f"{value!r}"
    text = f"{about.name}='{number} {about.unit}'" if about.unit else f"{about.name}={number}"
    return f"--set {other}=none --set {text}" if other in asked.plan.places else f"--set {text}"


def _place(name: str) -> Place:
    return Place(Source("<--for>", name), 1, 1, max(1, len(name)))
