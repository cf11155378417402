"""The first and the last layers multiply in bf16 where the others are quantised (Megatron's first_last_layers_bf16)."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.diagnostics import InputError
from symsim.loading.question import question

PLAN = "world=8,seq=2048,microbatches=8,mbs=1"
LLAMA = "llama(hidden=512,layers=8,heads=8,kv_heads=4,head_dim=64,ffn=1024,vocab=1024)"
MATRICES = 512 * (1024 + 512 + 2048 + 1024)
"""Elements of one layer's matrices: qkv, output, up, down."""


def asked(choices: str, model: str = LLAMA) -> Answer:
    given = question(model, f"{PLAN},{choices}", "h100_sxm", ("fit=none",))
    return answer(given.model, given.plan, machine_of(given))


def of_stages(found: Answer, name: str) -> list[float]:
    return [float(v) for v in found.of_stage(name)]


@pytest.mark.parametrize(
    ("choices", "quantised"),
    [
        ("pp=1", [6]),
        ("pp=4", [1, 2, 2, 1]),
        ("pp=2,num_layers_at_start_in_bf16=3,num_layers_at_end_in_bf16=2", [1, 2]),
        ("pp=4,vp=2", [1, 2, 2, 1]),
    ],
)
def test_layers_at_the_ends_have_no_quantised_copies(choices: str, quantised: list[int]) -> None:
    found = asked(f"precision=fp8,first_last_layers_bf16=true,{choices}")
    assert of_stages(found, "P_quantised") == [n * MATRICES for n in quantised]


@pytest.mark.parametrize("precision", ["fp8"])
def test_each_layer_saves_what_it_saves_alone(precision: str) -> None:
    narrow, plain = (float(asked(f"precision={p}").values["A"]) for p in (precision, "bf16"))
    mixed = asked(f"precision={precision},first_last_layers_bf16=true").values
    assert float(mixed[f"A_{precision}"]) == narrow
    assert float(mixed["A_bf16"]) == plain


def test_a_stage_in_bf16_takes_as_long_as_in_bf16() -> None:
    """Two of eight layers."""
    narrow, plain, mixed = (
        of_stages(asked(c), "stage.forward")[0]
        for c in ("precision=fp8", "precision=bf16", "precision=fp8,first_last_layers_bf16=true")
    )
    head = of_stages(asked("precision=bf16"), "one.forward_head")[0]
    head += of_stages(asked("precision=bf16"), "one.forward_embedding")[0]
    assert mixed - head == pytest.approx(0.75 * (narrow - head) + 0.25 * (plain - head))


def test_a_pattern_of_kinds_keeps_its_kinds() -> None:
    found = asked("precision=fp8,first_last_layers_bf16=true", "gpt_oss_20b")
    whole = asked("precision=fp8", "gpt_oss_20b")
    assert of_stages(found, "P") == of_stages(whole, "P")
    assert of_stages(found, "P_expert_quantised")[0] == of_stages(whole, "P_expert_quantised")[0] * 22 / 24


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ("precision=bf16,first_last_layers_bf16=true", "does not go with precision = bf16"),
        ("precision=fp8,num_layers_at_end_in_bf16=2", "has no meaning without first_last_layers_bf16"),
        ("precision=fp8,first_last_layers_bf16=true,pp=4,num_layers_at_start_in_bf16=3", "is more than pp = 4 stages"),
    ],
)
def test_what_megatron_refuses_is_refused(choices: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        asked(choices)
