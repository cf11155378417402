"""What is alive while each operator runs: saved tensors, activations, gradients, workspace.

A tensor lives from the operator that makes it to the last one that reads it, and longer if it is
kept for the backward pass. A gradient lives from the first operator that contributes to it, going
backward, to the operator that made its tensor. Nothing is counted twice: tensors are told apart by
identity, a view is its storage, and a gradient that is passed on is one storage.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from sympy import Expr

from symsim.records.graph import WITHOUT_GRADIENT, Operator, Tensor, Unit

MomentPhase = Literal["forward", "recompute", "backward"]


@dataclass(frozen=True, slots=True)
class Moment:
    """What a unit holds while one operator runs: living tensors, and the operator's workspace."""

    operator: str
    phase: MomentPhase
    alive: tuple[Tensor, ...]
    workspace: Expr


@dataclass(frozen=True, slots=True)
class Group:
    """A run of operators that recomputation runs again.

    ``dropped`` are not kept after the forward pass, ``entering`` is kept for it; it runs again just
    before the backward pass of operator ``again``. From then on ``replaced`` tensors, which were kept, are gone.
    """

    first: int
    last: int
    discard: bool
    dropped: tuple[Tensor, ...]
    entering: tuple[Tensor, ...]
    again: int
    replaced: tuple[Tensor, ...] = ()


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """``made``: the operator that makes a tensor (absent: it enters the unit). ``need``: the first
    operator whose backward pass, or whose recomputation, asks for it. ``kept``: held until then. ``cached``: held from
    an operator on until the unit was recomputed, so that it need not be made again."""

    made: Mapping[Tensor, int]
    need: Mapping[Tensor, int]
    kept: tuple[Tensor, ...]
    groups: list[Group]
    cached: Mapping[Tensor, int] = field(default_factory=dict)


def moments_of(unit: Unit, lifetimes: Lifetimes) -> tuple[Moment, ...]:
    """Every moment of one micro-batch in one unit, in the order in which they come."""
    return _Walk(unit, lifetimes).moments()


class Rests:
    """What a unit holds between two of its operators: tensors, while another micro-batch runs."""

    def __init__(self, unit: Unit, lifetimes: Lifetimes) -> None:
        self._walk = _Walk(unit, lifetimes)

    def forward(self, after: int) -> tuple[Tensor, ...]:
        """When the forward pass of operator ``after`` is over; −1: before the first one."""
        held = [t for t in self._walk.life.kept if self._walk.life.need[t] <= after]
        return _distinct(held, self._walk.activations(0, after + 1))

    def backward(self, before: int) -> tuple[Tensor, ...]:
        """When the backward pass of operator ``before`` is the next one; −1: after all of them."""
        held = [t for t in self._walk.life.kept if self._walk.life.need[t] <= before]
        return _distinct(held, self._walk.remade(before), self._walk.alive_gradients(before))

    def late(self, operators: Iterable[int]) -> tuple[Tensor, ...]:
        """What operators that have run backward still need for weight gradients: inputs, and gradients of outputs."""
        out: dict[Tensor, None] = {}
        for operator in (self._walk.operators[k] for k in operators):
            if operator.work["weight_grad"].kernels:
                out |= dict.fromkeys(t for t in operator.saves if t in operator.inputs or t.element == "operand")
                out |= dict.fromkeys(self._walk.gradients[t] for t in operator.outputs if t in self._walk.gradients)
        return tuple(out)


