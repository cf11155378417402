"""What follows the last micro-batch."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.compiler.pipeline import compile_cost
from symsim.loading.question import question
from symsim.symbols import symbol
from tests.compiler.asking import SMALL

OVERLAPPED = "gbs=6400,seq=2048,overlap_grad_reduce=true,"


def values(model: str, choices: str) -> dict[str, Any]:
    asked = question(model, OVERLAPPED + choices, "h100_sxm")
    return dict(answer(asked.model, asked.plan, machine_of(asked)).values)


def one(value: Any) -> float:
    """A number of a run, or of its one stage."""
    return float(value[0] if isinstance(value, list) else value)


LLAMA3_8B = {"embedding": 128256 * 4096, "vector": 4096, "qkv": 6144 * 4096, "output": 4096**2, "up": 28672 * 4096}
LLAMA3_8B["down"] = LLAMA3_8B["up"] // 2
LAYER = ("vector", "qkv", "output", "vector", "up", "down")


def last_of(parameters: list[int], bucket: int) -> int:
    """Elements of the last bucket: parameters are added, last to first, until a bucket has its size."""
    buckets, opened = [0], True
    for elements in reversed(parameters):
        if not opened:
            buckets.append(0)
        buckets[-1] += elements
        opened = buckets[-1] < bucket
    return buckets[-1]


def test_all_gradients_of_a_small_model_are_one_bucket_and_none_is_reduced_early() -> None:
    found = values(SMALL, "world=8")
    assert one(found["last_bucket"]) == 1
    assert one(found["reduce_early"]) == 0


@pytest.mark.parametrize(("world", "given"), [(8, None), (100, None), (64, 10**8), (64, 10**7)])
def test_the_last_bucket_holds_the_embedding_and_what_was_added_since_the_last_full_one(
    world: int, given: int | None
) -> None:
    found = values("llama3_8b", f"world={world}" + (f",ddp_bucket_size={given}" if given else ""))
    size = given or max(40_000_000, 1_000_000 * world)
    row = ["embedding", *LAYER * 32, "vector", "embedding"]
    last = last_of([LLAMA3_8B[name] for name in row], size)
    assert one(found["last_bucket"]) * one(found["P"]) == pytest.approx(last)


@pytest.mark.parametrize(("world", "given"), [(128, None), (64, 2 * 10**8), (64, 3 * 10**8)])
def test_where_no_parameter_fills_a_bucket_the_last_one_is_off_by_less_than_a_bucket(
    world: int, given: int | None
) -> None:
    found = values("llama3_8b", f"world={world}" + (f",ddp_bucket_size={given}" if given else ""))
    size = given or 1_000_000 * world
    last = last_of([LLAMA3_8B[name] for name in ["embedding", *LAYER * 32, "vector", "embedding"]], size)
    assert abs(one(found["bucket.last"]) - last) < size
    assert one(found["bucket.last"]) >= LLAMA3_8B["embedding"]


def test_later_stages_have_one_bucket_and_reduce_it_while_earlier_ones_run_backward() -> None:
    found = values("llama3_8b", "world=64,pp=4")
    assert found["last_bucket"][1:] == [1, 1, 1]
    assert found["stage.dp.reduce"][3] == 0
    reduce, back = (float(found[n][1]) for n in ("reduce", "pipeline.back"))
    assert found["stage.dp.reduce"][1] == pytest.approx(max(reduce - back, 0))


def test_of_several_chunks_the_first_one_is_ready_last() -> None:
    found = values("llama3_8b", "world=64,pp=4,vp=4")
    layers = 2 * sum(LLAMA3_8B[name] for name in LAYER)
    assert found["bucket.chunk"] == [layers + LLAMA3_8B["embedding"], layers, layers, layers]


def test_a_shared_table_has_a_bucket_of_its_own() -> None:
    found = values("llama32_1b", "world=8,pp=2")
    assert found["bucket.last"][0] == 128256 * 2048


def test_each_matrix_of_an_expert_is_a_parameter_of_a_bucket() -> None:
    """The first layer's experts are reduced last: both matrices of four of them, the first of which fills a bucket."""
    up, down = 2 * 14336 * 4096, 14336 * 4096
    found = values("mixtral_8x7b", "world=8,ep=2")
    row = [*[up] * 4, *[down] * 4] * 32
    assert one(found["bucket.last_expert"]) == last_of(row, 40_000_000)
    found = values("mixtral_8x7b", "world=8,ep=2,ddp_bucket_size=100000000")
    assert one(found["bucket.last_expert"]) == last_of(row, 100_000_000)


def test_other_frameworks_cut_buckets_anywhere() -> None:
    found = values("llama3_8b", "world=8,framework=nanotron")
    assert one(found["last_bucket"]) * one(found["P"]) == pytest.approx(40_000_000)


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
