"""What an execution and a model of Calculon say in symsim's words."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.evaluate import answer
from symsim.diagnostics import InputError, Source
from symsim.interop.formats import kind_of, translated
from symsim.language.strategies import Strategy
from symsim.loading.question import question
from tests.interop.foreign import json_file, strategy_in
from tests.models.counting import model_of

MODEL = {"hidden": 1024, "feedforward": 4096, "seq_size": 512, "attn_heads": 16, "attn_size": 64, "num_blocks": 8}
EXECUTION = {
    "num_procs": 16, "tensor_par": 2, "pipeline_par": 2, "data_par": 4, "tensor_par_net": 0, "pipeline_par_net": 1,
    "data_par_net": 1, "batch_size": 64, "microbatch_size": 2, "datatype": "float16", "fused_activation": True,
    "attention_type": "multihead", "activation_recompute": "none", "pipeline_interleaving": 1,
    "optimizer_sharding": True, "tensor_par_comm_type": "rs_ag", "tensor_par_overlap": "none", "seq_par_ag_redo": True,
    "data_par_overlap": False, "weight_offload": False, "activations_offload": False, "optimizer_offload": False,
    "training": True,
}  # fmt: skip


def text(model: bool = True, **keys: Any) -> str:
    files = [json_file("m.json", MODEL)] if model else []
    return translated([*files, json_file("e.json", {**EXECUTION, **keys})], "calculon").text


def strategy(**keys: Any) -> Strategy:
    return strategy_in(text(**keys))


@pytest.mark.parametrize(
    ("keys", "name", "value"),
    [
        ({}, "seq", 512),
        ({}, "sequence_parallel", True),
        ({"tensor_par_comm_type": "p2p_rs_ag", "seq_par_ag_redo": False}, "sequence_parallel", False),
        ({}, "precision", "fp16"),
        ({"datatype": "bfloat16"}, "precision", "bf16"),
        ({}, "grad_dtype", "fp32"),
        ({}, "zero", 1),
        ({"optimizer_sharding": False}, "zero", 0),
        ({"activation_recompute": "full", "seq_par_ag_redo": False}, "recompute", "full"),
        ({"activation_recompute": "attn_only"}, "recompute", frozenset({"core_attn"})),
        ({"pipeline_interleaving": 2}, "vp", 2),
        ({"data_par_overlap": True}, "overlap_grad_reduce", True),
        ({"tensor_par_overlap": "pipe"}, "overlap_tp", True),
        ({"weight_offload": True, "optimizer_offload": True}, "offload", frozenset({"weights", "optimizer"})),
        ({"activations_offload": True}, "offload", frozenset({"attention", "layernorm", "mlp"})),
        ({}, "dropout", True),
        ({}, "attention", "unfused"),
    ],
)
def test_a_key_says(keys: dict[str, Any], name: str, value: object) -> None:
    assert strategy(**keys).values[name] == value


def test_heads_that_share_keys_are_of_the_model() -> None:
    assert model_of(text().partition("\nstrategy")[0]).dimensions["kv_heads"] == 16
    assert model_of(text(attention_type="multiquery").partition("\nstrategy")[0]).dimensions["kv_heads"] == 1


def test_parameters_are_those_that_calculon_counts() -> None:
    """Its count leaves out the last norm (llm.py, Application.num_parameters)."""
    hidden, ffn, heads = 1024, 4096, 16 * 64
    block = 2 * hidden * ffn + 4 * hidden * heads + hidden + ffn + 3 * heads + hidden + 4 * hidden
    counted = 8 * block + (51200 + 512) * hidden
    model = Source("m.sym", translated([json_file("m.json", MODEL)], "calculon").text)
    asked = question(model, "world=1,mbs=1,gbs=1,seq=1", None)
    assert answer(asked.model, asked.plan, None).values["parameters"] == counted + 2 * hidden


@pytest.mark.parametrize(
    ("keys", "note"),
    [
        ({"fused_activation": False}, "fused_activation = false is left out"),
        ({"tensor_par_comm_type": "ar", "seq_par_ag_redo": False}, "tensor_par_comm_type = ar"),
        ({"seq_par_ag_redo": False}, "seq_par_ag_redo = false is left out"),
        ({"datatype": "float8"}, "datatype = float8"),
        ({"tensor_par_net": 1}, "the network of a group follows"),
    ],
)
def test_what_has_no_spelling_is_said(keys: dict[str, Any], note: str) -> None:
    assert any(note in said for said in strategy(**keys).notes)


def test_alone_an_execution_lacks_the_length_of_a_sequence() -> None:
    found = strategy_in(text(model=False))
    assert "seq" not in found.values and any("--set seq=" in note for note in found.notes)


@pytest.mark.parametrize(
    "keys",
    [
        {"num_procs": 15},
        {"batch_size": 63},
        {"pipeline_par": 1, "data_par": 8, "pipeline_interleaving": 2},
        {"tensor_par_overlap": "half"},
        {"attention_type": "grouped"},
        {"tensor_par_comm_type": "ar"},
        {"activation_recompute": "full"},
        {"num_procs": 32, "pipeline_par": 4, "weight_offload": True},
        {"pipeline_interleaving": 3},
        {"data_par": 1, "num_procs": 4, "data_par_overlap": True, "optimizer_sharding": False},
    ],
    ids=str,
)
def test_what_calculon_refuses_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError) as raised:
        strategy(**keys)
    assert {(d.code, d.hint) for d in raised.value.diagnostics} == {("E511", "Calculon itself refuses this file")}


def test_a_forward_pass_alone_is_no_plan() -> None:
    with pytest.raises(InputError, match="a forward pass alone"):
        strategy(training=False)


def test_every_key_is_needed() -> None:
    with pytest.raises(InputError, match=r"e\.json has no 'training'"):
        translated([json_file("e.json", {k: v for k, v in EXECUTION.items() if k != "training"})], "calculon")


def test_machines_are_told_apart() -> None:
    kind = kind_of(json_file("s.json", {"matrix": {}, "vector": {}, "mem1": {}, "networks": []}))
    assert kind is not None and kind.translate is None and kind.title == "a machine of Calculon"
