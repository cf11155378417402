"""Passes that ran before for another structure give what they would give now."""

from __future__ import annotations

import random

import pytest

from symsim.compiler.pipeline import compile_cost
from symsim.compiler.reuse import Passes
from symsim.diagnostics import InputError
from symsim.loading.question import question

pytestmark = pytest.mark.slow

SIZES = "world=64,tp=2,pp=2,mbs=1,gbs=64,seq=4096"
CHOICES = {
    "zero": ("1", "2", "3"),
    "recompute": ("none", "full", "{core_attn}", "{layernorm, mlp}"),
    "sequence_parallel": ("true", "false"),
    "overlap_grad_reduce": ("true", "false"),
    "overlap_param_gather": ("true", "false"),
    "overlap_tp": ("true", "false"),
    "overlap_p2p": ("true", "false"),
    "cuda_graph": ("true", "false"),
    "precision": ("bf16", "fp8"),
    "optimizer": ("adam", "sgd"),
    "schedule": ("1f1b", "gpipe", "zb_h1"),
    "cp_comm": ("a2a", "ring"),
    "framework": ("megatron", "nanotron"),
}


@pytest.mark.parametrize("model", ["llama3_8b", "mixtral_8x7b", "gemma3_27b"])
def test_a_structure_after_others_is_compiled_as_if_it_were_the_first(model: str) -> None:
    draw = random.Random(model)
    passes, first = Passes(), None
    for _ in range(10):
        chosen = {name: draw.choice(values) for name, values in CHOICES.items() if draw.random() < 0.4}
        asked = question(model, ",".join([SIZES, *(f"{n}={v}" for n, v in chosen.items())]), None)
        first = first or asked.model
        try:
            alone = compile_cost(asked.model, asked.plan.structure)
        except InputError:
            continue
        after = compile_cost(first, asked.plan.structure, passes=passes)
        assert after.definitions == alone.definitions, chosen
        assert after.rules == alone.rules
        assert after.inputs == alone.inputs
        assert after.figures == alone.figures
        assert [d for s in after.segments for d in s.definitions] == list(after.definitions)


def test_a_pass_that_is_asked_the_same_does_not_run_again(monkeypatch: pytest.MonkeyPatch) -> None:
    import symsim.compiler.pipeline as pipeline

    asked = question("llama3_8b", f"{SIZES},zero=1", None)
    other = question("llama3_8b", f"{SIZES},overlap_grad_reduce=true", None)
    passes = Passes()
    compile_cost(asked.model, asked.plan.structure, passes=passes)
    ran: list[str] = []
    original = pipeline.expand

    def counted(*given: object) -> object:
        ran.append("expand")
        return original(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(pipeline, "expand", counted)
    compile_cost(asked.model, other.plan.structure, passes=passes)
    assert not ran
