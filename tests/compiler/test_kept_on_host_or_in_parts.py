"""Kept inputs that tensor-parallel ranks share, a part of the states on the host, and domains of a dispatcher."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.answer_json import beyond_domain
from symsim.analysis.evaluate import Answer, answer, machine_of
from symsim.diagnostics import InputError
from symsim.loading.question import Question, question

PLAN = "world=16,tp=4,pp=2,microbatches=8,seq=2048,sequence_parallel=false"
PARTS = "recompute=full,distribute_saved_activations=true"


def asked(choices: str, model: str = "llama3_8b") -> tuple[Question, Answer]:
    given = question(model, f"{PLAN},{choices}", "h100_sxm", ("fit=none",))
    return given, answer(given.model, given.plan, machine_of(given))


def first(found: Answer, name: str) -> float:
    return float(found.of_stage(name)[0])


def test_ranks_share_the_kept_input_of_a_layer_that_is_recomputed_whole() -> None:
    whole, parts = asked("recompute=full")[1], asked(PARTS)[1]
    assert first(parts, "A") == first(whole, "A") / 4 == 2 * 2048 * 4096 / 4


def test_the_whole_input_is_there_again_while_its_layer_runs() -> None:
    whole, parts = asked("recompute=full")[1], asked(PARTS)[1]
    name = "w.mlp.act.backward"
    assert first(parts, name) - first(whole, name) == first(whole, "A") - first(parts, "A")


def test_each_layer_gathers_its_input_before_it_runs_again() -> None:
    whole, parts = asked("recompute=full")[1], asked(PARTS)[1]
    more = first(parts, "sent.tp") - first(whole, "sent.tp")
    assert more == 16 * 2 * 2048 * 4096 * 3 / 4
    assert parts.values["time.tensor_parallel"] > whole.values["time.tensor_parallel"]


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ("recompute={mlp},distribute_saved_activations=true", "does not go with recompute"),
        (f"{PARTS},sequence_parallel=true", "does not go with sequence_parallel = true"),
        (f"{PARTS},tp=1", "tp = 1 is less than 2"),
        ("optimizer_offload_fraction=0.5", "a part of offloaded optimizer states"),
        ("offload={optimizer},optimizer_offload_fraction=1.5", "must be at most 1"),
        ("offload={attn_proj}", "the input of attn_proj is the output of core_attn"),
        ("offload={optimizer},min_offloaded_tensor_size=1Mi", "none is offloaded"),
    ],
)
def test_what_megatron_refuses_is_refused(choices: str, message: str) -> None:
    """Source: megatron-core 0.16.1, transformer_config.py; Megatron-LM, megatron/training/arguments.py."""
    kept = [c for c in PLAN.split(",") if c.partition("=")[0] not in choices]
    given = ",".join((*(c for c in kept if not (c.startswith("tp=") and "tp=1" in choices)), choices))
    with pytest.raises(InputError, match=message):
        plan = question("llama3_8b", given, None)
        answer(plan.model, plan.plan, None)


def test_a_part_of_the_optimizer_states_is_in_host_memory() -> None:
    device, host, part = (
        asked(c)[1] for c in ("", "offload={optimizer}", "offload={optimizer},optimizer_offload_fraction=0.25")
    )
    states = first(device, "optimizer")
    assert first(part, "host.optimizer") == states / 4
    assert first(part, "optimizer") == 3 * states / 4
    assert first(host, "optimizer") == 0
    assert first(part, "offload.step") == first(host, "offload.step") / 4


MODULES = ("attn_norm", "qkv_linear", "core_attn", "attn_proj", "mlp_norm", "expert_fc1", "moe_act")
"""What megatron-core 0.16.1 calls the modules whose inputs it offloads (TransformerConfig.offload_modules)."""

EXPERTS = "moe(hidden=512,layers=4,heads=8,kv_heads=8,head_dim=64,experts=8,topk=2,expert_ffn=1024,vocab=1024)"
ALONE = "world=2,ep=2,microbatches=2,seq=1024"


def leaves(modules: str, more: str = "") -> float:
    """Bytes that one layer sends to the host for one micro-batch of 1,024 tokens."""
    given = question(EXPERTS, f"{ALONE},offload={{{modules}}}{more}", None)
    return float(answer(given.model, given.plan, None).values["offload.one"])


def test_modules_of_fine_grained_offloading_are_regions() -> None:
    """The stream before either norm, their outputs where they are inputs of products, what attention keeps, and what
    the experts' two halves keep: 2,048 rows of 512 features, of 2,048 and of 1,024."""
    stream, lse = 2 * 1024 * 512, 4 * 1024 * 8
    assert leaves("attn_norm") == leaves("mlp_norm") == leaves("qkv_linear") == stream
    assert leaves("core_attn,attn_proj") == 4 * stream + lse
    assert leaves("expert_fc1") == 2 * 2048 * 512
    assert leaves("moe_act") == 2 * 2048 * 2048
    assert leaves(",".join(MODULES)) == 7 * stream + lse + 2 * 2048 * (512 + 2048)


def test_tensors_below_the_smallest_size_stay() -> None:
    stream = 2 * 1024 * 512
    assert leaves("core_attn,attn_proj", ",min_offloaded_tensor_size=8193") == 4 * stream
    assert leaves("core_attn,attn_proj", ",min_offloaded_tensor_size=524288") == 4 * stream
    assert leaves("core_attn,attn_proj", ",min_offloaded_tensor_size=524289") == 0


def test_what_stays_and_what_leaves_is_what_was_saved() -> None:
    given = question(EXPERTS, ALONE, None)
    whole = float(answer(given.model, given.plan, None).values["A"])
    for smallest in (2, 8193, 600_000, 10**7):
        chosen = f"offload={{{','.join(MODULES)}}},min_offloaded_tensor_size={smallest}"
        asked = question(EXPERTS, f"{ALONE},{chosen}", None)
        found = answer(asked.model, asked.plan, None).values
        assert float(found["A"]) + float(found["offload.one"]) == whole


@pytest.mark.parametrize(("dispatch", "ep", "told"), [("hybridep", 8, 0), ("hybridep", 16, 1), ("deepep", 16, 0)])
def test_a_dispatcher_that_may_not_cross_domains_is_named(dispatch: str, ep: int, told: int) -> None:
    choices = f"world=64,ep={ep},microbatches=4,seq=2048,moe_dispatch={dispatch}"
    given = question("qwen3_30b_a3b", choices, "h100_sxm", ("fit=none",))
    machine: Any = machine_of(given)
    said = beyond_domain(given, answer(given.model, given.plan, machine), machine)
    assert len(said) == told
    assert all(f"ep = {ep} lies on 2 NVLink domains of 8" in text for text in said)
