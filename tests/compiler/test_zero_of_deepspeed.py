"""DeepSpeed's ZeRO 2 and 3: what is whole on a rank, what is in a bucket, what leaves with the optimizer.

The numbers are counted by hand from deepspeed/runtime/zero (stage_1_and_2.py, stage3.py).
"""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import answer
from symsim.loading.question import question
from tests.compiler.asking import values

RANKS = 8
BUCKET = 500_000_000
LARGEST = 512 * 2048
"""Elements of the largest weight of a layer: the gated feed-forward's first."""


def deepspeed(choices: str) -> dict[str, float]:
    return values(f"framework=deepspeed,{choices}")


def test_llama2_70b_holds_what_deepspeeds_own_estimator_says() -> None:
    """estimate_zero3_model_states_mem_needs: 18 bytes a parameter over the ranks, 4 of the largest layer whole."""
    plan = "world=64,zero=3,framework=deepspeed,mbs=1,gbs=64,seq=2048,recompute=full"
    asked = question("llama2_70b", plan, None)
    found = answer(asked.model, asked.plan, None)
    parameters = found.of_stage("P")[0]
    assert found.of_stage("states")[0] == pytest.approx(18 * parameters / 64)
    estimated = 18 * parameters / 64 + 4 * 8192 * 57344
    activations = found.of_stage("activations")[0]
    assert found.values["memory.peak"] - activations == pytest.approx(estimated, rel=0.25)


def test_no_whole_copy_of_the_gradients_from_zero_2_on() -> None:
    found = deepspeed("zero=2")
    assert found["narrow_gradients"] == 2 * found["P"] / RANKS
    assert "narrow_gradients" not in deepspeed("zero=3")
    assert deepspeed("zero=1")["narrow_gradients"] == 2 * found["P"]


def test_gradients_are_reduced_out_of_a_bucket_of_bf16() -> None:
    assert deepspeed("zero=3")["bucket"] == 2 * BUCKET
    assert "bucket" not in deepspeed("zero=1")


def test_zero_2_that_overlaps_its_reduction_has_two_buckets() -> None:
    assert deepspeed("zero=2,overlap_grad_reduce=true")["bucket"] == 2 * 2 * BUCKET
    assert deepspeed("zero=3,overlap_grad_reduce=true")["bucket"] == 2 * BUCKET


def test_beside_the_bucket_are_its_copy_and_the_gradient_of_one_weight() -> None:
    """All parameters of the small model fill a part of a bucket."""
    found = deepspeed("zero=3")
    assert found["reducing"] == 2 * (found["P"] + LARGEST)


def test_a_copy_of_the_bucket_is_no_larger_than_the_bucket() -> None:
    asked = question("llama2_7b", "world=8,framework=deepspeed,zero=3,gbs=8,seq=2048", None)
    found = answer(asked.model, asked.plan, None)
    assert found.of_stage("reducing")[0] == 2 * (BUCKET + 4096 * 2 * 11008)


@pytest.mark.parametrize("zero", [0, 1])
def test_fp16_gradients_are_held_once(zero: int) -> None:
    """Each is added to the fp32 buffer as it is made, and freed: the bf16 optimizer alone keeps both."""
    assert "narrow_gradients" not in deepspeed(f"zero={zero},precision=fp16")
    assert "narrow_gradients" in deepspeed(f"zero={zero},precision=bf16")


def test_the_step_has_the_shard_flat_and_makes_it_fp32_where_it_is_not() -> None:
    for zero in (2, 3):
        assert deepspeed(f"zero={zero}")["w_step"] == 4 * deepspeed("")["P"] / RANKS
        assert deepspeed(f"zero={zero},grad_dtype=bf16")["w_step"] == (2 + 4) * deepspeed("")["P"] / RANKS
    assert "w_step" not in deepspeed("zero=1")


def test_zero_3_makes_the_step_of_at_most_a_billion_elements_at_once() -> None:
    asked = question("llama2_70b", "world=8,framework=deepspeed,zero=3,gbs=8,seq=2048", None)
    assert answer(asked.model, asked.plan, None).of_stage("w_step")[0] == 4 * 10**9


@pytest.mark.parametrize("zero", [2, 3])
def test_gradients_and_step_leave_with_the_optimizer(zero: int) -> None:
    found = deepspeed(f"zero={zero},offload={{optimizer}}")
    assert found["optimizer"] == found["gradients"] == 0
    assert "w_step" not in found
    assert "narrow_gradients" not in found


def test_no_second_copy_of_the_gradients_stays_where_the_optimizer_leaves() -> None:
    """The optimizer that keeps bf16 gradients beside fp32 ones is not used then: each is added and freed."""
    found = deepspeed("zero=1,offload={optimizer}")
    assert "narrow_gradients" not in found
    assert found["gradients"] == 4 * found["P"]


def test_megatron_keeps_its_gradient_buffer_where_the_optimizer_leaves() -> None:
    found = values("zero=1,offload={optimizer}")
    assert found["gradients"] == 4 * found["P"]


@pytest.mark.parametrize("framework", ["fsdp", "torchtitan"])
def test_with_fsdp_all_shards_leave_with_the_optimizer(framework: str) -> None:
    found = values(f"framework={framework},zero=3,offload={{optimizer}}")
    assert found["states"] == 0
    assert found["host"] == 16 * found["P"] / RANKS
