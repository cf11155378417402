"""A search space: a strategy some of whose choices are sets, split into structural variants and axes of sizes.

Every point is one value for each set. Structural choices select formulas and figures select a machine, so each
of their combinations is a :class:`Variant`, compiled once; sizes are axes of that variant. A size that is a symbol
of the formulas only where it is given (``recompute_layers``, ``vp``) parts its axis in two: not given, and the rest; so
does ``tp`` where there are more ranks than key-value heads.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

from symsim.diagnostics import InputError, error, nearest
from symsim.language import tree
from symsim.language.figures import canonical, figure_value
from symsim.language.strategies import Strategy, members, route_overrides
from symsim.language.systems import load_system
from symsim.loading import kept_files
from symsim.loading.model_files import base_model, load_model, source_of
from symsim.loading.plan import Plan, fewer_kv_heads, plan
from symsim.records.model import Model
from symsim.records.strategy import CHOICES, SIZE_SYMBOLS, Structure, Value
from symsim.records.system import System

MAX_VARIANTS = 20_000
"""Most combinations of structural choices that one search compiles."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A name and the values that it has in the space, in the order in which they are written."""

    name: str
    values: tuple[Value | None, ...]


@dataclass(frozen=True, slots=True)
class Space:
    """What a search goes through: ``axes`` in the order of the file, the last one turning fastest."""

    model: Model
    system: System | None
    strategy: Strategy
    axes: tuple[Axis, ...]

    @property
    def points(self) -> int:
        return prod(len(axis.values) for axis in self.axes)

    def choices(self, point: int) -> dict[str, Value | None]:
        """The value of each set at a point, by its number."""
        chosen: dict[str, Value | None] = {}
        for axis in reversed(self.axes):
            point, place = divmod(point, len(axis.values))
            chosen[axis.name] = axis.values[place]
        return {axis.name: chosen[axis.name] for axis in self.axes}

    def at(self, choices: Mapping[str, Value | None]) -> Strategy:
        """The strategy with one value for each of some sets."""
        values = {**self.strategy.values, **{n: v for n, v in choices.items() if v is not None and n in CHOICES}}
        among = {n: node for n, node in self.strategy.among.items() if n not in choices}
        return replace(self.strategy, values=values, among=among)


@dataclass(frozen=True)
class Variant:
    """One structure on one machine, and the sizes that vary.

    ``plan`` has the structure and every size that does not vary, ``figures`` what is searched of the machine.
    ``axes`` are the sizes that vary, ``places`` the positions of their values on the axes of the space. ``base`` is the
    number of the point whose varying sizes are at place 0.
    """

    plan: Plan
    figures: Mapping[str, Value]
    axes: tuple[Axis, ...]
    places: tuple[tuple[int, ...], ...]
    strides: tuple[int, ...]
    base: int

    @cached_property
    def points(self) -> int:
        return prod(len(axis.values) for axis in self.axes)


def load_space(model: str, strategy: str | None, system: str | None, settings: tuple[str, ...] = ()) -> Space:
    """The space that a command line names.

    Raises:
        InputError: anything that cannot be read, a set over a name that is none, or a size that is missing.
    """
    source = source_of(model)
    chosen = kept_files.strategy(strategy, settings)
    base = base_model(source, chosen)
    for_model, for_system = route_overrides(chosen, base.dimensions, {})
    loaded = load_model(source, for_model) if for_model else base
    if for_system and system is None:
        name = next(iter(for_system))
        hint = "name a machine with -y, or leave this out"
        raise error("E315", f"'{name}' belongs to a machine, and none is given", chosen.places[name], hint)
    machine = load_system(system, for_system, chosen.places) if system is not None else None
    return space_of(loaded, chosen, machine)


def space_of(model: Model, strategy: Strategy, system: System | None) -> Space:
    """The sets of a strategy as axes."""
    axes = []
    for name, node in strategy.among.items():
        choice = CHOICES.get(name)
        if name == "fit":
            message = "'fit' says what has to fit, the same for all plans"
            raise error("E371", message, strategy.places[name], "give it one word: fit = device, peak or none")
        if choice is None:
            _check_figure(name, node, model, system, strategy)
        known = {**model.dimensions, **{n: v for n, v in strategy.values.items() if not isinstance(v, frozenset)}}
        axes.append(Axis(name, members(choice, node, known)))
    space = Space(model, system, strategy, tuple(axes))
    _check_sizes(space)
    return space


