"""What linears hold below 16 bits: quantised weights, quantised inputs, scales. Source: TransformerEngine."""

from __future__ import annotations

from fractions import Fraction

import pytest

from tests.compiler.asking import TOKENS, values

LAYERS, HIDDEN, QKV, FFN = 4, 512, 1024, 1024
MATRICES = LAYERS * (HIDDEN * QKV + HIDDEN * HIDDEN + HIDDEN * 2 * FFN + FFN * HIDDEN)
SIZES = {"fp8": Fraction(1), "mxfp8": Fraction(33, 32), "nvfp4": Fraction(9, 16)}
"""Bytes of one element: a byte; a byte and a scale byte for 32; half a byte and a scale byte for 16."""

MOE = "moe(hidden=512, layers=2, heads=8, kv_heads=4, ffn=1024, expert_ffn=1024, experts=8, topk=2, vocab=1024)"


def scales(precision: str) -> int:
    """An fp32 scale for each of the four linears' inputs, where a tensor has one."""
    return 0 if precision == "mxfp8" else 4 * 4


@pytest.mark.parametrize("precision", SIZES)
@pytest.mark.parametrize("tp", [1, 4])
def test_quantised_linears_save_one_copy_of_their_input_instead_of_bf16(precision: str, tp: int) -> None:
    """Inputs of qkv, up and down leave in bf16; that of the output projection stays, attention needs it."""
    plain = values(f"tp={tp}")["A"]
    bf16 = 2 * (HIDDEN + HIDDEN + FFN)
    copies = SIZES[precision] * (HIDDEN + HIDDEN + HIDDEN + FFN)
    expected = plain + TOKENS * (copies - bf16) / tp + scales(precision)
    assert values(f"tp={tp},precision={precision}")["A"] == expected


@pytest.mark.parametrize("precision", SIZES)
def test_quantised_weights_have_two_copies_beside_bf16(precision: str) -> None:
    found = values(f"precision={precision}")
    assert found["P_quantised"] == MATRICES
    assert found["weights"] == 2 * found["P"] + 2 * SIZES[precision] * MATRICES


@pytest.mark.parametrize("precision", SIZES)
def test_quantised_parameters_have_no_bf16_weight(precision: str) -> None:
    found = values(f"precision={precision},fp8_params=true")
    assert found["weights"] == 2 * (found["P"] - MATRICES) + 2 * SIZES[precision] * MATRICES
    assert found["optimizer"] == values("")["optimizer"]


def test_weights_of_experts_are_quantised_too() -> None:
    found = values("precision=mxfp8,ep=4", MOE)
    assert found["P_expert_quantised"] == found["P_expert"]


def test_the_router_and_the_head_stay_in_bf16() -> None:
    plain, quantised = values("", MOE), values("precision=fp8", MOE)
    assert quantised["A_head"] == plain["A_head"]
    router = 2 * HIDDEN * 8
    assert quantised["P_quantised"] == quantised["P"] - router - 2 * (2 * HIDDEN) - HIDDEN - 2 * HIDDEN * 1024


def test_grouped_linears_save_a_quantised_copy_of_the_rows_of_their_experts() -> None:
    """Rows of both grouped GEMMs: each token twice; bf16 leaves, except the router's input."""
    plain, quantised = values("", MOE)["A"], values("precision=mxfp8", MOE)["A"]
    attention = Fraction(33, 32) * 2 * HIDDEN - 2 * HIDDEN
    experts = 2 * (HIDDEN + FFN) * (Fraction(33, 32) - 2)
    assert quantised - plain == TOKENS * (attention + experts)


def test_an_input_that_recomputation_drops_is_not_kept_quantised() -> None:
    """The linears behind the norms keep what recomputation makes again, so nothing of theirs is held."""
    found = values("precision=mxfp8")["A"] - values("precision=mxfp8,recompute={layernorm}")["A"]
    assert found == TOKENS * Fraction(33, 32) * (HIDDEN + HIDDEN)


def test_an_activation_of_experts_that_recomputation_drops_is_not_kept_quantised() -> None:
    found = values("precision=mxfp8", MOE)["A"] - values("precision=mxfp8,recompute={moe_act}", MOE)["A"]
    assert found == 2 * TOKENS * Fraction(33, 32) * FFN


def test_gathered_inputs_travel_quantised_and_sums_do_not() -> None:
    """A layer gathers four inputs of its column linears, two of them again, and two gradients of row
    linears, by rows and by columns; four sums stay in bf16. Embedding and head are as in bf16."""
    tp = 4
    whole = TOKENS * HIDDEN * (tp - 1) / tp
    less = values(f"tp={tp}")["sent.tp"] - values(f"tp={tp},precision=mxfp8")["sent.tp"]
    assert less == LAYERS * whole * ((4 + 2) * 2 - (4 + 4) * Fraction(33, 32))


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_fp16_holds_what_bf16_holds(precision: str) -> None:
    found = values(f"precision={precision}")
    assert [found[n] for n in ("weights", "optimizer", "A", "peak")] == [
        values("")[n] for n in ("weights", "optimizer", "A", "peak")
    ]


def test_fp32_weights_and_activations_take_four_bytes_and_need_no_master_copy() -> None:
    plain, single = values(""), values("precision=fp32")
    assert single["weights"] == 2 * plain["weights"]
    assert single["optimizer"] == plain["optimizer"] * Fraction(8, 12)
    lse = TOKENS * 4 * 8
    assert single["A"] - lse == 2 * (plain["A"] - lse)
