"""A cost model: the ordered list of named formulas that answers every question about a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sympy import Expr

Scope = Literal["run", "stage"]
"""``stage``: the formula depends on the pipeline stage ``i``; ``run``: it does not."""


RUN_PARTS: Mapping[str, tuple[str, ...]] = {
    "run": ("tokens",),
    "run.cost": ("tokens", "price"),
    "run.energy": ("tokens", "gpu.power"),
}
"""Parts about a whole training run, and the inputs that a question may leave out: without these they have no value."""


@dataclass(frozen=True, slots=True)
class Definition:
    """``name = expression``, with what it means and its unit.

    The expression is over input symbols (``tp``, ``hbm.bandwidth`` …) and the names of definitions
    that stand before it in the cost model, as sympy symbols made by :func:`symsim.symbols.symbol`.
    A definition of scope ``run`` uses those of scope ``stage`` only inside ``stage_sum``,
    ``stage_max`` and ``stage_pick``.
    """

    name: str
    expression: Expr
    meaning: str
    unit: str
    scope: Scope
    part: str
    """The question it belongs to: sizes, params, memory, flops, communication, time or run."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A condition of a legal plan: ``amount`` must be 0, or not negative.

    ``message`` says what is wrong where it does not hold (:mod:`symsim.records.rule_message`).
    """

    amount: Expr
    kind: Literal["zero", "not_negative"]
    message: str
    names: tuple[str, ...]
    """The strategy and model names that appear, for the hint about the nearest legal values."""


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """What one pass defined: the same object in every cost model in which the pass did the same.

    ``free`` are the names that it uses and does not define, in the order of their use.
    """

    definitions: tuple[Definition, ...]
    free: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CostModel:
    """Everything compiled from one model and one set of structural choices.

    ``definitions`` are in an order in which each can be computed from those before it.
    ``inputs`` are the free names left: sizes of a strategy and properties of a machine. ``segments`` are the
    same definitions pass by pass; a cost model that was not compiled has none.
    """

    title: str
    definitions: tuple[Definition, ...]
    rules: tuple[Rule, ...]
    inputs: tuple[str, ...]
    figures: Mapping[str, float] = field(default_factory=dict)
    """Values of those inputs that belong to the strategy's framework."""
    segments: tuple[Segment, ...] = ()
    following: Mapping[str, Expr] = field(default_factory=dict)
    """Dimensions that follow from those that were kept as symbols."""
