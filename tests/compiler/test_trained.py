"""Frozen weights and adapters: what is held, sent and computed of what is trained, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.analysis.evaluate import answer
from symsim.diagnostics import InputError
from symsim.loading.question import question
from tests.compiler.asking import SMALL, TOKENS, values

QKV, OUTPUT, UP, DOWN = 512 * 1024, 512 * 512, 512 * 2048, 1024 * 512
"""Elements of one layer's matrices of ``SMALL``."""

RANK = 16
ADAPTERS = RANK * (512 + 1024 + 512 + 512 + 512 + 2048 + 1024 + 512)
"""Elements of one layer's adapters."""


def test_only_named_weights_are_trained() -> None:
    found = values("trainable={mlp}")
    assert found["P_trained"] == found["trained_parameters"] == 4 * (UP + DOWN)
    assert found["parameters"] == values("tp=1")["parameters"]


@pytest.mark.parametrize(("name", "elements"), [
    ("attention", 4 * (QKV + OUTPUT)), ("qkv", 4 * QKV), ("attention.qkv", 4 * QKV), ("mlp.up.w", 4 * UP),
    ("gain", 9 * 512), ("rmsnorm", 9 * 512), ("pre_norm.rmsnorm", 8 * 512), ("layernorm", 8 * 512),
    ("embedding", 1024 * 512), ("head", 1024 * 512 + 512), ("decoder", 4 * (QKV + OUTPUT + UP + DOWN + 2 * 512)),
])  # fmt: skip
def test_a_name_is_a_region_or_a_run_of_a_path(name: str, elements: int) -> None:
    assert values(f"trainable={name}")["trained_parameters"] == elements


def test_frozen_weights_have_no_gradients_and_no_states() -> None:
    found = values("trainable={mlp},zero=0")
    assert found["weights"] == 2 * found["P"]
    assert found["gradients"] == 4 * found["P_trained"]
    assert found["optimizer"] == 12 * found["P_trained"]


def test_adapters_are_trained_alone() -> None:
    found = values(f"lora_rank={RANK},zero=0")
    assert found["trained_parameters"] == found["P_trained"] == 4 * ADAPTERS
    assert found["P"] == values("tp=1")["P"] + 4 * ADAPTERS
    assert found["parameters"] == values("tp=1")["parameters"]


def test_adapters_are_split_over_tp() -> None:
    assert values(f"lora_rank={RANK},tp=4")["P_trained"] == 4 * ADAPTERS / 4


@pytest.mark.parametrize(("framework", "parameters"), [("megatron", 35_651_584), ("fsdp", 41_943_040)])
def test_llama_has_the_adapters_of_megatron_bridge_and_of_peft(framework: str, parameters: int) -> None:
    """Rank 16: queries, keys, values, gate and up are five modules in Hugging Face's class."""
    found = values(f"lora_rank=16,framework={framework}", model="llama3_8b")
    assert found["trained_parameters"] == parameters


def test_targets_name_the_linear_layers_with_an_adapter() -> None:
    found = values(f"lora_rank={RANK},lora_targets={{attention.qkv, down}}")
    assert found["trained_parameters"] == 4 * RANK * (512 + 1024 + 1024 + 512)


def test_gradients_of_what_is_trained_alone_are_reduced_and_gathered() -> None:
    found = values("trainable={mlp}")
    assert found["sent.dp.gradients"] == 4 * found["P_trained"] * 7 / 8
    assert found["sent.dp.parameters"] == 2 * found["P_trained"] * 7 / 8


def test_shards_of_frozen_weights_are_gathered_and_only_where_a_backward_pass_runs_again() -> None:
    found = values("trainable={mlp},zero=3,framework=fsdp,vocab_multiple=1")
    backward = found["P"] - 1024 * 512
    assert found["P_backward"] == backward
    assert found["sent.dp.parameters"] == found["m"] * 2 * (found["P"] + backward) * 7 / 8
    assert found["sent.dp.gradients"] == found["m"] * 4 * found["P_trained"] * 7 / 8


def test_a_frozen_linear_layer_keeps_no_input() -> None:
    """Of the MLP only what the activation needs is left; attention keeps its inputs."""
    attention_alone, everything = values("trainable={attention}"), values("tp=1")
    kept = {"up": TOKENS * 512 * 2, "down": TOKENS * 1024 * 2}
    assert everything["A"] - attention_alone["A_decoder"] == sum(kept.values())


def test_layers_before_everything_that_is_trained_run_no_backward_pass() -> None:
    head, everything = values("trainable={head}"), values("tp=1")
    forward = TOKENS * (2 * (QKV + OUTPUT + UP + DOWN) + 4 * TOKENS * 512)
    assert head["flops.one"] == forward < everything["flops.one"] / 3
    assert head.get("A", 0) == 0


