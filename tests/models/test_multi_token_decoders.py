"""Layers of multi-token prediction behind any decoder are those of the family that has them of its own."""

from __future__ import annotations

import symsim

LATENT = (
    "hidden=1024, layers=6, heads=16, q_rank=256, kv_rank=128, nope_dim=64, rope_dim=32, value_dim=64, vocab=32000, "
    "experts=16, topk=2, expert_ffn=512, shared_ffn=512, mtp_layers=2"
)
PLAN = "tp=2,pp=3,ep=2,world=12,gbs=12,seq=1024"


def test_a_decoder_with_the_layers_of_deepseek_holds_and_keeps_the_same() -> None:
    own = symsim.evaluate(symsim.load(f"deepseek({LATENT}, dense_layers=1, dense_ffn=2048)", PLAN))
    layers = "mixer=latent, feed=[mlp, repeat 5 moe], ffn=2048, group_limited=true"
    decoder = symsim.evaluate(symsim.load(f"decoder({LATENT}, {layers})", PLAN))
    assert decoder.memory["stages"] == own.memory["stages"]


def test_each_layer_is_like_the_last_one() -> None:
    layer = 4 * 512 * 512 // 2 + 3 * 512 * 2048 // 2 + 2 * 512
    projection, norms = 2 * 512 * 512 // 2, 3 * 512
    assert held(", mtp_layers=1") - held("") == layer + projection + norms


def held(more: str) -> int:
    """Elements of a rank of two."""
    text = f"decoder(hidden=512, layers=4, heads=8, ffn=[repeat 3 1024, 2048], vocab=1024{more})"
    answer = symsim.evaluate(symsim.load(text, "tp=2,world=2,gbs=2,seq=512"))
    return int(answer.to_dict()["parameters"]["stages"][0]["dense"])
