"""Decoder blocks of plain torch modules, and the bytes that autograd keeps of them.

One kernel for one rule of the library's unfused operators: scores, softmax and dropout are written to
memory, and nothing is fused. Dropout is ``torch.native_dropout``, which is what ``nn.Dropout`` runs on
a GPU: it keeps a mask of bools, where the CPU's own keeps the scaled noise.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.checkpoint import checkpoint

DTYPE = torch.bfloat16
RATE = 0.1


def saved_bytes(run: Callable[[], Tensor], module: nn.Module) -> int:
    """Bytes of the storages that autograd keeps, each once; parameters and constant tables are not among them."""
    own = {t.untyped_storage().data_ptr() for t in (*module.parameters(), *module.buffers())}
    kept: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept.setdefault(tensor.untyped_storage().data_ptr(), tensor)
        return tensor

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        output = run()
    assert output.requires_grad
    return sum(t.untyped_storage().nbytes() for at, t in kept.items() if at not in own)


class Dropout(nn.Module):
    def __init__(self, on: bool) -> None:
        super().__init__()
        self.on = on

    def forward(self, x: Tensor) -> Tensor:
        return torch.native_dropout(x, RATE, True)[0] if self.on else x


def again(chosen: bool, module: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Runs a part, and makes it again in the backward pass if it is chosen for that."""
    return checkpoint(module, *inputs, use_reentrant=True) if chosen else module(*inputs)


def linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
    return nn.Linear(inputs, outputs, bias, dtype=DTYPE)


class RMSNorm(nn.Module):
    """As models in plain torch write it: scaled in fp32, multiplied by the gain in the input's precision."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.ones(hidden, dtype=DTYPE))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        scaled = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + 1e-6)
        return self.gain * scaled.to(DTYPE)


def normalization(family: str, hidden: int) -> nn.Module:
    return nn.LayerNorm(hidden, dtype=DTYPE) if family == "gpt" else RMSNorm(hidden)


class CoreAttention(nn.Module):
    """softmax(q·kᵀ)·v; the queries that share a head of keys and values are rows of one product."""

    def __init__(self, seq: int, group: int, head_dim: int, dropout: bool) -> None:
        super().__init__()
        self.scale = head_dim**-0.5
        self.dropout = Dropout(dropout)
        causal = torch.full((seq, seq), float("-inf"), dtype=DTYPE).triu(1)
        self.register_buffer("causal", causal.repeat(group, 1)[None])

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        scores = torch.baddbmm(self.causal, q, k.transpose(1, 2), alpha=self.scale)
        return torch.bmm(self.dropout(torch.softmax(scores, -1)), v)


class Rotary(nn.Module):
    def __init__(self, seq: int, head_dim: int) -> None:
        super().__init__()
        angles = torch.outer(torch.arange(seq), 1e4 ** -(torch.arange(0, head_dim, 2) / head_dim)).repeat(1, 2)
        self.register_buffer("cos", angles.cos().to(DTYPE)[:, None])
        self.register_buffer("sin", angles.sin().to(DTYPE)[:, None])

    def forward(self, x: Tensor) -> Tensor:
        """``x`` is [batch, seq, heads, head_dim]."""
        first, second = x.chunk(2, -1)
        return x * self.cos + torch.cat((-second, first), -1) * self.sin


class Attention(nn.Module):
    def __init__(self, hidden: int, heads: int, kv_heads: int, seq: int, bias: bool, rotary: bool, dropout: bool,
                 core_again: bool) -> None:  # fmt: skip
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = heads, kv_heads, hidden // heads
        self.qkv = linear(hidden, (heads + 2 * kv_heads) * self.head_dim, bias)
        self.turn = Rotary(seq, self.head_dim) if rotary else nn.Identity()
        self.core = CoreAttention(seq, heads // kv_heads, self.head_dim, dropout)
        self.output = linear(hidden, hidden, bias)
        self.core_again = core_again

    def forward(self, x: Tensor) -> Tensor:
        b, s, _ = x.shape
        groups = self.heads // self.kv_heads
        q, k, v = self.qkv(x).unflatten(-1, (-1, self.head_dim)).split((self.heads, *2 * (self.kv_heads,)), 2)
        q, k = self.turn(q), self.turn(k)
        q = q.unflatten(2, (self.kv_heads, groups)).permute(0, 2, 3, 1, 4).contiguous()
        q = q.view(-1, groups * s, self.head_dim)
        k, v = (t.transpose(1, 2).contiguous().view(-1, s, self.head_dim) for t in (k, v))
        o = again(self.core_again, self.core, q, k, v)
        o = o.view(b, self.heads, s, self.head_dim).transpose(1, 2).reshape(b, s, -1)
        return self.output(o)


class GeluMlp(nn.Sequential):
    def __init__(self, hidden: int, ffn: int) -> None:
        super().__init__(linear(hidden, ffn, True), nn.GELU(), linear(ffn, hidden, True))


class SwigluMlp(nn.Module):
    def __init__(self, hidden: int, ffn: int) -> None:
        super().__init__()
        self.up, self.down = linear(hidden, 2 * ffn, False), linear(ffn, hidden, False)

    def forward(self, x: Tensor) -> Tensor:
        gate, up = self.up(x).chunk(2, -1)
        return self.down(nn.functional.silu(gate) * up)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)): of GPT, or of Llama."""

    def __init__(self, family: str, hidden: int, heads: int, kv_heads: int, ffn: int, seq: int, dropout: bool,
                 recompute: str) -> None:  # fmt: skip
        super().__init__()
        gpt = family == "gpt"
        self.norms = nn.ModuleList(normalization(family, hidden) for _ in range(2))
        self.attention = Attention(hidden, heads, kv_heads, seq, gpt, not gpt, dropout, recompute == "core_attn")
        self.mlp = GeluMlp(hidden, ffn) if gpt else SwigluMlp(hidden, ffn)
        self.dropout = Dropout(dropout)
        self.recompute = recompute

    def forward(self, x: Tensor) -> Tensor:
        return again(self.recompute == "full", self.layer, x)

    def layer(self, x: Tensor) -> Tensor:
        x = x + self.dropout(self.attention(self.norms[0](x)))
        return x + self.dropout(again(self.recompute == "mlp", self.mlp, self.norms[1](x)))


class Decoder(nn.Module):
    """Embedding, blocks, final norm, head and loss; the head has the embedding's weight in GPT."""

    def __init__(self, family: str, vocab: int, blocks: list[Block], hidden: int, seq: int, dropout: bool) -> None:
        super().__init__()
        gpt = family == "gpt"
        self.words = nn.Embedding(vocab, hidden, dtype=DTYPE)
        self.positions = nn.Parameter(torch.zeros(seq, hidden, dtype=DTYPE)) if gpt else None
        self.dropout = Dropout(dropout)
        self.blocks = nn.Sequential(*blocks)
        self.norm = normalization(family, hidden)
        self.head = linear(hidden, vocab, False)
        if gpt:
            self.head.weight = self.words.weight

    def forward(self, ids: Tensor, labels: Tensor) -> Tensor:
        x = self.words(ids)
        if self.positions is not None:
            x = x + self.positions
        logits = self.head(self.norm(self.blocks(self.dropout(x))))
        return nn.functional.cross_entropy(logits.float().flatten(0, 1), labels.flatten(), reduction="none")
