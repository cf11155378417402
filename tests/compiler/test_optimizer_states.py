"""What optimizers hold, counted weight by weight."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.compiler.asking import values

LAYER = ((512, 1024), (512, 512), (512, 2048), (1024, 512))
"""Matrices of one layer: qkv, output, up, down."""
VOCABULARY = ((1024, 512), (512, 1024))
LAYERS = 4
VECTORS = LAYERS * 2 * 512 + 512
MATRICES = LAYERS * sum(rows * columns for rows, columns in LAYER)
EMBEDDINGS = sum(rows * columns for rows, columns in VOCABULARY)
PARAMETERS = MATRICES + EMBEDDINGS + VECTORS

MOE = "moe(hidden=512, layers=2, heads=8, kv_heads=4, ffn=1024, expert_ffn=1024, experts=8, topk=2, vocab=1024)"


def held(choices: str, model: str | None = None) -> float:
    """Optimizer bytes of one rank, not sharded."""
    asked = f"zero=0,{choices}"
    return values(asked, model)["optimizer"] if model else values(asked)["optimizer"]


@pytest.mark.parametrize(
    ("choices", "each"),
    [
        ("optimizer=adam", 12),
        ("optimizer=adam_bf16", 8),
        ("optimizer=adam,exp_avg_dtype=bf16,exp_avg_sq_dtype=bf16", 8),
        ("optimizer=adam,main_params_dtype=remainder", 10),
        ("optimizer=adam,main_params_dtype=remainder,exp_avg_dtype=fp8,exp_avg_sq_dtype=fp16", 5),
        ("optimizer=adam,main_params_dtype=fp16,exp_avg_dtype=fp16,exp_avg_sq_dtype=fp16", 6),
        ("optimizer=adam,precision=fp32", 8),
        ("optimizer=adam_8bit", 4 + 2 * (1 + Fraction(4, 256))),
        ("optimizer=sgd", 8),
        ("optimizer=sgd,precision=fp32", 4),
    ],
)
def test_bytes_for_every_parameter(choices: str, each: Fraction) -> None:
    assert held(choices) == each * PARAMETERS


def test_muon_keeps_one_momentum_for_matrices_of_layers_and_adam_for_the_rest() -> None:
    assert held("optimizer=muon") == 8 * MATRICES + 12 * (EMBEDDINGS + VECTORS)


def test_muon_counts_each_expert_as_a_matrix() -> None:
    found = values("zero=0,optimizer=muon,ep=4", MOE)
    assert found["P_expert_matrix"] == found["P_expert"]


def test_adafactor_keeps_a_row_and_a_column_of_each_matrix_and_all_of_a_vector() -> None:
    factors = LAYERS * sum(rows + columns for rows, columns in LAYER) + sum(r + c for r, c in VOCABULARY)
    assert held("optimizer=adafactor") == 4 * PARAMETERS + 4 * factors + 4 * VECTORS


def test_adafactor_factors_each_expert_by_itself() -> None:
    found = values("zero=0,optimizer=adafactor,ep=4", MOE)
    local, layers = 8 / 4, 2
    assert found["factors_expert"] == 4 * layers * local * ((512 + 2048) + (1024 + 512))


def test_states_of_every_optimizer_are_sharded() -> None:
    for optimizer in ("adam", "adam_8bit", "muon", "adafactor"):
        assert values(f"zero=1,optimizer={optimizer}")["optimizer"] == held(f"optimizer={optimizer}") / 8
