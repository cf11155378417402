"""Each fact of a software profile, by what it changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from symsim.analysis.evaluate import Answer, answer
from symsim.compiler.profile import BASE, profile_of
from symsim.language.library import library_of
from symsim.loading.question import question
from symsim.records.strategy import CHOICES

SMALL = "llama(hidden=2048, layers=16, heads=32, ffn=8192, vocab=131072, tied=true)"


def plan(model: str = SMALL, **choices: Any) -> Answer:
    given = {"world": 8, "gbs": 256, "seq": 4096, "sequence_parallel": False, **choices}
    text = ",".join(f"{n}={str(v).lower() if isinstance(v, bool) else v}" for n, v in given.items())
    asked = question(model, text, None)
    return answer(asked.model, asked.plan, None)


def first(found: Answer, name: str) -> float:
    """A value on the first stage."""
    return float(found.of_stage(name)[0])


def layers(**choices: Any) -> Sequence[float]:
    return plan(**choices).of_stage("n")


def test_every_framework_of_a_strategy_has_a_profile_with_known_facts() -> None:
    library = library_of()
    assert sorted(library.profiles) == sorted(CHOICES["framework"].words)
    base = {fact.name for fact in library.profiles[BASE].facts}
    assert all(fact.name in base for item in library.profiles.values() for fact in item.facts)


def test_every_fact_names_its_source() -> None:
    assert all(fact.source for item in library_of().profiles.values() for fact in item.facts)


def test_what_a_profile_does_not_state_is_megatrons() -> None:
    asked = question(SMALL, "framework=fsdp", None, needs_sizes=False)
    facts = profile_of(library_of(), asked.plan.structure)
    own = {"gate_saved", "gradients_offload", "master_is_weight", "mamba_fused", "delta_fused"}
    assert facts.own == own | {"adapters_apart", "main_gradients", "kept_inputs", "whole_parameters_in_buckets"}
    assert facts["layer_split"] == "even"


def test_nanotron_splits_layers_by_work_and_the_head_counts_its_own() -> None:
    """The head is as much work as four layers: 20 in all, five for each of four stages."""
    assert layers(framework="nanotron", pp=4) == [5, 5, 5, 1]
    assert layers(framework="nanotron", pp=8) == [3, 2, 3, 2, 3, 2, 1, 0]


@pytest.mark.parametrize("pp", [1, 2, 3, 5, 8, 16])
@pytest.mark.parametrize("framework", ["nanotron", "deepspeed", "torchtitan", "internevo"])
def test_no_layer_is_lost_by_a_split(framework: str, pp: int) -> None:
    held = layers(framework=framework, pp=pp, world=240, gbs=240)
    assert sum(held) == 16
    assert min(held) >= 0


def test_deepspeed_fills_stages_and_counts_the_ends_where_layers_do_not_divide() -> None:
    """BLOOM: 70 layers, embedding and head on 12 stages of six each; 72 layers need no ends."""
    bloom = "gpt(hidden=128, layers={}, heads=8, vocab=1024)"
    choices = {"framework": "deepspeed", "pp": 12, "world": 12, "gbs": 24}
    assert plan(bloom.format(70), **choices).of_stage("n") == [5, *[6] * 10, 5]
    assert plan(bloom.format(72), **choices).of_stage("n") == [6] * 12
    assert plan(bloom.format(73), **choices).of_stage("n") == [6, *[7] * 9, 4, 0]


def test_megatron_core_before_0_14_keeps_no_empty_gradient_for_the_head() -> None:
    old = plan(te_version="2.3.0", framework_version="0.13.1")
    new = plan(te_version="2.3.0")
    assert first(new, "buffers") - first(old, "buffers") == 2 * 131072 * 2048


@pytest.mark.parametrize("framework", ["fsdp", "torchtitan"])
def test_a_shard_of_fsdp_is_the_fp32_weight_itself(framework: str) -> None:
    """16 bytes a parameter: weight, gradient and two moments in fp32."""
    found = plan(framework=framework, zero=3, world=4, gbs=8)
    assert first(found, "states") == 16 * first(found, "P") / 4


def test_torchtitan_gives_the_first_stages_one_more() -> None:
    assert layers(framework="torchtitan", pp=4) == [4, 5, 4, 3]


def test_internevo_gives_the_last_stages_one_more() -> None:
    assert layers(framework="internevo", pp=3, world=3, gbs=6) == [5, 5, 6]


def test_what_the_strategy_says_of_ends_comes_first() -> None:
    assert layers(framework="nanotron", pp=4, first_stage_layers=1) == [1, 5, 5, 5]


def test_nanotron_keeps_fp32_accumulator_beside_bf16_gradients() -> None:
    found = plan(framework="nanotron", pp=1)
    assert first(found, "gradients") == 4 * first(found, "P")
    assert first(found, "w_gradients") == 2 * first(found, "P")


def test_gradients_that_are_accumulated_in_their_own_type_are_held_once() -> None:
    assert "w_gradients" not in plan(framework="nanotron", grad_dtype="bf16").values
    assert "narrow_gradients" not in plan(framework="deepspeed", grad_dtype="fp16", precision="fp16").values


def test_deepspeed_keeps_bf16_gradients_until_the_next_backward_pass() -> None:
    found = plan(framework="deepspeed")
    assert first(found, "narrow_gradients") == 2 * first(found, "P")


def test_deepspeed_makes_the_shard_of_fp16_gradients_flat_and_fp32_in_its_step() -> None:
    found = plan(framework="deepspeed", grad_dtype="fp16", precision="fp16")
    assert first(found, "w_step") == 6 * first(found, "P") / 8
    assert "w_step" not in plan(framework="deepspeed", grad_dtype="fp16", precision="fp16", zero=0).values


def test_nanotron_without_zero_holds_buckets_of_all_gradients() -> None:
    found = plan(framework="nanotron", zero=0)
    assert first(found, "buckets") == 2 * first(found, "P")
    assert first(plan(framework="nanotron", zero=0, world=1, gbs=4), "buckets") == 0
    assert "buckets" not in plan(framework="nanotron", zero=1).values


def test_deepspeed_keeps_what_it_sent_until_the_micro_batch_comes_back() -> None:
    found = plan(framework="deepspeed", pp=4)
    stream = 4096 * 2048 * 2
    assert found.of_stage("outputs") == [4 * stream, 3 * stream, 2 * stream, 0]


def test_a_gate_of_its_own_kernel_is_saved() -> None:
    more = plan(framework="fsdp").values["A"] - plan().values["A"]
    assert more == 4096 * 8192 * 2


def test_nanotron_keeps_queries_keys_and_values_in_one_tensor_beside_the_copied_keys_and_values() -> None:
    more = plan(framework="nanotron").values["A"] - plan(framework="fsdp").values["A"]
    assert more == 2 * 4096 * 2048 * 2
    grouped = "llama(hidden=2048, layers=16, heads=32, kv_heads=8, ffn=8192, vocab=131072)"
    assert plan(grouped, framework="nanotron").values["A"] == plan(grouped, framework="fsdp").values["A"]


def test_nanotron_holds_ten_bytes_for_each_logit_in_its_loss() -> None:
    """The bf16 logits, their fp32 copy, and the copy that becomes the softmax, which is saved."""
    found = plan(framework="nanotron")
    logits = 4096 * 131072
    above = first(found, "w.head.loss.forward") - 4 * 4096
    assert above + 4 * logits == pytest.approx(10 * logits)


def test_nanotron_logs_the_peak_of_its_first_stage() -> None:
    found = plan(framework="nanotron", pp=2, mbs=4)
    peaks = found.of_stage("peak")
    assert found.values["memory.reported"] == peaks[0]
    assert found.values["memory.peak"] == max(peaks)
    assert "memory.reported" not in plan(pp=2).values


def test_the_fitted_facts_of_nanotron_are_seen_only_where_they_were_measured() -> None:
    piped = plan(framework="nanotron", pp=4)
    assert piped.of_stage("embedding_copy") == [6 * 131072 * 2048, 0, 0, 0]
    assert first(plan(framework="nanotron", pp=1), "embedding_copy") == 0
    assert "late" not in plan(framework="nanotron", zero=0).values
    assert first(plan(framework="nanotron", world=1, gbs=4), "late") == 0


def test_the_step_of_deepspeed_copies_its_shard_however_large_that_is() -> None:
    sizes = "world=64,tp=2,gbs=64,seq=1024,grad_dtype=bf16,zero_shard=2"
    asked = question("llama3_8b", f"{sizes},framework=deepspeed", None)
    found = answer(asked.model, asked.plan, None)
    assert found.of_stage("w_step")[0] == (2 + 4) * found.of_stage("P")[0] / 2