def _check_figure(name: str, node: tree.Expression, model: Model, system: System | None, strategy: Strategy) -> None:
    """Raises InputError if a set is not one of values that a figure of the machine may have."""
    place = strategy.places[name]
    if name in model.dimensions:
        hint = f"search each with its own --set {name}=…"
        raise error("E371", f"'{name}' is a dimension of the model, and a search is of one model", place, hint)
    if "." not in name and name != "gpus_per_node":
        message = f"'{name}' is not a name of a strategy, of this model or of a machine"
        raise error("E314", message, place, nearest(name, [*CHOICES, *model.dimensions]))
    if system is None:
        raise error("E315", f"'{name}' belongs to a machine, and none is given", place, "name a machine with -y")
    if canonical(name) not in system.figures:
        message = f"system '{system.name}' does not state '{name}'"
        raise error("E371", message, place, nearest(name, system.figures))
    for item in node.items if isinstance(node, tree.SetOf) else ():
        figure_value(canonical(name), item)


def _check_sizes(space: Space) -> None:
    """Raises InputError if what every plan needs is neither given nor searched."""
    there = {*space.strategy.values, *(axis.name for axis in space.axes)}
    if {"gbs", "microbatches"} <= there:
        hint = "give one of them; the other follows"
        raise error("E323", "gbs and microbatches say the same of a step", space.strategy.places["gbs"], hint)
    missing = [n for n in ("world", "seq") if n not in there]
    if not there & {"gbs", "microbatches"}:
        missing.append("gbs")
    if missing:
        first = next(iter(space.strategy.places.values()), None)
        hint = "add " + ", ".join(f"{n} = …" for n in missing)
        raise error("E322", f"the strategy does not say {', '.join(missing)}", first, hint)


@dataclass(frozen=True, slots=True)
class Refused:
    """Structural choices that contradict each other: how many points have them, and what is said of them."""

    points: int
    problem: InputError


def variants(space: Space) -> Iterator[Variant | Refused]:
    """Every structural variant, in the order of the space; those that no plan can have are refused.

    Raises:
        InputError: more variants than one search compiles.
    """
    parts = [_parts(axis, space) for axis in space.axes]
    count = prod(len(p) for p in parts)
    if count > MAX_VARIANTS:
        hint = "give some structural choices one value: " + ", ".join(
            a.name for a, p in zip(space.axes, parts, strict=True) if len(p) > 1
        )
        raise error("E372", f"the space has {count:,} combinations of structural choices", None, hint)
    strides = _strides(space)
    for chosen in itertools.product(*parts):
        yield _variant(space, chosen, strides)


Part = tuple[int, ...]
"""Places on an axis whose values share a structure, or may do so."""


def _parts(axis: Axis, space: Space) -> list[Part]:
    """The places of an axis, by what they select of the formulas."""
    everything = tuple(range(len(axis.values)))
    choice = CHOICES.get(axis.name)
    alone = _decided_with_others(space)
    if choice is None or choice.structural or axis.name in alone:
        return [(k,) for k in everything]
    if axis.name == "tp":
        fewer = tuple(k for k in everything if _outnumbers(axis.values[k], space.model))
        enough = tuple(sorted({*everything} - {*fewer}))
        return [part for part in (enough, fewer) if part]
    if axis.name in (*SIZE_SYMBOLS, "microbatches"):
        return [everything]
    given = tuple(k for k in everything if axis.values[k] is not None and axis.values[k] != choice.default)
    ungiven = [(k,) for k in sorted({*everything} - {*given})]
    return [*ungiven, *([given] if given else [])]


def _outnumbers(tp: Value | None, model: Model) -> bool:
    return isinstance(tp, int) and fewer_kv_heads(model, tp)


