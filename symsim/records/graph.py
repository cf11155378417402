"""The graph of a model: operators in the order they run, once per kind of layer.

Shapes and amounts are sympy expressions (or plain numbers) over the sizes of a strategy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from sympy import Expr

PhaseName = Literal["forward", "input_grad", "weight_grad"]
PHASES: tuple[PhaseName, ...] = ("forward", "input_grad", "weight_grad")

WITHOUT_GRADIENT = frozenset({"int64", "int32", "bool", "byte"})
"""Element types of tensors that have no gradient."""


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One tensor of one rank. Identity is equality: a tensor saved twice is held once."""

    name: str
    shape: tuple[Expr, ...]
    element: str
    elements: Expr
    bytes: Expr


@dataclass(frozen=True, slots=True)
class Weight:
    """A parameter as one rank holds it.

    ``shape`` and ``elements`` are local; an ``expert`` weight is reduced over edp instead of dp·cp,
    and its first dimension counts experts; a ``tied`` one shares the embedding's storage where both
    are on one rank; an ``embedding`` is one of the vocabulary or of positions, or the head's; a
    ``quantised`` one is an operand of GEMMs in the strategy's precision; ``active`` is the share
    that one token uses. One that is not ``trained`` has no gradient; an ``added`` one is no part of the model as
    published.
    """

    name: str
    shape: tuple[Expr, ...]
    elements: Expr
    expert: bool
    tied: bool
    embedding: bool
    quantised: bool
    active: Expr
    trained: bool = True
    added: bool = False


@dataclass(frozen=True, slots=True)
class Kernel:
    """FLOPs that the machine rates by ``rate`` and ``shape``.

    ``recomputed`` of them repeat forward work inside the kernel (flash attention's backward);
    Of the FLOPs that are not recomputed, ``causal`` is what masks leave, and ``unmasked`` what there
    would be without any mask or window: the convention of model FLOPs with full attention.
    """

    flops: Expr
    rate: str
    shape: tuple[Expr, ...]
    recomputed: Expr
    causal: Expr
    unmasked: Expr


@dataclass(frozen=True, slots=True)
class Message:
    """A collective over an axis; ``bytes`` is the full (gathered) buffer of one rank's group.

    ``copies``: of an all-to-all that sends a token once to each rank, and over the network once to each island,
    in how many places the token is wanted.
    """

    collective: str
    bytes: Expr
    axis: str
    copies: Expr | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """What an operator does in one phase of one micro-batch on one rank.

    ``workspace`` is what it allocates besides its inputs, its outputs and their gradients. ``counted`` are its
    FLOPs by Megatron's own count of a model.
    """

    kernels: tuple[Kernel, ...]
    traffic: Mapping[str, Expr]
    messages: tuple[Message, ...]
    workspace: Expr
    counted: Expr


@dataclass(frozen=True, slots=True)
class Region:
    """One instance of a named region; ``discard``: its outputs are dropped and made again too."""

    number: int
    name: str
    discard: bool


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """A node of the graph.

    ``buffers`` stay allocated from first use on, shared by name and shape. ``passes`` maps an input
    to the output whose gradient it shares. ``holds`` are tensors that are not read here and stay
    alive until the forward pass of the operator is over, as variables of the code around it do. An operator that no
    gradient leads through has no backward pass (``has_backward``). ``apart``: of a product that is several in code that
    holds its columns apart, the share of each.
    """

    name: str
    kind: str
    regions: tuple[Region, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    saves: tuple[Tensor, ...]
    buffers: tuple[Tensor, ...]
    weights: tuple[Weight, ...]
    passes: Mapping[Tensor, Tensor]
    holds: tuple[Tensor, ...]
    work: Mapping[PhaseName, Work]
    has_backward: bool = True
    apart: tuple[Expr, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Unit:
    """Operators that stay together on a stage: a layer, or what stands before or after all layers.

    ``input`` is the residual stream as it enters (``None`` for what begins the model), ``output`` as
    it leaves (``None`` for what ends it). ``constants`` are tensors without a gradient: nothing that is trained
    leads to them.
    """

    name: str
    operators: tuple[Operator, ...]
    input: Tensor | None
    output: Tensor | None
    constants: frozenset[Tensor] = frozenset()

    @property
    def has_backward(self) -> bool:
        return any(o.has_backward for o in self.operators)


@dataclass(frozen=True, slots=True)
class Slot:
    """Where layers of one kind lie: positions ``start + residue + period·j`` for j < repeats."""

    unit: Unit
    start: Expr
    period: int
    residue: int
    repeats: Expr


@dataclass(frozen=True, slots=True)
class AfterLayers:
    """What comes after all layers: the head, and what multi-token prediction has apart from it.

    ``final`` lies with the last layer, ``multi_token`` where a layout says; both are absent where a family predicts
    one token.
    """

    head: Unit
    final: Unit | None = None
    multi_token: Unit | None = None

    @property
    def units(self) -> tuple[Unit, ...]:
        """In the order in which a micro-batch passes them."""
        return tuple(u for u in (self.final, self.multi_token, self.head) if u is not None)


@dataclass(frozen=True, slots=True)
class Graph:
    """``layers`` is the total count; ``regions`` are the names that a strategy may recompute.

    ``layers_of_head`` are layers that come after all others: those of multi-token prediction.
    """

    prologue: Unit
    slots: tuple[Slot, ...]
    after: AfterLayers
    layers: Expr
    regions: frozenset[str]
    layers_of_head: int = 0
