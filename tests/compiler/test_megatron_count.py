"""FLOPs as Megatron logs them: half of the pairs whatever the window, no router, the padded vocabulary, three passes.

Source of the count: NVIDIA/Megatron-LM, megatron/training/training.py, num_floating_point_operations.
"""

from __future__ import annotations

import pytest

import symsim

SEQ, BATCH = 4096, 64


def counted(model: str, **settings: int) -> int:
    plan = symsim.load(model, {"world": 8, "mbs": 1, "gbs": BATCH, "seq": SEQ, **settings})
    return symsim.evaluate(plan).to_dict()["flops"]["megatron_per_iteration"]


def heads_of(hidden: int, heads: int, kv_heads: int, head_dim: int) -> int:
    """Products of one token in attention: projections, and half of the sequence twice."""
    return hidden * head_dim * (2 * heads + 2 * kv_heads) + heads * head_dim * SEQ


def step(per_token: float) -> float:
    return 6 * BATCH * SEQ * per_token


def test_a_dense_model_with_a_vocabulary_that_is_padded() -> None:
    padded = 128 * 2 * 501
    layer = heads_of(4096, 32, 8, 128) + 3 * 4096 * 14336
    assert counted("llama3_8b", tp=2) == step(32 * layer + 4096 * padded)


def test_windows_count_in_full() -> None:
    layer = heads_of(3584, 16, 8, 256) + 3 * 3584 * 14336
    assert counted("gemma2_9b") == step(42 * layer + 3584 * 256000)


def test_a_router_counts_nothing() -> None:
    layer = heads_of(4096, 32, 8, 128) + 2 * 3 * 4096 * 14336
    assert counted("mixtral_8x7b", ep=8) == step(32 * layer + 4096 * 32000)


def test_latent_attention_counts_its_norms_and_further_tokens_a_head_each() -> None:
    query = 1536 * (7168 + 128 * 192 + 1)
    key_value = 512 * (7168 + 128 * 256 + 1) + 7168 * 64
    attention = query + key_value + 128 * 128 * 7168 + SEQ * 128 * (192 + 128) / 2
    experts = 3 * 7168 * 2048 * 9
    further = attention + experts + 3 * 7168 + 2 * 7168**2 + 7168 * 129280
    whole = 61 * attention + 3 * 3 * 7168 * 18432 + 58 * experts + 7168 * 129280 + further
    assert counted("deepseek_v3", world=64, ep=8, mtp_layers=1) == step(whole)


def test_a_scan_counts_seven_products_of_a_half() -> None:
    inner = 2 * 2560
    layer = 2560 * (2 * inner + 2 * 128 + 80) + inner * 2560 + 7 * inner * 128 / 2
    assert counted("mamba2_2_7b") == pytest.approx(step(64 * layer + 2560 * 50304), rel=1e-12)
