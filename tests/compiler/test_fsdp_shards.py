"""The shard of a weight under PyTorch FSDP: the optimizer's master copy where it has one, else the weight itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer
from symsim.loading.question import question
from tests.compiler.asking import values

RANKS = 8


def test_the_master_copy_is_the_weight() -> None:
    found = values("framework=fsdp,zero=3")
    assert found["weights"] == 0
    assert found["optimizer"] == 12 * found["P"] / RANKS


def test_a_remainder_is_no_weight() -> None:
    """bf16 shards, their 16-bit remainders and two fp32 moments."""
    found = values("framework=fsdp,zero=3,main_params_dtype=remainder")
    assert found["weights"] == 2 * found["P"] / RANKS
    assert found["optimizer"] == 10 * found["P"] / RANKS


def test_weights_of_fp32_are_their_own_master() -> None:
    found = values("framework=fsdp,zero=3,precision=fp32")
    assert found["weights"] == 4 * found["P"] / RANKS
    assert found["optimizer"] == 8 * found["P"] / RANKS


@pytest.mark.parametrize(("precision", "bytes_each"), [("bf16", 2), ("fp16", 2), ("fp32", 4)])
def test_an_optimizer_without_a_master_copy_leaves_the_weights(tmp_path: Path, precision: str, bytes_each: int) -> None:
    mine = tmp_path / "mine.sym"
    mine.write_text(
        "optimizer lion { state momentum: bf16; traffic 2 * grad + 2 * states + weight }\n"
        "model small = llama(hidden = 512, layers = 4, heads = 8, ffn = 1024, vocab = 1024)\n"
    )
    plan = f"world=8,gbs=64,seq=2048,framework=fsdp,zero=3,optimizer=lion,precision={precision}"
    asked = question(str(mine), plan, None)
    found = answer(asked.model, asked.plan, None)
    assert found.of_stage("weights")[0] == bytes_each * found.of_stage("P")[0] / RANKS
