"""Passes that are not run twice for the same answer: what one asked of a structure decides whether it runs again.

Variants of one model differ in a few choices, and most passes ask for few. While a pass runs, it is written
down what it read of the structure and of the ledger, and what it defined. For another structure that
answers the same, its definitions are taken over as they are. So a thousand variants cost little more than
the passes that differ between them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import sympy

from symsim.compiler.ledger import Ledger, Read, free_names
from symsim.records.cost import Segment
from symsim.records.model import Model
from symsim.records.strategy import Structure, Value


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a pass: what it was given, which keeps that alive, what it asked and read, and what came of it."""

    given: tuple[Any, ...]
    asked: tuple[tuple[tuple[str, str], Any], ...]
    read: tuple[Read, ...]
    segment: Segment
    result: Any

    def holds_for(self, structure: Structure, ledger: Ledger) -> bool:
        """Whether the pass would do the same again."""
        return all(_answer(structure, *question) == answer for question, answer in self.asked) and all(
            ledger.answers(read) for read in self.read
        )


@dataclass(slots=True)
class Passes:
    """What passes did before, for compilations of one model."""

    _known: dict[tuple[Hashable, ...], list[_Run]] = field(default_factory=dict)

    def run(self, function: Callable[..., Any], structure: Structure, ledger: Ledger, given: tuple[Any, ...]) -> Any:
        """``function(structure, ledger, *given)``, or what it did when nothing that it reads was different.

        Raises:
            InputError: the pass refuses the structure; nothing of it is kept.
        """
        key = (function, *map(_identity, given))
        for earlier in self._known.get(key, ()):
            if earlier.holds_for(structure, ledger):
                ledger.take(earlier.segment)
                return earlier.result
        watched = _Watched(structure)
        with ledger.recording() as record:
            result = function(cast(Structure, watched), ledger, *given)
        segment = Segment(tuple(record.made), free_names(record.made))
        run = _Run(given, tuple(watched.asked.items()), tuple(record.read), segment, result)
        self._known.setdefault(key, []).append(run)
        ledger.segments.append(segment)
        return result


MODELS = 4
"""Models whose passes a process keeps: those that it was asked about last."""

_PASSES: dict[str, tuple[Model, Passes]] = {}


def passes_of(model: Model) -> tuple[Model, Passes]:
    """What passes of a model did before in this process, and the model as they know it."""
    own = model.own.text if model.own is not None else ""
    key = repr((model.name, model.family, sorted(model.dimensions.items()), own))
    known = _PASSES.pop(key, None) or (model, Passes())
    _PASSES[key] = known
    while len(_PASSES) > MODELS:
        del _PASSES[next(iter(_PASSES))]
    return known


def _identity(given: Any) -> Hashable:
    """Formulas and plain values are what they say; anything else is itself."""
    if isinstance(given, sympy.Basic | str | int | frozenset):
        return given
    if isinstance(given, tuple) and all(isinstance(part, str) for part in given):
        return given
    return (type(given), id(given))


def _answer(structure: Structure, kind: str, name: str) -> Any:
    match kind:
        case "word":
            return structure[name]
        case "number":
            return structure.get(name)
        case "symbol":
            return name in structure.symbols
    return getattr(structure, name)


class _Watched:
    """A structure that writes down what it was asked."""

    def __init__(self, structure: Structure) -> None:
        self._structure = structure
        self.asked: dict[tuple[str, str], Any] = {}

    def __getitem__(self, name: str) -> Value | None:
        return cast("Value | None", self._ask("word", name))

    def get(self, name: str) -> Value | None:
        return cast("Value | None", self._ask("number", name))

    @property
    def symbols(self) -> _WatchedSymbols:
        return _WatchedSymbols(self)

    @property
    def words(self) -> tuple[tuple[str, Value | None], ...]:
        return cast("tuple[tuple[str, Value | None], ...]", self._ask("whole", "words"))

    @property
    def fixed(self) -> tuple[tuple[str, Value], ...]:
        return cast("tuple[tuple[str, Value], ...]", self._ask("whole", "fixed"))

    def _ask(self, kind: str, name: str) -> Any:
        answer = self.asked[kind, name] = _answer(self._structure, kind, name)
        return answer


class _WatchedSymbols:
    """The sizes that are symbols, one question at a time."""

    def __init__(self, watched: _Watched) -> None:
        self._watched = watched

    def __contains__(self, name: str) -> bool:
        return bool(self._watched._ask("symbol", name))

    def __iter__(self) -> Iterator[str]:
        return iter(self._watched._ask("whole", "symbols"))
