"""What is held between the two halves of a backward pass."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import evaluator
from symsim.loading.question import question

HIDDEN, TOKENS = 256, 2 * 512


def of_one_layer(model: str, choices: str = "") -> dict[str, float]:
    sizes = f"world=4,pp=4,mbs=2,gbs=16,seq=512,schedule=zb_h1{choices}"
    asked = question(model, sizes, None)
    return dict(evaluator(asked.model, asked.plan.structure).scalar(asked.plan.sizes, None))


@pytest.mark.parametrize("recompute", ["", ",recompute=full", ",recompute={core_attn}"])
def test_a_block_of_gpt_holds_32_sbh_until_its_weight_gradient(recompute: str) -> None:
    """Qi et al. 2023, table 2, whatever was recomputed: inputs of matrix multiplications, gradients of outputs."""
    model = f"gpt(hidden={HIDDEN}, heads=4, ffn={4 * HIDDEN}, vocab=1024, layers=8, max_positions=512)"
    assert of_one_layer(model, recompute)["A.late"] == 32 * TOKENS * HIDDEN


def test_gate_and_values_of_swiglu_hold_their_input_once() -> None:
    model = f"llama(hidden={HIDDEN}, heads=4, kv_heads=2, ffn=640, vocab=1024, layers=8)"
    inputs = HIDDEN + HIDDEN + HIDDEN + 640
    gradients = 2 * HIDDEN + HIDDEN + 2 * 640 + HIDDEN
    assert of_one_layer(model)["A.late"] == 2 * TOKENS * (inputs + gradients)


def test_a_loss_that_works_in_place_passes_its_gradient_on_to_the_logits() -> None:
    model = f"llama(hidden={HIDDEN}, heads=4, kv_heads=2, ffn=640, vocab=1024, layers=8)"
    logits, tokens_in = 2 * TOKENS * 1024, 2 * TOKENS * HIDDEN
    assert of_one_layer(model, ",fused_cross_entropy=true")["A.late_head"] == logits + tokens_in


def test_quantised_linears_wait_with_quantised_copies() -> None:
    """Of inputs and of gradients, a byte an element each."""
    model = f"llama(hidden={HIDDEN}, heads=4, kv_heads=2, ffn=640, vocab=1024, layers=8)"
    inputs = HIDDEN + HIDDEN + HIDDEN + 640
    gradients = 2 * HIDDEN + HIDDEN + 2 * 640 + HIDDEN
    assert of_one_layer(model, ",precision=fp8")["A.late"] == TOKENS * (inputs + gradients)
