"""Nodes of the data flow: what stands in the body of a family, a layer or a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from symsim.diagnostics import Place
from symsim.language.tree.expressions import Expression

if TYPE_CHECKING:
    from symsim.language.tree.operators import Node


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; ``bracketed`` ones (written ``q[]``) are given a tensor in a block, a value for each layer in a
    family; the others one value."""

    name: str
    default: Expression | None
    bracketed: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Argument:
    keyword: str | None
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Call:
    callee: str
    arguments: tuple[Argument, ...]
    body: Body | None
    place: Place


@dataclass(frozen=True, slots=True)
class Bind:
    """``a, b = call``: names for the tensors a call gives."""

    names: tuple[str, ...]
    call: Call
    place: Place


@dataclass(frozen=True, slots=True)
class Repeat:
    """Layers of the pipeline, ``count`` times the body (or, unrolled, copies in place)."""

    count: Expression
    body: Body
    unrolled: bool
    place: Place


@dataclass(frozen=True, slots=True)
class Region:
    name: str
    discard: bool
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class If:
    """Structural choice; ``then`` and ``other`` hold whatever stands where the ``if`` stands."""

    condition: Expression
    then: tuple[Node, ...]
    other: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Require:
    condition: Expression
    message: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Body:
    statements: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class NoteItem:
    """What an answer about the models or the strategy of a file has to say: what it leaves out or takes for granted."""

    text: str
    place: Place
