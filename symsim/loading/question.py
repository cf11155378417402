"""What a command asks about: the model, strategy and machine that a command line names, loaded and settled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from symsim.diagnostics import Source, error
from symsim.language import tree
from symsim.language.strategies import Strategy, route_overrides, strategy_of
from symsim.loading import kept_files
from symsim.loading.model_files import base_model, load_model, source_of
from symsim.loading.plan import Plan, plan
from symsim.loading.run_files import run_of, run_of_pair
from symsim.records.model import Model
from symsim.records.system import System


@dataclass(frozen=True, slots=True)
class Question:
    """A model, a settled strategy and perhaps a machine: what every command asks about."""

    model: Model
    strategy_name: str
    plan: Plan
    system: System | None
    requires: tuple[tree.Require, ...] = ()
    source: Source | None = None
    """The model's text, where it was read from one; ``for_model`` is what was laid over it."""
    for_model: Mapping[str, tree.Expression] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    """What is read as it is written, though it may be meant otherwise."""


def question(
    model: str | Source,
    strategy: str | Strategy | None,
    system: str | None,
    settings: tuple[str, ...] = (),
    needs_sizes: bool = True,
) -> Question:
    """Load everything that a command names; ``settings`` are the NAME=VALUE of ``--set``.

    A file of a whole run gives the strategy too, unless one is named. A model's text and a strategy may be there
    already; ``settings`` are then part of the strategy.

    Raises:
        InputError: anything that cannot be read, parsed or settled.
    """
    pair = run_of_pair(model, strategy) if isinstance(model, str) and isinstance(strategy, str) else None
    if pair is not None and pair.model is not None and pair.strategy is not None:
        source, chosen = pair.model, strategy_of(pair.strategy, settings)
    else:
        source = model if isinstance(model, Source) else source_of(model)
        chosen = strategy if isinstance(strategy, Strategy) else _strategy(model, strategy, settings)
    base = base_model(source, chosen)
    for_model, for_system = route_overrides(chosen, base.dimensions, {})
    loaded = load_model(source, for_model) if for_model else base
    settled = plan(chosen, needs_sizes, loaded)
    if for_system and system is None:
        name = next(iter(for_system))
        hint = "name a machine with -y, or leave this out"
        raise error("E315", f"'{name}' belongs to a machine, and none is given", chosen.places[name], hint)
    machine = kept_files.system(system, for_system, chosen.places) if system is not None else None
    return Question(loaded, chosen.name, settled, machine, chosen.requires, source, for_model, chosen.notes)


def _strategy(model: str | Source, strategy: str | None, settings: tuple[str, ...]) -> Strategy:
    own = run_of(model).strategy if strategy is None and isinstance(model, str) else None
    return kept_files.strategy(strategy, settings) if own is None else strategy_of(own, settings)


def gives_strategy(model: str) -> bool:
    """Whether what a command names as its model holds a strategy too."""
    return run_of(model).strategy is not None
