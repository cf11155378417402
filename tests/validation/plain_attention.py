"""Layers of plain torch operations: the variants of attention and feed-forward that the library's blocks describe.

A norm, a gated activation and a rotary turn are one kernel each, which keeps its input alone (a turn nothing);
everything else is what torch itself runs and keeps.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from tests.validation.plain_torch import DTYPE, CoreAttention


class _OneKernel(torch.autograd.Function):
    """``run`` of some tensors in one kernel, which keeps them and works out the rest again in the backward pass."""

    @staticmethod
    def forward(ctx: Any, run: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        ctx.run = run
        ctx.save_for_backward(*inputs)
        return run(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        inputs = [t.detach().requires_grad_() for t in ctx.saved_tensors]
        with torch.enable_grad():
            output = ctx.run(*inputs)
        return (None, *torch.autograd.grad(output, inputs, gradients))


def one_kernel(run: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    result: Tensor = _OneKernel.apply(run, *inputs)  # type: ignore[no-untyped-call]
    return result


class _Turn(torch.autograd.Function):
    """A rotary turn needs its angles alone, which are constants."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return torch.roll(x, 1, -1)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return torch.roll(gradients[0], -1, -1)


def turn(x: Tensor) -> Tensor:
    turned: Tensor = _Turn.apply(x)  # type: ignore[no-untyped-call]
    return turned


class _Choice(torch.autograd.Function):
    """Attention to chosen keys goes back the way of the choice."""

    @staticmethod
    def forward(ctx: Any, o: Tensor, chosen: Tensor) -> Tensor:
        ctx.save_for_backward(chosen)
        return o.clone()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        return gradients[0], None


def by_choice(o: Tensor, chosen: Tensor) -> Tensor:
    kept: Tensor = _Choice.apply(o, chosen)  # type: ignore[no-untyped-call]
    return kept


def _rms(x: Tensor, *gain: Tensor) -> Tensor:
    scaled = x * torch.rsqrt(x.float().pow(2).mean(-1, keepdim=True) + 1e-6).to(x.dtype)
    return scaled * gain[0] if gain else scaled


class Layer(nn.Module):
    """A layer as a function of itself and its input. Weights are made where they are first asked for, in order."""

    def __init__(self, build: Callable[[Layer, Tensor], Tensor], x: Tensor) -> None:
        super().__init__()
        self.build = build
        self.made = nn.ParameterList()
        self.masks: dict[tuple[int, ...], CoreAttention] = {}
        self.at = 0
        self(x)

    def forward(self, x: Tensor) -> Tensor:
        self.at = 0
        return self.build(self, x)

    def weight(self, *shape: int) -> Tensor:
        if self.at == len(self.made):
            self.made.append(nn.Parameter(torch.randn(shape, dtype=DTYPE) / 8))
        self.at += 1
        return self.made[self.at - 1]

    def linear(self, x: Tensor, outputs: int) -> Tensor:
        return functional.linear(x, self.weight(outputs, x.shape[-1]))

    def norm(self, x: Tensor, bare: bool = False) -> Tensor:
        return one_kernel(_rms, x) if bare else one_kernel(_rms, x, self.weight(x.shape[-1]))

    def core(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """softmax(q·kᵀ)·v of [batch, seq, heads, features]; queries that share keys are rows of one product."""
        b, s, heads, _ = q.shape
        kv_heads = k.shape[2]
        group = heads // kv_heads
        q = q.unflatten(2, (kv_heads, group)).permute(0, 2, 3, 1, 4).contiguous().view(b * kv_heads, group * s, -1)
        k, v = (t.transpose(1, 2).contiguous().view(b * kv_heads, s, -1) for t in (k, v))
        key = (s, group)
        if key not in self.masks:
            self.masks[key] = CoreAttention(s, group, k.shape[-1], False)
            self.register_buffer(f"mask_{len(self.masks)}", self.masks[key].causal, persistent=False)
        o: Tensor = self.masks[key](q, k, v)
        return o.view(b, heads, s, -1).transpose(1, 2).reshape(b, s, -1)

    def swiglu(self, x: Tensor, ffn: int) -> Tensor:
        def act(up: Tensor) -> Tensor:
            gate, value = up.chunk(2, -1)
            return functional.silu(gate) * value

        return self.linear(one_kernel(act, self.linear(x, 2 * ffn)), x.shape[-1])