def _decided_with_others(space: Space) -> frozenset[str]:
    """Sizes whose every value settles with other choices: stages with a layout, chunks with some schedules."""
    layout = {"pp", "vp"} if _values(space, "layout") != {None} else set()
    chunks = {"vp"} if _values(space, "schedule") - {"1f1b", "interleaved"} else set()
    return frozenset(layout | chunks)


def _values(space: Space, name: str) -> set[Value | None]:
    axis = next((a for a in space.axes if a.name == name), None)
    return set(axis.values) if axis is not None else {space.strategy.values.get(name, CHOICES[name].default)}


def _strides(space: Space) -> list[int]:
    strides = [1] * len(space.axes)
    for k in range(len(space.axes) - 1, 0, -1):
        strides[k - 1] = strides[k] * len(space.axes[k].values)
    return strides


def _variant(space: Space, chosen: Sequence[Part], strides: Sequence[int]) -> Variant | Refused:
    first = {axis.name: axis.values[part[0]] for axis, part in zip(space.axes, chosen, strict=True)}
    try:
        settled = plan(space.at(first), needs_sizes=False, model=space.model)
    except InputError as problem:
        return Refused(prod(len(part) for part in chosen), problem)
    open_axes = [k for k, part in enumerate(chosen) if len(part) > 1]
    return Variant(
        settled,
        figures_among(first),
        tuple(Axis(space.axes[k].name, tuple(space.axes[k].values[j] for j in chosen[k])) for k in open_axes),
        tuple(chosen[k] for k in open_axes),
        tuple(strides[k] for k in open_axes),
        sum(part[0] * stride for part, stride in zip(chosen, strides, strict=True) if len(part) == 1),
    )


def figures_among(choices: Mapping[str, Value | None]) -> dict[str, Value]:
    """Those of some choices that are figures of the machine, by the names that formulas have for them."""
    return {canonical(n): v for n, v in choices.items() if n not in CHOICES and v is not None}


SHALLOW = frozenset(
    {"zero", "optimizer", "cuda_graph", "overlap_grad_reduce", "overlap_param_gather", "overlap_p2p", "offload"}
)
"""Structural choices that few formulas of a step depend on."""


def kinship(part: Variant | Refused) -> tuple[bool, str, str]:
    """Sorts variants so that those come together whose formulas, and then whose axes, are most alike."""
    if isinstance(part, Refused):
        return (True, "", "")
    deep = [(n, sorted(v) if isinstance(v, frozenset) else v) for n, v in part.plan.structure.words if n not in SHALLOW]
    return (False, repr(deep), repr([axis.name for axis in part.axes]))


def without_number(structure: Structure, name: str) -> Structure:
    """The structure in which a size is a symbol and its number is not known."""
    return replace(structure, fixed=tuple((n, v) for n, v in structure.fixed if n != name))


def objective_of(space: Space) -> tree.Objective:
    """What the strategy minimises or maximises; else the time of a step, or tokens per second where steps differ."""
    if space.strategy.objective is not None:
        return space.strategy.objective
    from symsim.analysis.quantities import parsed

    if space.system is None:
        return _objective("minimize", parsed("memory.peak"))
    if not {"world", "seq", "gbs"} <= space.strategy.values.keys():
        # The GPUs or the tokens of a step are not the same for all plans.
        return _objective("maximize", parsed("throughput.tokens_per_s_per_gpu"))
    return _objective("minimize", parsed("time.iteration"))


def _objective(direction: str, expression: tree.Expression) -> tree.Objective:
    return tree.Objective(direction, expression, expression.place)


def with_goals(space: Space, goal: str | None, value: str | None, requires: Sequence[str]) -> Space:
    """The space with another objective, ``minimize`` or ``maximize`` an expression, and with more requirements.

    Raises:
        InputError: an expression that cannot be read.
    """
    from symsim.analysis.quantities import parsed

    strategy = space.strategy
    if goal is not None and value is not None:
        strategy = replace(strategy, objective=_objective(goal, parsed(value, f"--{goal}")))
    conditions = [parsed(text, "--require") for text in requires]
    more = tuple(tree.Require(condition, None, condition.place) for condition in conditions)
    return replace(space, strategy=replace(strategy, requires=(*strategy.requires, *more)))
