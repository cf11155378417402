"""One fuzzed input: a command line with its files, or a call of the Python interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any


@dataclass(frozen=True)
class Call:
    """``symsim.FUNCTION(*arguments, **keywords)``; a plan among the arguments is a :class:`PlanOf`."""

    function: str
    arguments: tuple[Any, ...] = ()
    keywords: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class PlanOf:
    """Stands for ``symsim.load(*arguments)``."""

    arguments: tuple[Any, ...]


@dataclass(frozen=True)
class Input:
    """What is tried.

    Attributes:
        surface: where the hostile part of it is.
        arguments: of ``symsim``; files are named by their path in the folder in which it runs.
        files: path → content, written before it runs.
        call: made in place of the command line.
        cached: entries of the cache by key: the content behind the seal, which is computed.
        plan: model, strategy, machine and settings whose compiled code is compared when the input is accepted.
        quantities: expressions that are evaluated about the plan, as numbers and as arrays.
    """

    surface: str
    arguments: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    call: Call | None = None
    cached: Mapping[str, bytes] = field(default_factory=dict)
    plan: tuple[str, str | None, str | None, tuple[str, ...]] | None = None
    quantities: tuple[str, ...] = ()

    def __str__(self) -> str:
        lines = []
        if self.call is not None:
            lines.append(f"symsim.{self.call.function}(*{self.call.arguments!r}, **{dict(self.call.keywords)!r})")
        elif self.quantities:
            lines += [f"expression {text!r} about {self.plan}" for text in self.quantities]
        else:
            lines.append(f"symsim {' '.join(map(repr, self.arguments))}")
        lines += [f"--- {name}\n{content!r}" for name, content in self.files.items()]
        lines += [f"--- cache entry {key}\n{content[:2000]!r}" for key, content in self.cached.items()]
        return "\n".join(lines)


Surface = Callable[[Random], Input]
"""Draws one input."""
