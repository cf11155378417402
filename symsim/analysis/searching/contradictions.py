"""Values of a set that contradict every value of another one, and the value that the other set lacks.

``recompute in {none, full}`` with ``recompute_layers in {1, 2}`` never searches ``recompute = none``: a plan without
full recomputation has no ``recompute_layers``, and that set has no ``none``.
"""

from __future__ import annotations

import itertools
from math import prod

from symsim.analysis.searching.space import Axis, Space
from symsim.diagnostics import InputError
from symsim.loading.plan import plan
from symsim.records.strategy import CHOICES, SIZE_SYMBOLS, Value

MAX_COMBINATIONS = 5000
"""Most combinations of choices that are looked at; beyond it nothing is said."""

SETTLED_SIZES = ("pp", "vp")
"""Sizes that settle with structural choices, of those that are always symbols or of which a value decides."""


def notes(space: Space) -> list[str]:
    """What to add to which set, one sentence for each."""
    axes = [_representatives(axis) for axis in space.axes if _decides(axis.name)]
    if len(axes) < 2 or 2 * prod(len(a.values) + 1 for a in axes) > MAX_COMBINATIONS:
        return []
    out = []
    for lacking in axes:
        default = CHOICES[lacking.name].default
        if default in lacking.values:
            continue
        others = [axis for axis in axes if axis is not lacking]
        with_it = Axis(lacking.name, (default,))
        dead: dict[str, list[str]] = {}
        for axis, value in ((a, v) for a in others for v in a.values):
            rest = [a if a is not axis else Axis(a.name, (value,)) for a in others]
            if not _possible(space, [lacking, *rest]) and _possible(space, [with_it, *rest]):
                dead.setdefault(axis.name, []).append(value_text(value))
        named = "none" if default is None else value_text(default)
        for name, values in dead.items():
            out.append(
                f"{name} = {' or '.join(values)} contradicts every value of {lacking.name}, and no plan has it: "
                f"add {named} to the set of {lacking.name}"
            )
    return out


def _decides(name: str) -> bool:
    choice = CHOICES.get(name)
    return choice is not None and (name not in SIZE_SYMBOLS or name in SETTLED_SIZES)


def _representatives(axis: Axis) -> Axis:
    """Of sizes the default and one value: the rest settle like it."""
    choice = CHOICES[axis.name]
    if choice.structural or axis.name in SETTLED_SIZES:
        return axis
    kept = dict.fromkeys([*(v for v in axis.values if v == choice.default), *axis.values[:2]])
    return Axis(axis.name, tuple(kept))


def _possible(space: Space, axes: list[Axis]) -> bool:
    """Whether choices of these axes agree with each other in some combination."""
    others = {axis.name: axis.values[0] for axis in space.axes if axis.name not in {a.name for a in axes}}
    for values in itertools.product(*(axis.values for axis in axes)):
        chosen = {**others, **dict(zip([a.name for a in axes], values, strict=True))}
        try:
            plan(space.at(chosen), needs_sizes=False)
        except InputError:
            continue
        return True
    return False


def value_text(value: Value | None) -> str:
    """A value as a strategy file has it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, frozenset):
        return "{" + ", ".join(sorted(value)) + "}"
    return str(value)
