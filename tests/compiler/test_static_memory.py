"""What is held between steps besides weights, gradients and states, term by term."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import Answer, answer
from symsim.loading.question import question

MIB = 2**20
PLAN = "world=8,tp=2,pp=2,mbs=4,gbs=32,seq=1024,zero=0,sequence_parallel=false,te_version=2.9.0"
MODEL = "gpt(hidden=512, layers=12, heads=8, vocab=50257, max_positions=1024)"


def values(choices: str, model: str) -> Answer:
    asked = question(model, choices, None)
    return answer(asked.model, asked.plan, None)


def between(more: str = "") -> float:
    """Bytes of the last stage besides states."""
    found = values(f"{PLAN},{more}" if more else PLAN, MODEL)
    return float(found.of_stage("static")[-1] - found.of_stage("states")[-1])


def test_without_fusion_only_workspaces_and_the_last_input_stay() -> None:
    """32 MiB and 1 KiB of TransformerEngine, 2 of 8320 KiB of torch, an input of 4 MiB and its gradient."""
    assert between("gradient_accumulation_fusion=false") == 32 * MIB + 1024 + 2 * 8320 * 1024 + 2 * 4 * MIB


def test_a_configuration_says_what_torch_keeps() -> None:
    more = between('gradient_accumulation_fusion=false,cublas_workspace=":4096:8"')
    assert more - between("gradient_accumulation_fusion=false") == 2 * (32 * MIB - 8320 * 1024)


def test_narrow_gradients_have_fp32_copies_until_the_next_step() -> None:
    found = values(f"{PLAN},grad_dtype=bf16", MODEL)
    assert found.of_stage("main_gradients")[-1] == 4 * found.of_stage("P")[-1]
    assert "main_gradients" not in values(PLAN, MODEL).values


def test_states_of_other_types_read_narrow_gradients() -> None:
    assert "main_gradients" not in values(f"{PLAN},grad_dtype=bf16,exp_avg_dtype=bf16", MODEL).values


@pytest.mark.parametrize(("vp", "inputs"), [(1, 1), (3, 3)])
def test_each_chunk_keeps_its_last_input_and_its_gradient(vp: int, inputs: int) -> None:
    found = values(f"{PLAN},vp={vp}", MODEL)
    assert found.of_stage("last_inputs")[-1] == 2 * inputs * 4 * MIB
    assert found.of_stage("last_inputs")[0] == 2 * (inputs - 1) * 4 * MIB


def test_local_modules_keep_an_empty_buffer_of_scores() -> None:
    local = "attention=unfused,transformer_impl=local"
    found = values(f"world=8,tp=2,mbs=4,gbs=32,seq=1024,{local}", MODEL)
    assert found.of_stage("standing")[0] >= 4 * 8 / 2 * 1024 * 1024 * 2
