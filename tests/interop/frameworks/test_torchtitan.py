"""What starts torchtitan, and what it saves, are one plan: launch lines and saved files of 0.3, TOML of 0.2.

Source of the figures: torchtitan 0.3.0's own ConfigManager, run on a CPU.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import symsim
from tests.interop.frameworks.reading import Folder

LINE = """#!/bin/bash
NGPU=8
torchrun --nproc_per_node=${NGPU} --nnodes 8 -m torchtitan.train --module llama3 --config llama3_8b \\
    --training.disable_cuda_graphs --training.local_batch_size 8 --training.global_batch_size=128 \\
    --parallelism.pipeline_parallel_degree 2 --parallelism.pipeline_parallel_schedule Interleaved1F1B \\
    --parallelism.tensor-parallel-degree 4 --parallelism.context_parallel_degree 2 \\
    --parallelism.fsdp_reshard_after_forward never activation-checkpoint:full
"""

SAVED: dict[str, Any] = {
    "model_spec": {"name": "llama3", "flavor": "8B", "model": {"dim": 4096, "layers": [{"ffn": {"in": 4096}}]}},
    "training": {"local_batch_size": 2, "global_batch_size": 64, "seq_len": 8192, "enable_cpu_offload": True},
    "parallelism": {"data_parallel_replicate_degree": 2, "data_parallel_shard_degree": 8, "tensor_parallel_degree": 2,
                    "enable_sequence_parallel": False},
    "optimizer": {"param_groups": [{"pattern": ".*", "optimizer_name": "AdamW", "optimizer_kwargs": {"lr": 3e-4}}]},
    "activation_checkpoint": {"preserve_rng_state": True},
    "compile": {"enable": False}, "loss": {"num_chunks": 8, "loss_fn": {"global_vocab_size": 128256}},
}  # fmt: skip

TOML = """[model]
name = "llama3"   # one of its own
flavor = "8B"
converters = ["float8"]

[training]
local_batch_size = 4
seq_len = 4096

[parallelism]
tensor_parallel_degree = 2
context_parallel_degree = 2
context_parallel_rotate_method = "alltoall"

