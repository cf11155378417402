"""What a unit holds between the two halves of its backward pass, when the second one is delayed.

The weight gradient of a matrix multiplication needs its input and the gradient of its output. What
else was saved is free once the gradient of the unit's input is known. An operator without such kernels
(a norm, the table of an embedding) makes its weight gradient in the first half. A quantised one needs both as
quantised copies.

Source: Qi et al. 2023, "Zero Bubble Pipeline Parallelism", section 2: M_B and M_W.
"""

from __future__ import annotations

from sympy import Expr

from symsim.compiler.simplify import Terms, total
from symsim.records.graph import Tensor, Unit


def waiting(unit: Unit) -> Terms:
    """Bytes that one unit holds for one micro-batch until its weight gradients are made."""
    inputs: dict[Tensor, None] = {}
    gradients: dict[Tensor, None] = {}
    quantised: list[Expr] = []
    for operator in unit.operators:
        if not operator.work["weight_grad"].kernels:
            continue
        copy = next((t for t in operator.saves if t.element == "operand"), None)
        if copy is None:
            inputs |= dict.fromkeys(t for t in operator.saves if t in operator.inputs)
            gradients |= dict.fromkeys(_storage(t, unit) for t in operator.outputs)
        else:
            inputs[copy] = None
            quantised += [t.elements * copy.bytes / copy.elements for t in operator.outputs]
    return total([*(t.bytes for t in (*inputs, *gradients)), *quantised])


def _storage(tensor: Tensor, unit: Unit) -> Tensor:
    """The tensor whose gradient is the same numbers: a sum that alone reads it passes its gradient on.

    An operator that works in place passes the gradient of a tensor on to the same tensor.
    """
    visited: set[Tensor] = set()
    while tensor not in visited:
        visited.add(tensor)
        readers = [o for o in unit.operators if tensor in o.inputs]
        if len(readers) == 1:
            tensor = readers[0].passes.get(tensor, tensor)
    return tensor
