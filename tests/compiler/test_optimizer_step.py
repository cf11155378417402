"""What follows the last micro-batch."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.compiler.optimizer_step import BUCKET, BUCKET_OF_RANK
from symsim.compiler.pipeline import compile_cost
from symsim.loading.question import question
from symsim.symbols import symbol
from tests.compiler.asking import SMALL

OVERLAPPED = "gbs=256,seq=2048,overlap_grad_reduce=true,"


def values(model: str, choices: str) -> dict[str, Any]:
    asked = question(model, OVERLAPPED + choices, "h100_sxm")
    return dict(answer(asked.model, asked.plan, machine_of(asked)).values)


def one(value: Any) -> float:
    """A number of a run, or of its one stage."""
    return float(value[0] if isinstance(value, list) else value)


def test_all_gradients_of_a_small_model_are_one_bucket_and_none_is_reduced_early() -> None:
    found = values(SMALL, "world=8")
    assert one(found["last_bucket"]) == 1
    assert one(found["reduce_early"]) == 0


def test_the_last_bucket_of_a_large_model_is_a_part_of_its_gradients() -> None:
    found = values("llama3_8b", "world=8")
    assert one(found["last_bucket"]) * one(found["P"]) == pytest.approx(BUCKET)


def test_buckets_grow_with_the_replicas() -> None:
    found = values("llama3_8b", "world=128")
    assert one(found["last_bucket"]) * one(found["P"]) == pytest.approx(128 * BUCKET_OF_RANK)


@pytest.mark.parametrize(
    ("model", "choices", "left"),
    [
        ("llama3_8b", "", "framework.step"),
        ("mixtral_8x7b", ",ep=2,zero=1", "framework.step"),
        (
            "llama3_8b",
            ",framework=deepspeed,zero=2,offload={optimizer}",
            "framework.step + offload.step/host.bandwidth",
        ),
    ],
)
def test_without_parameters_only_the_host_takes_time(model: str, choices: str, left: str) -> None:
    asked = question(model, f"world=8,gbs=64,seq=4096{choices}", None)
    definitions = compile_cost(asked.model, asked.plan.structure).definitions
    step = next(d.expression for d in definitions if d.name == "stage.optimizer")
    assert str(step.subs({symbol("P"): 0, symbol("P_expert"): 0})) == left