def test_the_first_layer_stops_the_gradient_where_training_begins() -> None:
    """Its attention is before the first trained matrix, and no one asks for the gradient of that matrix's input."""
    found = values("trainable={mlp}")
    attention = TOKENS * 2 * (QKV + OUTPUT) + TOKENS * 10 * TOKENS * 512
    assert found["flops.one_decoder"] - found["flops.one_decoder_first"] == attention + TOKENS * 2 * UP


def test_whole_layers_that_are_recomputed_all_have_a_backward_pass() -> None:
    found = values(f"lora_rank={RANK},recompute=full")
    assert "flops.one_decoder_first" not in found
    assert found["A"] == 2 * TOKENS * 512


def test_counts_of_first_layers_add_up_on_every_stage() -> None:
    asked = question(SMALL, f"world=8,pp=4,mbs=1,gbs=64,seq={TOKENS},lora_rank=8", None)
    found = answer(asked.model, asked.plan, None)
    assert found.of_stage("n_decoder_first") == [1, 0, 0, 0]
    assert found.of_stage("n_decoder") == [0, 1, 1, 1]


def test_a_gathered_input_is_kept_whole_with_sequence_parallelism() -> None:
    one, four = (values(f"lora_rank={RANK},lora_targets=qkv,tp={tp}")["A_decoder"] for tp in (1, 4))
    inputs = 2 * TOKENS * 512
    low = 2 * TOKENS * RANK
    assert four == (one - inputs - low) / 4 + inputs + low


def test_experts_of_a_rank_share_an_adapter() -> None:
    moe = "moe(hidden=512, layers=2, heads=8, kv_heads=4, head_dim=64, experts=8, topk=2, expert_ffn=256, vocab=1024)"
    found = values(f"lora_rank={RANK},lora_targets={{up, down}},ep=8", model=moe)
    assert found["P_expert_trained"] == 2 * RANK * (512 + 512 + 256 + 512)
    assert found["gradients"] == 4 * found["P_expert_trained"]


def test_biases_alone_cost_no_weight_gradients() -> None:
    gpt = "gpt(hidden=512, layers=4, heads=8, ffn=2048, vocab=1024, max_positions=2048)"
    biases, nothing_but_biases = values("trainable=b", model=gpt), 4 * (1536 + 512 + 2048 + 512)
    assert biases["trained_parameters"] == nothing_but_biases
    assert biases["flops.one_decoder"] == values("trainable=embedding", model=gpt)["flops.one"]


def test_a_bias_that_no_gradient_reaches_is_not_trained(tmp_path: Path) -> None:
    file = tmp_path / "corrections.sym"
    text = """
operator corrected(x[t, n]) -> y[t, n] {
    weight gain[n]
    weight correction[n] frozen
    saves x
    forward     { traffic x + y }
    input_grad  { traffic dy + dx }
    weight_grad { traffic dy }
}
layer corrected_layer { corrected }
family corrections(hidden, layers, vocab, norm = rms, positions = rope, max_positions = 0, embedding_norm = false) {
    embedding
    repeat layers { corrected_layer }
    head(false)
}
model small = corrections(hidden = 512, layers = 4, vocab = 1024)
"""
    file.write_text(text, encoding="utf-8")
    found = values("zero=0", model=str(file))
    assert found["parameters"] - found["trained_parameters"] == 4 * 512
    assert found["optimizer"] == 12 * found["P_trained"]


@pytest.mark.parametrize(("choices", "code", "said"), [
    ("trainable={atention}", "E242", "did you mean 'attention'"),
    (f"lora_rank={RANK},lora_targets={{q_proj}}", "E242", "lora_targets: this model has no region or operator"),
    ("trainable=none", "E324", "leaves nothing to train"),
    (f"lora_rank={RANK},trainable=all", "E324", "adds adapters to weights that are frozen"),
    ("lora_targets=qkv", "E324", "lora_targets says which"),
    ("trainable=3", "E207", "none, all or a set of names"),
    ("lora_rank=0", "E312", "at least 1"),
])  # fmt: skip
def test_what_is_refused(choices: str, code: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        values(choices)
    (problem,) = caught.value.diagnostics
    assert problem.code == code
    assert said in f"{problem.message} {problem.hint}"


def test_a_rank_that_tp_does_not_divide_is_refused() -> None:
    with pytest.raises(InputError, match="does not divide lora_rank = 4"):
        values("lora_rank=4,tp=8")
