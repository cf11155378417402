"""Selective checkpointing by operators: of a layer that is recomputed whole, the outputs that are kept all the same.

Kept are what attention kernels give, what reduce-scatters give, and of matrix products the first, the third, the fifth
of a layer and so on, counted as they are held apart (queries, keys and values are three products). What is kept is
there until the layer was recomputed; a product that is not kept, and everything that is no product, runs again. Of a
layer that is compiled, outputs that the backward pass has no use for are not kept (the last product's of a layer).

Source: pytorch/torchtitan 0.2.2, torchtitan/distributed/activation_checkpoint.py (mode selective, option op) and
models/llama3/infra/parallelize.py (the list of operators); torch, utils/checkpoint.py (selective checkpoint contexts)
and functorch/partitioners.py (what a compiled graph saves).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import sympy
from sympy import Expr, Integer

from symsim.functions import less
from symsim.records.graph import Kernel, Operator, Tensor, Work
from symsim.symbols import symbol

PER_OPERATOR = "per_op_sac"
"""How a strategy calls it."""

REDUCED = "reduce_scatter"


@dataclass(frozen=True, slots=True)
class KeptOutputs:
    """``cached``: what is kept, and the operator that makes it; ``saved`` of it are what operators save anyway.
    ``shares``: the part of an operator's forward pass that need not run again."""

    cached: Mapping[Tensor, int]
    saved: frozenset[Tensor]
    shares: Mapping[Operator, Expr]

    def again(self, operator: Operator) -> Operator | None:
        """What of an operator runs again; its reduce-scatters do not."""
        left = 1 - self.shares.get(operator, Integer(0))
        work = operator.work["forward"]
        messages = tuple(m for m in work.messages if m.collective != REDUCED)
        if left == 0:
            return None
        if left == 1 and messages == work.messages:
            return operator
        kernels = tuple(_part(kernel, left) for kernel in work.kernels)
        traffic = {rate: left * amount for rate, amount in work.traffic.items()}
        forward = Work(kernels, traffic, messages, work.workspace, left * work.counted)
        return replace(operator, name=f"{operator.name}.again", work={**operator.work, "forward": forward})


def kept_by_operator(operators: tuple[Operator, ...]) -> KeptOutputs:
    """What the policy keeps of a layer."""
    cached: dict[Tensor, int] = {}
    saved: set[Tensor] = set()
    shares: dict[Operator, Expr] = {}
    products = 0
    for index, operator in enumerate(operators):
        work = operator.work["forward"]
        rates = {kernel.rate for kernel in work.kernels}
        if "attention" in rates:
            shares[operator] = Integer(1)
            own = {*operator.outputs, *(t for t in operator.saves if t not in operator.inputs)}
            cached |= dict.fromkeys(own, index)
            saved |= own
        elif "matmul" in rates:
            parts = operator.apart or (Integer(1),)
            kept = sympy.Add(*(part for k, part in enumerate(parts, products + 1) if k % 2 == 1))
            products += len(parts)
            shares[operator] = kept
            cached |= dict.fromkeys(_outputs(operator, work, kept), index)
    return KeptOutputs(cached, frozenset(saved), shares)


def _outputs(operator: Operator, work: Work, kept: Expr) -> list[Tensor]:
    """The kept part of a product, before and after its sum over ranks."""
    given = operator.outputs[0]
    reduced = [m for m in work.messages if m.collective == REDUCED]
    out: list[Tensor] = []
    if kept != 0:
        size = reduced[0].bytes if reduced else given.bytes
        name = f"{operator.name}.kept"
        out.append(given if kept == 1 and not reduced else Tensor(name, (), given.element, kept * size, kept * size))
    if reduced:
        several = less(1, symbol("tp"))
        out.append(Tensor(f"{operator.name}.sum", (), given.element, several * given.bytes, several * given.bytes))
    return out


def _part(kernel: Kernel, share: Expr) -> Kernel:
    """A kernel for a part of its columns, which are the last of its sizes."""
    shape = (*kernel.shape[:-1], share * kernel.shape[-1])
    amounts = {n: share * getattr(kernel, n) for n in ("flops", "recomputed", "causal", "unmasked")}
    return replace(kernel, shape=shape, **amounts)
