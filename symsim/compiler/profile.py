"""The software profile of a plan: what its framework does, as facts that the library states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from symsim.diagnostics import Diagnostic, InputError, error, nearest
from symsim.language.expressions import Plain, Value, describe, evaluate
from symsim.language.library import Library, library_of
from symsim.records.strategy import Structure
from symsim.symbols import symbol

if TYPE_CHECKING:
    from sympy import Symbol

BASE = "megatron"
"""The profile that states every fact; what another does not state is taken from it."""


WORDS = {
    "layer_split": ("even", "front", "back", "filled", "by_work"),
    "gradient_copies": ("never", "after_backward", "kept"),
}
"""What a fact that is a word may be."""


TIMED = "time."
"""Facts of this group are figures that only times depend on: symbols in formulas, so that they can be calibrated."""


@dataclass(frozen=True, slots=True)
class Profile:
    """``facts`` of a framework by name; ``own`` are those that its profile states itself."""

    name: str
    facts: Mapping[str, Value]
    own: frozenset[str]

    def __getitem__(self, fact: str) -> Value:
        return self.facts[fact]

    def figure(self, name: str) -> Symbol:
        """The symbol of a fact that only times depend on: ``framework.launch`` for ``time.launch``."""
        assert TIMED + name in self.facts, name
        return symbol(FIGURE + name)

    @property
    def figures(self) -> dict[str, float]:
        """Values of those symbols, in base units."""
        timed = {f.removeprefix(TIMED): v for f, v in self.facts.items() if f.startswith(TIMED)}
        return {FIGURE + name: float(value) for name, value in timed.items()}


FIGURE = "framework."
"""How formulas call the figures of the strategy's framework."""


def profile_of(library: Library, structure: Structure) -> Profile:
    """The facts of the strategy's framework.

    Raises:
        InputError: a profile states a fact that there is not, or one of another kind.
    """
    name = str(structure["framework"])
    facts = _stated(library_of(), BASE)
    own = _stated(library, name)
    problems: list[Diagnostic] = []
    for fact in library.profiles[name].facts:
        if fact.name not in facts:
            message = f"unknown name '{fact.name}'"
            problems += error("E203", message, fact.place, nearest(fact.name, facts)).diagnostics
        elif _kind(own[fact.name]) is not _kind(facts[fact.name]):
            message = f"'{fact.name}' is {describe(facts[fact.name])} elsewhere, not {describe(own[fact.name])}"
            problems += error("E207", message, fact.place, f"profile {BASE} shows what each fact may be").diagnostics
        elif fact.name in WORDS and own[fact.name] not in WORDS[fact.name]:
            message = f"'{fact.name}' cannot be {describe(own[fact.name])}"
            problems += error("E203", message, fact.place, nearest(str(own[fact.name]), WORDS[fact.name])).diagnostics
    if problems:
        raise InputError(problems)
    return Profile(name, {**facts, **own}, frozenset(own))


def _stated(library: Library, name: str) -> dict[str, Value]:
    return {fact.name: evaluate(fact.value, Plain({})) for fact in library.profiles[name].facts}


def _kind(value: Value) -> type:
    """A flag, a word or a number."""
    return bool if isinstance(value, bool) else str if isinstance(value, str) else int
