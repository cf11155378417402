"""A configuration of accelerate's launcher is read as accelerate 1.15.0 reads it."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.interop import formats
from symsim.interop.foreign_file import read_foreign
from tests.interop.frameworks.reading import Folder

FSDP = {"distributed_type": "FSDP", "mixed_precision": "bf16", "num_machines": 2, "num_processes": 16}


def found(folder: Folder, keys: dict[str, Any], arguments: dict[str, Any] | None = None) -> Any:
    files = {"accelerate.json": keys} | ({} if arguments is None else {"arguments.json": arguments})
    return folder.strategy("accelerate", files)


def fsdp(**block: Any) -> dict[str, Any]:
    return {**FSDP, "fsdp_config": {f"fsdp_{key}": value for key, value in block.items()}}


@pytest.mark.parametrize(
    ("block", "zero", "zero_shard"),
    [
        ({}, 3, None),
        ({"sharding_strategy": "SHARD_GRAD_OP"}, 2, None),
        ({"sharding_strategy": 2}, 2, None),
        ({"sharding_strategy": "NO_SHARD"}, 0, None),
        ({"sharding_strategy": "HYBRID_SHARD"}, 3, 8),
        ({"sharding_strategy": "HYBRID_SHARD_ZERO2"}, 2, 8),
        ({"reshard_after_forward": "SHARD_GRAD_OP"}, 3, None),
        ({"version": 2}, 3, None),
        ({"version": 2, "reshard_after_forward": False}, 2, None),
        ({"version": 2, "sharding_strategy": "NO_SHARD"}, 3, None),
    ],
)
def test_one_key_decides_by_version(folder: Folder, block: dict[str, Any], zero: int, zero_shard: int | None) -> None:
    values = found(folder, fsdp(**block)).values
    assert (values["zero"], values.get("zero_shard")) == (zero, zero_shard)


def test_the_key_without_effect_is_said(folder: Folder) -> None:
    notes = " ".join(found(folder, fsdp(reshard_after_forward="NO_SHARD")).notes)
    assert "fsdp_reshard_after_forward has no effect in version 1: without fsdp_sharding_strategy FULL_SHARD" in notes
    notes = " ".join(found(folder, fsdp(version=2, sharding_strategy="NO_SHARD")).notes)
    assert "fsdp_sharding_strategy has no effect in version 2" in notes


def test_keys_of_the_block_need_no_prefix(folder: Folder) -> None:
    values = found(folder, {**FSDP, "fsdp_config": {"version": 2, "activation_checkpointing": True}}).values
    assert (values["zero"], values["recompute"]) == (3, "full")


def test_a_mesh_of_replicas_and_shards(folder: Folder) -> None:
    mesh = {"dp_replicate_size": 2, "dp_shard_size": 4, "tp_size": 2}
    keys = {**fsdp(version=2), "parallelism_config": {f"parallelism_config_{k}": v for k, v in mesh.items()}}
    values = found(folder, keys).values
    assert (values["world"], values["tp"], values["zero_shard"]) == (16, 2, 4)


def test_micro_batches_are_those_of_the_script(folder: Folder) -> None:
    assert "mbs" not in found(folder, fsdp(version=2)).values
    values = found(folder, fsdp(version=2), {"per_device_train_batch_size": 2, "output_dir": "x"}).values
    assert (values["mbs"], values["microbatches"]) == (2, 1)


def test_deepspeed_in_the_block_and_in_a_file(folder: Folder) -> None:
    keys = {"distributed_type": "DEEPSPEED", "num_processes": 8, "mixed_precision": "bf16"}
    assert found(folder, {**keys, "deepspeed_config": {}}).values["zero"] == 2
    (folder.path / "ds.json").write_text('{"train_micro_batch_size_per_gpu": 2, "zero_optimization": {"stage": 1}}')
    values = found(folder, {**keys, "deepspeed_config": {"deepspeed_config_file": "ds.json"}}).values
    assert (values["world"], values["mbs"], values["zero"], values["microbatches"]) == (8, 2, 1, 1)


def test_megatron_through_accelerate(folder: Folder) -> None:
    block = {"megatron_lm_tp_degree": 2, "megatron_lm_pp_degree": 2, "megatron_lm_num_micro_batches": 4}
    keys = {**FSDP, "distributed_type": "MEGATRON_LM", "megatron_lm_config": block}
    values = found(folder, keys).values
    assert (values["tp"], values["pp"], values["microbatches"], values["zero"]) == (2, 2, 4, 0)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (fsdp(version=2, reshard_after_forward="FULL_SHARD"), "E511 fsdp_reshard_after_forward of version 2"),
        (fsdp(version=3), "E511 fsdp_version is 1 or 2"),
        (fsdp(sharding_strategy="HALF"), "E512 'fsdp_config.sharding_strategy'"),
        ({**fsdp(version=2), "gradient_accumulation_steps": 2}, "E522 'gradient_accumulation_steps' is not known"),
        (fsdp(version=2, reshard_after=True), "E522 'fsdp_config.reshard_after' is not known"),
        ({**fsdp(version=2), "parallelism_config": {"dp_shard_size": 4}}, "E511 the sizes of parallelism_config"),
        ({**fsdp(version=2), "parallelism_config": {"dp_shard_size": -1}}, "E511 dp_shard_size of accelerate"),
        ({"distributed_type": "DEEPSPEED", "num_processes": 8,
          "deepspeed_config": {"deepspeed_config_file": "x.json", "zero_stage": 2}}, "E511 'zero_stage' is given"),
    ],
)  # fmt: skip
def test_what_is_refused(folder: Folder, keys: dict[str, Any], message: str) -> None:
    assert folder.problem("accelerate", {"accelerate.json": keys}).startswith(message)


def test_training_arguments_alone_are_no_plan(folder: Folder) -> None:
    path = folder.path / "args.json"
    path.write_text('{"per_device_train_batch_size": 2, "output_dir": "x"}')
    kind = formats.kind_of(read_foreign(path))
    assert kind is not None and kind.translate is None and "TrainingArguments" in kind.title
