"""Nodes of what an operator or an optimizer states."""

from __future__ import annotations

from dataclasses import dataclass

from symsim.diagnostics import Place
from symsim.language.tree.expressions import Expression, Name
from symsim.language.tree.statements import Bind, Call, If, Let, Region, Repeat, Require


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
class Apart:
    """``apart a, b``: the columns of the products that one GEMM does; 0 for none."""

    columns: tuple[Expression, ...]
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
class Counted:
    """FLOPs of a phase by Megatron's own count."""

    amount: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Workspace:
    amount: Expression
    place: Place


@dataclass(frozen=True, slots=True)
class Message:
    """``copies``: places that want one token, of which those on one island are served by one message."""

    collective: str
    amount: Expression
    axis: str
    copies: Expression | None
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
    | Apart
    | Exchange
    | Saves
    | Phase
    | Compute
    | Traffic
    | Counted
    | Workspace
    | Message
    | State
)
