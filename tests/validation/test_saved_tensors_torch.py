"""The library's unfused rules save what autograd keeps of plain torch modules, byte for byte.

What plain torch keeps beyond them, because a module there is several kernels or keeps statistics of
its rows, is stated as a formula for each kind of module and added.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import pytest

from symsim.analysis.evaluate import Answer, answer
from symsim.loading.question import question

torch = pytest.importorskip("torch")

from tests.validation.plain_torch import DTYPE, Block, Decoder, saved_bytes  # noqa: E402


@dataclass(frozen=True)
class Shape:
    """A small decoder. ``batch`` sequences of ``seq`` tokens are one micro-batch."""

    family: str
    hidden: int
    heads: int
    kv_heads: int
    ffn: int
    batch: int
    seq: int
    layers: int = 3
    vocab: int = 384

    @property
    def tokens(self) -> int:
        return self.batch * self.seq

    def block(self, dropout: bool, recompute: str) -> Block:
        sizes = (self.hidden, self.heads, self.kv_heads, self.ffn, self.seq)
        return Block(self.family, *sizes, dropout, recompute)

    @property
    def norm(self) -> int:
        """LayerNorm keeps two statistics of a row. RMSNorm is several kernels: they keep the input as fp32 in
        place of the input, an fp32 number of a row, and what is multiplied by the gain."""
        if self.family == "gpt":
            return 2 * 2 * self.tokens
        return self.tokens * ((4 - 2 + 2) * self.hidden + 4)

    @property
    def activation(self) -> int:
        """SwiGLU is two kernels: the product keeps silu(gate) too."""
        return 0 if self.family == "gpt" else 2 * self.tokens * self.ffn

    def beyond_a_layer(self, recompute: str) -> int:
        match recompute:
            case "full":
                return 0
            case "mlp":
                return 2 * self.norm
            case _:
                return 2 * self.norm + self.activation


@cache
def library(shape: Shape, dropout: bool, recompute: str) -> Answer:
    """By the library's rules: ``A`` of it is saved by one layer, ``S`` by the whole decoder."""
    sizes = f"hidden={shape.hidden},layers={shape.layers},heads={shape.heads},ffn={shape.ffn},vocab={shape.vocab}"
    extra = f",max_positions={shape.seq}" if shape.family == "gpt" else f",kv_heads={shape.kv_heads}"
    regions = recompute if recompute in ("none", "full") else f"{{{recompute}}}"
    plan = f"world=1,mbs={shape.batch},gbs={shape.batch},seq={shape.seq},attention=unfused,recompute={regions}"
    asked = question(f"{shape.family}({sizes}{extra})", f"{plan},dropout={str(dropout).lower()}", None)
    return answer(asked.model, asked.plan, None)


SHAPES = (
    Shape("gpt", hidden=64, heads=4, kv_heads=4, ffn=256, batch=2, seq=32),
    Shape("gpt", hidden=96, heads=2, kv_heads=2, ffn=384, batch=1, seq=48),
    Shape("llama", hidden=64, heads=4, kv_heads=4, ffn=176, batch=2, seq=32),
    Shape("llama", hidden=96, heads=6, kv_heads=2, ffn=256, batch=3, seq=16),
)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda s: f"{s.family}-{s.hidden}")
plans = pytest.mark.parametrize(("dropout", "recompute"), [
    (False, "none"), (False, "core_attn"), (True, "none"), (True, "core_attn"), (True, "mlp"), (True, "full"),
])  # fmt: skip


@shapes
@plans
def test_a_layer_saves_what_autograd_keeps(shape: Shape, dropout: bool, recompute: str) -> None:
    block = shape.block(dropout, recompute)
    x = torch.randn(shape.batch, shape.seq, shape.hidden, dtype=DTYPE, requires_grad=True)
    expected = library(shape, dropout, recompute).values["A"] + shape.beyond_a_layer(recompute)
    assert saved_bytes(lambda: block(x), block) == expected


@shapes
@plans
def test_a_decoder_saves_what_autograd_keeps(shape: Shape, dropout: bool, recompute: str) -> None:
    """The loss keeps the labels and, as torch computes it, the sum of their weights: one fp32 number."""
    blocks = [shape.block(dropout, recompute) for _ in range(shape.layers)]
    decoder = Decoder(shape.family, shape.vocab, blocks, shape.hidden, shape.seq, dropout)
    ids, labels = (torch.randint(0, shape.vocab, (shape.batch, shape.seq)) for _ in range(2))
    expected = library(shape, dropout, recompute).of_stage("S")[0]
    expected += shape.layers * shape.beyond_a_layer(recompute) + shape.norm + 8 * shape.tokens + 4
    assert saved_bytes(lambda: decoder(ids, labels), decoder) == expected
