"""State-space, linear-attention, convolution and recurrent layers of plain torch modules.

A fused kernel is a function of autograd that keeps what the kernel keeps. What is around it (projections, copies,
gates, loops) is torch's own. Tensors are [batch, seq, features].
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from tests.validation.plain_torch import DTYPE, linear

F32 = torch.float32


class _Kernel(torch.autograd.Function):
    """Keeps the first ``kept`` inputs and new tensors of its own; its result has the values of nothing."""

    @staticmethod
    def forward(ctx, shape, kept, made, keeps_result, *inputs):  # type: ignore[no-untyped-def]
        result = torch.zeros(shape, dtype=DTYPE)
        own = [torch.zeros(size, dtype=dtype) for size, dtype in made]
        ctx.save_for_backward(*inputs[:kept], *own, *((result,) if keeps_result else ()))
        return result

    @staticmethod
    def backward(ctx, *gradients):  # type: ignore[no-untyped-def]
        raise NotImplementedError


def kernel(shape: Sequence[int], keeps: Sequence[Tensor], makes: Sequence[tuple[Sequence[int], torch.dtype]] = (),
           reads: Sequence[Tensor] = (), keeps_result: bool = False) -> Tensor:  # fmt: skip
    """What a fused kernel gives, of this ``shape``. ``reads``: inputs that it does not keep."""
    result: Tensor = _Kernel.apply(shape, len(keeps), makes, keeps_result, *keeps, *reads)  # type: ignore[no-untyped-call]
    return result


def norm(x: Tensor, rows: int) -> Tensor:
    """One kernel: the input and a scale of each of ``rows`` norms of a token."""
    return kernel(x.shape, [x], [((*x.shape[:2], rows), F32)])


def gated_norm(x: Tensor, gate: Tensor, rows: int) -> Tensor:
    return kernel(x.shape, [x, gate], [((*x.shape[:2], rows), F32)])


def convolved(x: Tensor, batch: int, seq: int) -> Tensor:
    """causal_conv1d_fn: SiLU is made again."""
    return kernel((batch, seq, x.shape[-1]), [x])


class Mamba2(nn.Module):
    """``fused``: norm and output projection are in the kernel of the scan, which makes the projection's input again."""

    def __init__(
        self, hidden: int, heads: int, head_dim: int, state: int, groups: int, fused: bool, normed: bool
    ) -> None:
        super().__init__()
        self.inner, self.groups, self.fused, self.normed = heads * head_dim, groups, fused, normed
        self.in_proj = linear(hidden, 2 * self.inner + 2 * groups * state + heads, False)
        self.out_proj = linear(self.inner, hidden, False)

    def forward(self, x: Tensor) -> Tensor:
        b, s, _ = x.shape
        projected = self.in_proj(x)
        scanned = ((b, s, self.inner), DTYPE)
        if self.fused:
            scale = [((b, s, self.groups), F32)] if self.normed else []
            return kernel(x.shape, [projected, self.out_proj.weight], [scanned, *scale])
        y = kernel((b, s, self.inner), [projected], [scanned])
        return self.out_proj(norm(y, self.groups) if self.normed else y)


