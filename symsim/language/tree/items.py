"""Nodes of the items of a model file or of the library."""

from __future__ import annotations

from dataclasses import dataclass

from symsim.diagnostics import Place
from symsim.language.tree.expressions import Calibrated, Expression
from symsim.language.tree.operators import Node, Output, TensorShape
from symsim.language.tree.statements import Body, Call, Let, NoteItem, Parameter


@dataclass(frozen=True, slots=True)
class ModelItem:
    name: str
    title: str | None
    call: Call
    place: Place


@dataclass(frozen=True, slots=True)
class FamilyItem:
    name: str
    parameters: tuple[Parameter, ...]
    title: str | None
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class BlockItem:
    """A block, or (``is_layer``) one layer of the pipeline. ``region`` wraps all of its body."""

    name: str
    parameters: tuple[Parameter, ...]
    takes_body: bool
    region: str | None
    discard: bool
    is_layer: bool
    body: Body
    place: Place


@dataclass(frozen=True, slots=True)
class OperatorItem:
    name: str
    inputs: tuple[TensorShape, ...]
    parameters: tuple[Parameter, ...]
    outputs: tuple[Output, ...]
    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class OptimizerItem:
    name: str
    title: str | None
    items: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that a framework does, and where that is to be seen."""

    name: str
    value: Expression
    source: str | None
    place: Place
    calibrated: Calibrated | None = None


@dataclass(frozen=True, slots=True)
class ProfileItem:
    """A software profile: the facts of a framework."""

    name: str
    title: str | None
    facts: tuple[Fact, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class DefaultsItem:
    """What a framework takes for choices that its own files leave out."""

    name: str
    facts: tuple[Fact, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class DefineItem:
    """A named sub-expression of the formulas: ``define T = … "meaning"``."""

    name: str
    value: Expression
    meaning: str
    place: Place


@dataclass(frozen=True, slots=True)
class WordsItem:
    """What a dimension that is a word may be: ``words norm { rms, layer }``."""

    name: str
    words: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class EfficiencyItem:
    """The form of a class of kernels' efficiency in the sizes of a call; other names are the machine's."""

    name: str
    sizes: tuple[str, ...]
    lets: tuple[Let, ...]
    value: Expression
    place: Place


Item = (
    ModelItem
    | NoteItem
    | FamilyItem
    | BlockItem
    | OperatorItem
    | OptimizerItem
    | ProfileItem
    | DefaultsItem
    | DefineItem
    | WordsItem
    | EfficiencyItem
)
