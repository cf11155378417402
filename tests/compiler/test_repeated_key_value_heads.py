"""Fewer key-value heads than tensor-parallel ranks: a rank has one of them, and the projection is gathered.

Source: Megatron-Core 0.16.1, transformer/attention.py (SelfAttention.get_query_key_value_tensors).
"""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import answer
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space
from symsim.diagnostics import InputError
from symsim.loading.question import question

MODEL = "llama(hidden=512,layers=2,heads=16,kv_heads=4,ffn=512,vocab=1024)"


def of_rank(name: str, tp: int, *settings: str) -> float:
    asked = question(MODEL, f"world={tp},tp={tp},gbs=1,seq=1024", None, settings)
    return float(answer(asked.model, asked.plan, None).of_stage(name)[0])


def test_a_rank_holds_its_part_of_the_weights() -> None:
    norms = 5 * 512
    assert of_rank("P", 8, "vocab_multiple=1") - norms == (of_rank("P", 4, "vocab_multiple=1") - norms) / 2


def test_keys_and_values_of_a_rank_have_one_head() -> None:
    tokens, queries, features = 1024, 16 * 32, 32
    both = {tp: of_rank("A", tp) for tp in (4, 8)}
    other = 2 * tokens * features * 2
    assert 2 * both[8] - both[4] == other
    assert both[4] > 2 * tokens * (queries / 4 + 2 * features)


def test_the_projection_is_gathered_and_its_gradient_scattered() -> None:
    """Beside the messages of two column and two row linears."""
    tokens, columns = 1024, 16 * 32 + 2 * 4 * 32
    more = of_rank("sent.tp", 8) - of_rank("sent.tp", 8, "kv_heads=8")
    assert more == 2 * (2 * 2 * tokens * columns * 7 / 8)


def test_tp_is_a_multiple_of_them() -> None:
    with pytest.raises(InputError, match="a head serves whole ranks"):
        of_rank("P", 8, "kv_heads=3", "heads=48", "head_dim=32")


def test_before_0_16_they_are_refused() -> None:
    with pytest.raises(InputError, match=r"from framework_version 0\.16\.0 on"):
        of_rank("P", 8, "framework_version=0.15.0")


def test_a_search_takes_both_kinds_of_plans() -> None:
    space = load_space(MODEL, "world=16,tp in {2,4,8,16},gbs=16,seq=1024", None)
    assert search(space, 10).feasible == 4


def test_gated_attention_has_a_head_for_each_rank() -> None:
    with pytest.raises(InputError, match="tp·cp = 4 does not divide kv_heads = 2"):
        asked = question("qwen3_next_80b_a3b", "world=4,tp=4,gbs=1,seq=1024", None, ("layers=4",))
        answer(asked.model, asked.plan, None)
