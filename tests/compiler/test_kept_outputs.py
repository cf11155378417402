"""Selective checkpointing by operators: which outputs are kept, and what runs again."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.fitting.cases_file import load_cases
from symsim.analysis.fitting.validate import validate
from symsim.diagnostics import InputError
from tests.compiler.asking import TOKENS, values

PER_OPERATOR = "recompute=per_op_sac,sequence_parallel=true"
HEADS, KV = 512, 256
"""Columns of the queries, and of the keys or the values, of ``SMALL``."""


def test_every_second_product_of_a_layer_is_kept() -> None:
    """Of queries, keys, values, output, gate, up and down: the first, third and fifth; the seventh is of no use."""
    found = values(PER_OPERATOR)
    products = 2 * (HEADS + KV + 1024)
    attention = 2 * HEADS + 4 * 8
    assert found["A"] == TOKENS * (2 * 512 + products + attention)


def test_what_is_kept_does_not_run_again() -> None:
    found, none, full = (values(choices) for choices in (PER_OPERATOR, "tp=1", "recompute=full"))
    again = TOKENS * 2 * 512 * (KV + HEADS + 1024)
    assert found["flops.one"] - none["flops.one"] == again
    assert again < full["flops.one"] - none["flops.one"]


def test_sums_over_ranks_are_kept_too() -> None:
    """That of attention; the feed-forward's is the layer's own output, which nothing of the layer reads again."""
    found = values(f"{PER_OPERATOR},tp=4")
    products = 2 * (HEADS + KV + 1024) / 4
    attention = (2 * HEADS + 4 * 8) / 4
    assert found["A"] == TOKENS * (2 * 512 / 4 + products + 2 * 512 / 4 + attention)


def test_sums_over_ranks_are_not_sent_again() -> None:
    found, full, none = (values(f"{choices},tp=4") for choices in (PER_OPERATOR, "recompute=full", "recompute=none"))
    one = TOKENS * 2 * 512 * 3 / 4
    assert found["sent.tp"] - none["sent.tp"] == pytest.approx(4 * 2 * one)
    assert full["sent.tp"] - none["sent.tp"] == pytest.approx(4 * 4 * one)


def test_experts_run_again() -> None:
    moe = "moe(hidden=512, layers=2, heads=8, kv_heads=4, head_dim=64, experts=8, topk=2, expert_ffn=256, vocab=1024)"
    found, none = values(PER_OPERATOR, model=moe), values("tp=1", model=moe)
    experts = TOKENS * 2 * 2 * 512 * (2 * 256 + 256)
    assert found["flops.one"] - none["flops.one"] >= experts - TOKENS * 2 * 2 * 512 * 256


def test_peaks_lie_between_none_and_full() -> None:
    peaks = [values(f"recompute={kind}")["peak"] for kind in ("full", "per_op_sac", "none")]
    assert peaks == sorted(peaks)


def test_memory_that_published_runs_reserved_is_within_one_per_cent() -> None:
    cases = load_cases(Path(__file__).parents[2] / "accuracy" / "cases.json")
    rows = validate([case for case in cases if case["id"] in ("tt-0003", "tt-0006")])["cases"]
    assert [row["failed"] for row in rows] == [None, None]
    assert all(abs(row["error_pct"]["peak_reserved_bytes"]) < 1 for row in rows)


@pytest.mark.parametrize(("choices", "code"), [
    ("recompute=per_op_sac,schedule=zb_v,pp=2", "E321"),
    ("recompute=per_op_sac,offload={core_attn}", "E321"),
    ("recompute=per_op_sac,recompute_layers=2", "E324"),
])  # fmt: skip
def test_what_is_refused(choices: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        values(choices)
    assert caught.value.diagnostics[0].code == code