class Mamba1(nn.Module):
    """mamba_inner_fn, or where ``normed``: convolution, projections, norms and scan one by one."""

    def __init__(self, hidden: int, inner: int, state: int, rank: int, normed: bool) -> None:
        super().__init__()
        self.inner, self.state, self.rank, self.normed = inner, state, rank, normed
        self.in_proj, self.out_proj = linear(hidden, 2 * inner, False), linear(inner, hidden, False)
        self.x_proj, self.dt_proj = linear(inner, rank + 2 * state, False), linear(rank, inner, False)

    def forward(self, x: Tensor) -> Tensor:
        b, s, _ = x.shape
        xz = self.in_proj(x)
        states = ((b, self.inner, -(-s // 2048), 2 * self.state), F32)
        scanned = ((b, self.inner, s), DTYPE)
        if not self.normed:
            part = ((b, 1, self.state, s), DTYPE)
            shared = ((b * s, self.rank + 2 * self.state), DTYPE)
            return kernel(x.shape, [xz, self.out_proj.weight], [shared, part, part, scanned, states])
        u, z = xz.chunk(2, -1)
        mixed = convolved(u, b, s)
        dt, *of_state = self.x_proj(mixed).split([self.rank, self.state, self.state], -1)
        dt, *of_state = (kernel(t.shape, [t]) for t in (dt, *of_state))
        steps = self.dt_proj.weight @ dt.transpose(1, 2)
        kept = [t.transpose(1, 2).contiguous() for t in (mixed, z, *of_state)]
        y = kernel((b, self.inner, s), [steps, *kept], [scanned, states])
        return self.out_proj(y.transpose(1, 2))


class GatedDelta(nn.Module):
    """``fused``: as flash-linear-attention's and Hugging Face's layers; else as Megatron-Core's."""

    def __init__(
        self, hidden: int, key_heads: int, value_heads: int, key_dim: int, value_dim: int, fused: bool
    ) -> None:
        super().__init__()
        self.heads, self.dims, self.fused = (key_heads, value_heads), (key_dim, value_dim), fused
        self.widths = (key_heads * key_dim, key_heads * key_dim, value_heads * value_dim)
        self.qkvz = linear(hidden, sum(self.widths) + value_heads * value_dim, False)
        self.ba = linear(hidden, 2 * value_heads, False)
        self.output = linear(value_heads * value_dim, hidden, False)
        self.decay, self.step_bias = (nn.Parameter(torch.zeros(value_heads)) for _ in range(2))

    def forward(self, x: Tensor) -> Tensor:
        b, s, _ = x.shape
        key_heads, value_heads = self.heads
        qkvz = self.qkvz(x)
        qkv, z = qkvz.split([sum(self.widths), self.widths[2]], -1)
        z = z.contiguous()
        beta, alpha = self.ba(x).chunk(2, -1)
        q, k, v = convolved(qkv.contiguous(), b, s).split(self.widths, -1)
        v = v.contiguous()
        scales = [((b, s, key_heads), F32)]
        q, k = (kernel((b, s, key_heads, self.dims[0]), [], scales, [t], keeps_result=True) for t in (q, k))
        if not self.fused and key_heads < value_heads:
            q, k = (t.repeat_interleave(value_heads // key_heads, dim=2) for t in (q, k))
        g = -self.decay.exp() * nn.functional.softplus(alpha.float() + self.step_bias)
        made = [((b, s, value_heads), F32), ((b, s, value_heads, 64), DTYPE)]
        o = kernel((b, s, self.widths[2]), [q, k, v, torch.sigmoid(beta)], made, [g])
        if self.fused:
            return self.output(gated_norm(o, z, value_heads))
        return self.output(kernel(z.shape, [norm(o, value_heads), z]))

    @property
    def beyond(self) -> int:
        """The exponential of the decays, and the same negated."""
        return 2 * 4 * self.heads[1]


class KimiDelta(nn.Module):
    """As flash-linear-attention's layer: gates and step sizes are made in the kernel."""

    def __init__(self, hidden: int, heads: int, dim: int, rank: int) -> None:
        super().__init__()
        self.heads, self.dim, width = heads, dim, heads * dim
        self.qkv = nn.ModuleList(linear(hidden, width, False) for _ in range(3))
        self.beta, self.output = linear(hidden, heads, False), linear(width, hidden, False)
        self.gates = nn.ModuleList(
            nn.Sequential(linear(hidden, rank, False), linear(rank, width, False))
            if rank
            else linear(hidden, width, False)
            for _ in range(2)
        )

    def forward(self, x: Tensor) -> Tensor:
        b, s, _ = x.shape
        q, k, v = (convolved(project(x), b, s) for project in self.qkv)
        decay, gate = (project(x) for project in self.gates)
        scale, triangle = ((b, s, self.heads), F32), ((b, s, self.heads, 64), DTYPE)
        q, k = (kernel(t.shape, [], [scale], [t], keeps_result=True) for t in (q, k))
        step = ((b, s, self.heads), DTYPE)
        o = kernel(v.shape, [q, k, v, decay, self.beta(x)], [step, triangle, triangle])
        return self.output(gated_norm(o, gate, self.heads))


class Lightning(nn.Module):
    def __init__(self, hidden: int, heads: int, dim: int) -> None:
        super().__init__()
        width = heads * dim
        self.qkv, self.gate = linear(hidden, 3 * width, False), linear(hidden, width, False)
        self.output = linear(width, hidden, False)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (t.contiguous() for t in nn.functional.silu(self.qkv(x)).chunk(3, -1))
        o = kernel(v.shape, [q, k, v])
        normed = kernel(o.shape, [o])
        return self.output(torch.sigmoid(self.gate(x)) * normed)


class MatrixMemory(nn.Module):
    def __init__(self, hidden: int, heads: int, qk_dim: int, value_dim: int) -> None:
        super().__init__()
        self.heads, self.widths = heads, (heads * qk_dim, heads * qk_dim, heads * value_dim)
        self.qkv = nn.ModuleList(linear(hidden, width, False) for width in self.widths)
        self.gates = nn.ModuleList(linear(hidden, heads, True) for _ in range(2))
        self.opening, self.output = linear(hidden, self.widths[2], False), linear(self.widths[2], hidden, False)

    def forward(self, x: Tensor) -> Tensor:
        b, s, _ = x.shape
        kept = [project(x) for project in (*self.qkv, *self.gates)]
        h = kernel((b, s, self.widths[2]), kept, 2 * [((b, s, self.heads), F32)], keeps_result=True)
        return self.output(torch.sigmoid(self.opening(x)) * norm(h, self.heads))


class ShortConv(nn.Module):
    """torch's own convolution, whose padding makes ``taps - 1`` more tokens of a sequence."""

    def __init__(self, hidden: int, taps: int, batch: int) -> None:
        super().__init__()
        self.in_proj, self.out_proj = linear(hidden, 3 * hidden, False), linear(hidden, hidden, False)
        self.conv = nn.Conv1d(hidden, hidden, taps, groups=hidden, bias=False, padding=taps - 1, dtype=DTYPE)
        self.beyond = 2 * batch * hidden * (taps - 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, v = self.in_proj(x).chunk(3, -1)
        mixed = self.conv((b * v).transpose(1, 2))[..., : x.shape[1]].transpose(1, 2)
        return self.out_proj((c * mixed).contiguous())


class Recurrent(nn.Module):
    """RG-LRU by torch's own kernels, with a loop over the sequence in fp32."""

    def __init__(self, hidden: int, width: int, heads: int) -> None:
        super().__init__()
        self.heads, self.width = heads, width
        self.y, self.x, self.output = (
            linear(hidden, width, True),
            linear(hidden, width, True),
            linear(width, hidden, True),
        )
        block = (heads, width // heads, width // heads)
        self.gates = nn.ParameterList(nn.Parameter(torch.zeros(block, dtype=DTYPE)) for _ in range(2))
        self.biases = nn.ParameterList(nn.Parameter(torch.zeros(block[:2], dtype=DTYPE)) for _ in range(2))
        self.decay = nn.Parameter(torch.zeros(width, dtype=DTYPE))

    def forward(self, x: Tensor) -> Tensor:
        b, s, _ = x.shape
        opened = nn.functional.gelu(self.y(x))
        u = kernel((b, s, self.width), [self.x(x)])
        by_head = u.reshape(b * s, self.heads, -1).permute(1, 0, 2)
        gate, recurrence = (
            torch.sigmoid(torch.baddbmm(bias[:, None], by_head, w).transpose(0, 1).reshape(b, s, -1))
            for w, bias in zip(self.gates, self.biases, strict=True)
        )
        log_a = -8.0 * recurrence * nn.functional.softplus(self.decay)
        a, rest = torch.exp(log_a), 1 - torch.exp(2 * log_a)
        entering = u * gate * kernel(rest.shape, [rest])
        h = torch.zeros(b, self.width, requires_grad=True)  # so that every step keeps the same
        steps = []
        for t in range(s):
            h = a[:, t].float() * h + entering[:, t].float()
            steps.append(h.to(DTYPE))
        return self.output(torch.stack(steps, 1) * opened)

    @property
    def beyond(self) -> int:
        """softplus of the decays."""
        return 2 * self.width


class RwkvAttention(nn.Module):
    def __init__(self, hidden: int, width: int) -> None:
        super().__init__()
        self.shares = nn.ParameterList(nn.Parameter(torch.zeros(hidden, dtype=DTYPE)) for _ in range(3))
        self.into = nn.ModuleList(linear(hidden, width, False) for _ in range(3))
        self.output = linear(width, hidden, False)

    def forward(self, x: Tensor) -> Tensor:
        key, value, gate = (project(mixed) for project, mixed in zip(self.into, mixes(x, self.shares), strict=True))
        mean = kernel(value.shape, [key, value], keeps_result=True)
        return self.output(torch.sigmoid(gate) * mean)

    @property
    def beyond(self) -> int:
        """What is left of each share."""
        return sum(2 * share.numel() for share in self.shares)


class RwkvMlp(nn.Module):
    def __init__(self, hidden: int, ffn: int) -> None:
        super().__init__()
        self.shares = nn.ParameterList(nn.Parameter(torch.zeros(hidden, dtype=DTYPE)) for _ in range(2))
        self.up, self.down, self.gate = (
            linear(hidden, ffn, False),
            linear(ffn, hidden, False),
            linear(hidden, hidden, False),
        )

    def forward(self, x: Tensor) -> Tensor:
        for_key, for_gate = mixes(x, self.shares)
        down = self.down(torch.square(torch.relu(self.up(for_key))))
        return torch.sigmoid(self.gate(for_gate)) * down

    @property
    def beyond(self) -> int:
        return sum(2 * share.numel() for share in self.shares)


def mixes(x: Tensor, shares: nn.ParameterList) -> list[Tensor]:
    last = nn.functional.pad(x, (0, 0, 1, -1))
    return [x * share + last * (1 - share) for share in shares]
