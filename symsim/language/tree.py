"""The syntax tree: what a file says, every node with its place, nothing interpreted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from fractions import Fraction

from symsim.diagnostics import Place

# --- expressions -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Number:
    value: int | Fraction
    place: Place
    unit: str | None = None
    """Base unit, when the number was written with a unit: the value is already scaled."""


@dataclass(frozen=True, slots=True)
class Text:
    value: str
    place: Place


@dataclass(frozen=True, slots=True)
class Name:
    name: str
    place: Place


@dataclass(frozen=True, slots=True)
class Unary:
    operator: str
    operand: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Binary:
    operator: str
    left: Expression
    right: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Choose:
    """``then if condition else other``."""

    then: Expression
    condition: Expression
    other: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Apply:
    """A function of the language: ``min(a, b)``, ``divisors(layers)``, ``table("…")``."""

    function: str
    arguments: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SetOf:
    items: tuple[Expression, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Range:
    """``first..last``, both included."""

    first: int
    last: int
    place: Place


Expression = Number | Text | Name | Unary | Binary | Choose | Apply | SetOf | Range


# --- models: data flow -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter; ``is_tensor`` ones (written ``q[]``) are given tensors, the others values."""

    name: str
    default: Expression | None
    is_tensor: bool
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


# --- models: operators -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TensorShape:
    """``name[dimension, …]: element type``."""

    name: str
    shape: tuple[Expression, ...]
    element: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Output:
    """What an operator gives; a ``view`` shares the storage of one of its inputs."""

    tensor: TensorShape
    view: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Weight:
    """``traits``: the words behind it, such as ``expert`` or ``tied``."""

    tensor: TensorShape
    traits: frozenset[str]
    active: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class Local:
    """``tensor partial[rows, m]``: a tensor that exists while the operator runs."""

    tensor: TensorShape
    place: Place


@dataclass(frozen=True, slots=True)
class Buffer:
    """``buffer gathered[rows, n]``: kept from first use on, once for each distinct shape of a rank."""

    tensor: TensorShape
    place: Place


@dataclass(frozen=True, slots=True)
class Passes:
    """``passes y to x, branch``: the gradient of an output is that of these inputs, not a copy."""

    output: str
    inputs: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Holds:
    """``holds copies``: inputs that are not read and only stay alive, as a caller's variables do."""

    names: tuple[str, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Exchange:
    """``all = gather(x) over tp``: a communication whose transpose is known."""

    result: str
    kind: str
    operand: str
    axis: str
    place: Place


@dataclass(frozen=True, slots=True)
class Saves:
    items: tuple[TensorShape | Name, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Compute:
    """FLOPs of a class of kernels and the shape by which the machine rates them."""

    flops: Expression
    rate: str
    shape: tuple[Expression, ...]
    recomputing: Expression | None
    causal: Expression | None
    unmasked: Expression | None
    place: Place


@dataclass(frozen=True, slots=True)
class Traffic:
    amount: Expression
    rate: str
    place: Place


@dataclass(frozen=True, slots=True)
class Workspace:
    amount: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Message:
    collective: str
    amount: Expression
    axis: str
    place: Place


@dataclass(frozen=True, slots=True)
class Phase:
    name: str
    work: tuple[Node, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class State:
    """One value an optimizer keeps for every parameter, or ``count`` values for a whole weight."""

    name: str
    element: str
    count: Expression | None
    place: Place


Node = (
    Bind
    | Call
    | Repeat
    | Region
    | If
    | Let
    | Require
    | Weight
    | Local
    | Buffer
    | Passes
    | Holds
    | Exchange
    | Saves
    | Phase
    | Compute
    | Traffic
    | Workspace
    | Message
    | State
)


# --- items of a model file -------------------------------------------------------------------


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


@dataclass(frozen=True, slots=True)
class ProfileItem:
    """A software profile: the facts of a framework."""

    name: str
    title: str | None
    facts: tuple[Fact, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class DefineItem:
    """A named sub-expression of the formulas: ``define T = … "meaning"``."""

    name: str
    value: Expression
    meaning: str
    place: Place


Item = ModelItem | FamilyItem | BlockItem | OperatorItem | OptimizerItem | ProfileItem | DefineItem


# --- strategies and systems ------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Header:
    name: str
    title: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Assign:
    name: str
    value: Expression
    among: bool
    """``name in {…}``: a set of values to search."""
    place: Place


@dataclass(frozen=True, slots=True)
class Objective:
    goal: str
    value: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class StrategyFile:
    header: Header | None
    choices: tuple[Assign | Require | Objective, ...]


@dataclass(frozen=True, slots=True)
class FigureEntry:
    name: str
    value: Expression
    source: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Group:
    name: str
    entries: tuple[SystemEntry, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class SourceEntry:
    text: str
    place: Place


SystemEntry = FigureEntry | Group | SourceEntry


@dataclass(frozen=True, slots=True)
class SystemFile:
    header: Header
    entries: tuple[SystemEntry, ...] = field(default=())


def descendants(node: object) -> Iterator[object]:
    """A node and everything in it, in the order of the text."""
    yield node
    for inner in fields(node) if is_dataclass(node) else ():
        value = getattr(node, inner.name)
        for part in value if isinstance(value, tuple) else (value,):
            if is_dataclass(part) and not isinstance(part, Place):
                yield from descendants(part)