[activation_checkpoint]
mode = "selective"
selective_ac_option = "2"
"""


def test_a_launch_line_over_its_registered_configuration(folder: Folder) -> None:
    values = folder.strategy("torchtitan", {"run.sh": LINE}).values
    expected = {"world": 64, "tp": 4, "cp": 2, "pp": 2, "vp": 2, "mbs": 1, "gbs": 128, "seq": 8192, "zero": 2,
                "recompute": "full", "cp_comm": "all_gather", "grad_dtype": "fp32", "vocab_multiple": 1}  # fmt: skip
    assert {name: values[name] for name in expected} == expected
    assert "cuda_graph" not in values


def test_it_stands_for_model_and_strategy(folder: Folder) -> None:
    folder.text("torchtitan", {"run.sh": LINE})
    answer = symsim.evaluate(symsim.load(str(folder.path / "run.sh"))).to_dict()
    assert (answer["model"]["name"], answer["strategy"]["dp"]) == ("llama3_8b", 4)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ("", {"cuda_graph": True, "zero": 3, "mbs": 1, "microbatches": 1, "world": None,
             "recompute": "per_op_sac"}),
        ("--training.global_batch_size 64", {"gbs": 64, "microbatches": None}),
        ("--parallelism.data_parallel_shard_degree 8", {"world": 8}),
        ("--parallelism.data_parallel_shard_degree 1 --parallelism.data_parallel_replicate_degree 4",
         {"world": 4, "zero": 0}),
        ("--parallelism.data_parallel_shard_degree 4 --parallelism.data_parallel_replicate_degree 2",
         {"zero_shard": 4}),
        ("--parallelism.tensor_parallel_degree 2 --parallelism.no-enable-sequence-parallel",
         {"sequence_parallel": False}),
        ("--parallelism.fsdp_reshard_after_forward never", {"zero": 2}),
        ("--training.mixed_precision_param float32", {"precision": "fp32"}),
        ("activation-checkpoint:none", {"recompute": None}),
    ],
)  # fmt: skip
def test_flags_and_their_absence(folder: Folder, flags: str, expected: dict[str, Any]) -> None:
    line = f"python -m torchtitan.train --module llama3 --config llama3_8b {flags}\n"
    values = folder.strategy("torchtitan", {"run.sh": line}).values
    assert {name: values.get(name) for name in expected} == expected


def test_variables_of_its_own_script(folder: Folder) -> None:
    line = 'NGPU=16 MODULE="llama3" CONFIG="llama3_70b" ./run_train.sh --training.seq_len 4096\n'
    values = folder.strategy("torchtitan", {"run.sh": line}).values
    assert (values["world"], values["tp"], values["mbs"], values["recompute"]) == (16, 8, 8, "full")


def test_other_commands_of_a_script_are_passed_over(folder: Folder) -> None:
    script = f"cd torchtitan\npip install torchtitan==0.3.0\n{LINE.partition(chr(10))[2]}"
    assert folder.strategy("torchtitan", {"run.sh": script}).values["world"] == 64


@pytest.mark.parametrize("form", ["saved.json", "one_line.log", "many_lines.log"])
def test_a_saved_configuration_and_the_line_of_a_log(folder: Folder, form: str) -> None:
    line = f"[titan] 2026-01-01 - root - INFO - Running with configs: {json.dumps(SAVED, indent=2)}"
    if form == "one_line.log":
        line = f"[titan] - INFO - Running with configs: {json.dumps(SAVED)}"
    text = (
        json.dumps(SAVED) if form == "saved.json" else "".join(f"[rank0]:{row}\n" for row in (*line.split("\n"), "on"))
    )
    values = folder.strategy("torchtitan", {form: text}).values
    expected = {"world": 32, "tp": 2, "zero": 3, "zero_shard": 8, "mbs": 2, "gbs": 64, "recompute": "full",
                "sequence_parallel": False, "offload": frozenset({"optimizer", "weights"})}  # fmt: skip
    assert {name: values[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("policy", "recompute", "note"),
    [
        (None, None, None),
        ({"force_recompute_mm_shapes_by_fqns": []}, "per_op_sac", None),
        ({"memory_budget": 0.5}, None, "recomputation by a memory budget"),
    ],
)
def test_kinds_of_recomputation_differ_by_a_key_alone(
    folder: Folder, policy: Any, recompute: str | None, note: str | None
) -> None:
    found = folder.strategy("torchtitan", {"saved.json": {**SAVED, "activation_checkpoint": policy}})
    assert found.values.get("recompute") == recompute
    assert note is None or any(text.startswith(note) for text in found.notes)


def test_a_toml_of_the_release_before(folder: Folder) -> None:
    values = folder.strategy("torchtitan", {"run.toml": TOML}).values
    expected = {"tp": 2, "cp": 2, "cp_comm": "ring", "mbs": 4, "precision": "fp8", "sequence_parallel": True, "etp": 1}
    assert {name: values[name] for name in expected} == expected
    assert "cuda_graph" not in values and "world" not in values


def test_a_line_of_the_release_before_names_its_toml(folder: Folder) -> None:
    (folder.path / "run.toml").write_text(TOML)
    line = 'CONFIG_FILE="run.toml" NGPU=8 ./run_train.sh --training.local_batch_size 2\n'
    values = folder.strategy("torchtitan", {"run.sh": line}).values
    assert (values["world"], values["mbs"], values["cp_comm"]) == (8, 2, "ring")


def test_a_model_that_is_not_shipped_leaves_the_strategy(folder: Folder) -> None:
    line = "python -m torchtitan.train --module qwen3 --config qwen3_1_7b\n"
    text = folder.text("torchtitan", {"run.sh": line})
    assert "model " not in text.split("note")[0] and "the model 'qwen3 1.7B' of torchtitan is not shipped here" in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--config llama3_9b", "E512 the configuration 'llama3 llama3_9b' is not known here"),
        ("--config llama3_8b --parallelism.pipeline_parallel_degree 2", "E511 CUDA graphs do not go with a pipeline"),
        ("--config llama3_8b --parallelism.tensor_parallel 2", "E522 'parallelism.tensor_parallel' is not known here"),
        ("--config llama3_8b --training.dtype bfloat16", "E512 training.dtype"),
        ("--config llama3_8b --training.seq_len 4100 --parallelism.tensor_parallel_degree 8", "E511 seq_len 4100"),
        ("--config llama3_8b --parallelism.pipeline_parallel_layers_per_stage 2", "E512 pipeline_parallel_layers_per"),
        ("--training.seq_len 4096", "E512 --module and --config are both needed"),
    ],
)
def test_what_is_refused(folder: Folder, flags: str, message: str) -> None:
    line = f"python -m torchtitan.train --module llama3 {flags}\n"
    assert folder.problem("torchtitan", {"run.sh": line}).startswith(message)


def test_errors_of_a_toml_point_at_their_line(folder: Folder) -> None:
    problem = folder.problem("torchtitan", {"run.toml": TOML + "\n[compile]\nenabled = true\n"})
    assert problem == "E522 'compile.enabled' is not known here | enabled = true"
    assert folder.problem("torchtitan", {"run.toml": TOML + "\n[compile\n"}).startswith("E502 this is not TOML")
