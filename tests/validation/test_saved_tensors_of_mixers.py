"""State-space, linear-attention, convolution and recurrent layers save what autograd keeps of plain torch modules.

What torch keeps beyond the rules is as small as a parameter (a decay's exponential), and stated by the module.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer
from symsim.loading.question import question

torch = pytest.importorskip("torch")

from tests.validation import plain_mixers as plain  # noqa: E402
from tests.validation.plain_torch import DTYPE, saved_bytes  # noqa: E402

HIDDEN, BATCH, SEQ = 64, 2, 128

LAYERS = {
    ("mamba2(4, 16, 8, 2)", "megatron"): lambda: plain.Mamba2(HIDDEN, 4, 16, 8, 2, False, True),
    ("mamba2(4, 16, 8, 2)", "fsdp"): lambda: plain.Mamba2(HIDDEN, 4, 16, 8, 2, True, True),
    ("mamba2(4, 16, 8, 1, normed = false)", "megatron"): lambda: plain.Mamba2(HIDDEN, 4, 16, 8, 1, False, False),
    ("mamba2(4, 16, 8, 1, normed = false)", "fsdp"): lambda: plain.Mamba2(HIDDEN, 4, 16, 8, 1, True, False),
    ("mamba1(128, 8, 4)", "fsdp"): lambda: plain.Mamba1(HIDDEN, 128, 8, 4, False),
    ("mamba1(128, 8, 4, normed = true)", "fsdp"): lambda: plain.Mamba1(HIDDEN, 128, 8, 4, True),
    ("gated_delta(2, 4, 16, 8)", "megatron"): lambda: plain.GatedDelta(HIDDEN, 2, 4, 16, 8, False),
    ("gated_delta(2, 4, 16, 8)", "fsdp"): lambda: plain.GatedDelta(HIDDEN, 2, 4, 16, 8, True),
    ("gated_delta(4, 4, 16, 8)", "megatron"): lambda: plain.GatedDelta(HIDDEN, 4, 4, 16, 8, False),
    ("kimi_delta(4, 16)", "fsdp"): lambda: plain.KimiDelta(HIDDEN, 4, 16, 16),
    ("kimi_delta(4, 16, gate_rank = 0)", "fsdp"): lambda: plain.KimiDelta(HIDDEN, 4, 16, 0),
    ("lightning_attention(4, 16)", "fsdp"): lambda: plain.Lightning(HIDDEN, 4, 16),
    ("mlstm(4, 8, 16)", "fsdp"): lambda: plain.MatrixMemory(HIDDEN, 4, 8, 16),
    ("short_conv(3)", "fsdp"): lambda: plain.ShortConv(HIDDEN, 3, BATCH),
    ("recurrent_block(96, 4)", "fsdp"): lambda: plain.Recurrent(HIDDEN, 96, 4),
    ("rwkv_attention(96)", "fsdp"): lambda: plain.RwkvAttention(HIDDEN, 96),
    ("rwkv_mlp(200)", "fsdp"): lambda: plain.RwkvMlp(HIDDEN, 200),
}


def saved_by_library(call: str, framework: str, folder: Path) -> int:
    text = f"""
        layer mixed {{ {call} }}
        family mixer(hidden, layers, vocab, norm = rms, activation = gelu, positions = none, max_positions = 0,
                     embedding_norm = false) {{ embedding; repeat layers {{ mixed }}; head(true) }}
        model one = mixer(hidden = {HIDDEN}, layers = 1, vocab = 128)
    """
    file = folder / "one.sym"
    file.write_text(text, encoding="utf-8")
    asked = question(str(file), f"world=1,mbs={BATCH},gbs={BATCH},seq={SEQ},framework={framework}", None)
    return int(answer(asked.model, asked.plan, None).values["A"])


@pytest.mark.parametrize(("call", "framework"), LAYERS, ids=lambda text: text)
def test_a_layer_saves_what_autograd_keeps(call: str, framework: str, tmp_path: Path) -> None:
    module = LAYERS[call, framework]()
    x = torch.randn(BATCH, SEQ, HIDDEN, dtype=DTYPE, requires_grad=True)
    beyond = getattr(module, "beyond", 0)
    assert saved_bytes(lambda: module(x), module) == saved_by_library(call, framework, tmp_path) + beyond