class _Walk:
    def __init__(self, unit: Unit, lifetimes: Lifetimes) -> None:
        self.operators = unit.operators
        self.constants = unit.constants
        self.life = lifetimes
        self.last_read: dict[Tensor, int] = {}
        for index, operator in enumerate(unit.operators):
            for tensor in operator.inputs:
                self.last_read[tensor] = index
        if unit.output is not None:
            self.last_read[unit.output] = len(unit.operators)
        self.last_held = dict(self.last_read)
        for index, operator in enumerate(unit.operators):
            for tensor in operator.holds:
                self.last_held[tensor] = max(index, self.last_held.get(tensor, index))
        self.gradients = self._gradients()

    def moments(self) -> tuple[Moment, ...]:
        out: list[Moment] = []
        for index, operator in enumerate(self.operators):
            held = [t for t in self.life.kept if self.life.need[t] < index]
            held += [t for t, made in self.life.cached.items() if made < index]
            alive = _distinct(held, self.activations(0, index), self._fresh(operator))
            out.append(Moment(operator.name, "forward", alive, operator.work["forward"].workspace))
        for index in reversed(range(len(self.operators))):
            out += [m for group in self.life.groups if group.again == index for m in self._again(group)]
            if self.operators[index].has_backward:
                out.append(self._backward(index))
        return tuple(out)

    def _fresh(self, operator: Operator) -> list[Tensor]:
        """What an operator makes: its outputs, and what it saves of its own."""
        return [*operator.outputs, *(t for t in operator.saves if t not in operator.inputs)]

    def activations(self, first: int, index: int) -> list[Tensor]:
        """Made by an operator from ``first`` on (or entering) and still to be read or held at ``index``."""
        return [
            t
            for t, read in self.last_held.items()
            if read >= index
            and (first <= self.life.made.get(t, -1) < index or (first == 0 and t not in self.life.made))
        ]

    def remade(self, index: int) -> list[Tensor]:
        return [t for g in self.life.groups if index <= g.again for t in g.dropped if self.life.need[t] <= index]

    def _again(self, group: Group) -> list[Moment]:
        """The group's forward pass once more; the gradient that waits for it is alive."""
        held = [t for t in self.life.kept if self.life.need[t] <= group.again and t not in group.replaced]
        held += self.life.cached
        others = [t for t in self.remade(group.again) if t not in group.dropped]
        waiting = self.alive_gradients(group.again)
        out: list[Moment] = []
        for k in range(group.first, group.last + 1):
            operator = self.operators[k]
            so_far = [t for t in group.dropped if self.life.need[t] < k or self.life.made.get(t, -1) < k]
            alive = _distinct(held, others, waiting, so_far, self.activations(group.first, k), self._fresh(operator))
            out.append(Moment(operator.name, "recompute", alive, operator.work["forward"].workspace))
        return out

    def _backward(self, index: int) -> Moment:
        operator = self.operators[index]
        gone = [t for g in self.life.groups if index <= g.again for t in g.replaced]
        held = [t for t in self.life.kept if self.life.need[t] <= index and t not in gone]
        made = [self._contribution(t, index) for t in operator.inputs if self._flows_back(operator, t)]
        alive = _distinct(held, self.remade(index), self.alive_gradients(index), made)
        workspace = operator.work["input_grad"].workspace + operator.work["weight_grad"].workspace
        return Moment(operator.name, "backward", alive, workspace)

    def _flows_back(self, operator: Operator, tensor: Tensor) -> bool:
        return tensor not in operator.passes and tensor not in operator.outputs and self._has_gradient(tensor)

    def _has_gradient(self, tensor: Tensor) -> bool:
        return tensor.element not in WITHOUT_GRADIENT and tensor not in self.constants

    def _contribution(self, tensor: Tensor, index: int) -> Tensor:
        """The gradient's own storage at its first contribution, one more until it is added later."""
        first = self.last_read[tensor] == index
        return self.gradients[tensor] if first else _gradient(tensor)

    def alive_gradients(self, index: int) -> list[Tensor]:
        return [
            gradient
            for tensor, gradient in self.gradients.items()
            if self.last_read[tensor] > index >= self.life.made.get(tensor, -1)
        ]

    def _gradients(self) -> dict[Tensor, Tensor]:
        """The storage of each tensor's gradient, shared where an operator passes one on."""
        storage: dict[Tensor, Tensor] = {}
        for tensor, read in sorted(self.last_read.items(), key=lambda item: -item[1]):
            if not self._has_gradient(tensor):
                continue
            passed = self.operators[read].passes.get(tensor) if read < len(self.operators) else None
            storage[tensor] = storage[passed] if passed is not None and passed in storage else _gradient(tensor)
        return storage


def _gradient(tensor: Tensor) -> Tensor:
    return Tensor(f"d{tensor.name}", tensor.shape, tensor.element, tensor.elements, tensor.bytes)


def _distinct(*parts: Iterable[Tensor]) -> tuple[Tensor, ...]:
    return tuple(dict.fromkeys(t for part in parts for t in part))
