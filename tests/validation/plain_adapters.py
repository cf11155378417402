"""Plain torch decoders whose weights are partly frozen, and low-rank adapters beside their linear layers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from tests.validation.plain_torch import DTYPE, Decoder, linear

SCALE = 2.0


class Adapted(nn.Module):
    """A linear layer, and beside it B(A(x)·scale)."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.a, self.b = linear(base.in_features, rank, False), linear(rank, base.out_features, False)

    def forward(self, x: Tensor) -> Tensor:
        return self.base(x) + self.b(self.a(x) * SCALE)


def freeze(decoder: Decoder, trained: Callable[[str], bool]) -> None:
    """Leave a gradient to the parameters whose path is trained."""
    for name, parameter in decoder.named_parameters():
        parameter.requires_grad_(trained(name))


def adapt(decoder: Decoder, rank: int, targets: Callable[[str], bool]) -> None:
    """Put an adapter beside each linear layer of the blocks whose path is a target."""
    for path, module in list(decoder.named_modules()):
        if isinstance(module, nn.Linear) and path.startswith("blocks.") and targets(path):
            parent, _, own = path.rpartition(".")
            setattr(decoder.get_submodule(parent), own, Adapted(module, rank))


def trained_flops(decoder: Decoder, ids: Tensor, labels: Tensor) -> int:
    """FLOPs of a forward and a backward pass, as torch counts them."""
    with FlopCounterMode(display=False) as counter:
        decoder(ids, labels).sum().backward()
    return int(counter.get_total_flops())


def random_tokens(vocab: int, batch: int, seq: int) -> tuple[Tensor, Tensor]:
    assert DTYPE.is_floating_point
    ids, labels = (torch.randint(0, vocab, (batch, seq)) for _ in range(2))
    return ids, labels
