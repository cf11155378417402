"""A ds_config.json is read as DeepSpeed 0.19.8 and transformers 5.24.0 read it.

Source of the figures: the classes of both, run on a CPU (DeepSpeedConfig with a given world size;
HfTrainerDeepSpeedConfig with TrainingArguments).
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.interop.frameworks.reading import Folder

MICRO = {"train_micro_batch_size_per_gpu": 1}
BF16 = {"bf16": {"enabled": True}}


def values(folder: Folder, keys: dict[str, Any], *others: dict[str, Any], lenient: bool = False) -> Any:
    files = {"ds_config.json": keys, **{f"args{k}.json": other for k, other in enumerate(others)}}
    return folder.strategy("deepspeed", files, lenient).values


def test_the_smallest_file_of_a_plan(folder: Folder) -> None:
    keys = {**MICRO, **BF16, "gradient_accumulation_steps": 16,
            "zero_optimization": {"stage": 3, "offload_optimizer": {"device": "cpu"}}}  # fmt: skip
    found = values(folder, keys)
    assert (found["mbs"], found["microbatches"], found["zero"], found["precision"]) == (1, 16, 3, "bf16")
    assert found["offload"] == frozenset({"optimizer"})
    assert "world" not in found and "seq" not in found


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, {"zero": 0, "precision": "fp32", "grad_dtype": "fp32", "microbatches": 1, "overlap_grad_reduce": False}),
        ({"zero_optimization": {}}, {"zero": 0}),
        ({"zero_optimization": True}, {"zero": 1}),
        ({"zero_optimization": {"stage": "2"}}, {"zero": 2, "overlap_grad_reduce": False}),
        ({"zero_optimization": {"stage": 3}}, {"overlap_grad_reduce": True, "overlap_param_gather": True}),
        ({"zero_optimization": {"stage": 2, "cpu_offload": True}}, {"offload": frozenset({"optimizer"})}),
        ({"zero_optimization": {"stage": 3, "offload_param": {}}}, {}),
        ({"bf16": {"enabled": "true"}}, {"precision": "bf16", "grad_dtype": "bf16"}),
        ({"bfloat16": {"enabled": True}}, {"precision": "bf16"}),
        ({"bfloat16": {"enabled": True}, "bf16": {}}, {"precision": "fp32"}),
        ({"fp16": {"enabled": True}}, {"precision": "fp16", "grad_dtype": "fp16"}),
        ({**BF16, "zero_optimization": {"stage": 1}, "data_types": {"grad_accum_dtype": "fp32"}},
         {"grad_dtype": "fp32"}),
        ({"tensor_parallel": {"autotp_size": 4}}, {"tp": 4, "sequence_parallel": False}),
        ({"sequence_parallel_size": 4}, {"cp": 4, "cp_comm": "a2a"}),
        ({"optimizer": {"type": "Muon"}}, {"optimizer": "muon"}),
    ],
)  # fmt: skip
def test_what_the_keys_mean_and_their_absence(folder: Folder, keys: dict[str, Any], expected: dict[str, Any]) -> None:
    found = values(folder, {**MICRO, **keys})
    assert {name: found.get(name) for name in expected} == expected
    assert ("offload" in found) is ("offload" in expected)


def test_autotp_is_not_in_the_batch(folder: Folder) -> None:
    """World 8, tp 4, train 64, micro 2 runs 4 steps of 2 samples on 2 data-parallel ranks: 16 samples."""
    keys = {"train_batch_size": 64, "train_micro_batch_size_per_gpu": 2, "tensor_parallel": {"autotp_size": 4}}
    found = values(folder, keys)
    assert (found["gbs"], found["mbs"]) == (16, 2)


@pytest.mark.parametrize(
    ("keys", "world", "gbs"),
    [
        ({"train_batch_size": 64, "gradient_accumulation_steps": 4, **MICRO}, 16, 64),
        ({"train_batch_size": 64, "gradient_accumulation_steps": 4, **MICRO, "sequence_parallel_size": 2}, 32, 64),
        ({"train_batch_size": 64, "gradient_accumulation_steps": 4, **MICRO,
          "tensor_parallel": {"autotp_size": 2}}, 16, 32),
    ],
)  # fmt: skip
def test_three_batch_keys_give_the_ranks(folder: Folder, keys: dict[str, Any], world: int, gbs: int) -> None:
    found = values(folder, keys)
    assert (found["world"], found["gbs"]) == (world, gbs)
    dp = world // (found["tp"] * found["cp"])
    assert found["gbs"] == found["mbs"] * 4 * dp


def test_auto_is_what_the_training_arguments_say(folder: Folder) -> None:
    auto = {"train_micro_batch_size_per_gpu": "auto", "gradient_accumulation_steps": "auto", "train_batch_size": "auto",
            "bf16": {"enabled": "auto"}, "zero_optimization": {"stage": "auto"}}  # fmt: skip
    given = {"output_dir": "x", "gradient_accumulation_steps": 4, "bf16": True, "gradient_checkpointing": True}
    found = values(folder, auto, given)
    assert (found["mbs"], found["microbatches"], found["precision"], found["zero"]) == (8, 4, "bf16", 2)
    assert found["recompute"] == "full"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"train_micro_batch_size_per_gpu": "auto"}, "E512 'auto' has no value of its own"),
        ({**MICRO, "zero_optimization": {"stage": "auto"}}, "E512 'auto' has no value of its own"),
        ({"gradient_accumulation_steps": 2, "zero_optimization": {}}, "E511 neither train_batch_size nor"),
        ({**MICRO, **BF16, "fp16": {"enabled": True}}, "E511 bf16 and fp16 are both on"),
        ({**MICRO, "zero_optimization": {"stage": 4}}, "E313 'zero' cannot be 4"),
        ({**MICRO, "zero_optimization": {"stage": 2, "offload_optimizer": {"device": "cpu", "ratio": 0.5}}},
         "E511 'ratio' below 1 is for stage 3 alone"),
        ({**MICRO, "torch_autocast": {"enabled": True}}, "E512 torch_autocast keeps fp32 weights"),
        ({**MICRO, "amp": {"enabled": True}}, "E511 'amp' was removed"),
        ({**MICRO, "zero_optimisation": {"stage": 1}}, "E522 'zero_optimisation.stage' is not known here"),
        ({**MICRO, "zero_optimization": {"stages": 1}}, "E522 'zero_optimization.stages' is not known here"),
        ({"train_micro_batch_size_per_gpu": "2"}, "E207 'mbs' is a whole number"),
        ({"train_batch_size": 63, "gradient_accumulation_steps": 4, **MICRO}, "E312 'world' must be a whole number"),
    ],
)  # fmt: skip
def test_what_is_refused(folder: Folder, keys: dict[str, Any], message: str) -> None:
    assert folder.problem("deepspeed", {"ds_config.json": keys}).startswith(message)


def test_a_number_that_differs_from_the_training_arguments_is_refused(folder: Folder) -> None:
    """transformers compares with its own default too: 8 sequences."""
    files = {"ds_config.json": {**MICRO, "zero_optimization": {}}, "args.json": {"output_dir": "x", "max_grad_norm": 1}}
    assert folder.problem("deepspeed", files).startswith("E511 train_micro_batch_size_per_gpu is 1")


def test_comments_and_trailing_commas_pass_and_places_stay(folder: Folder) -> None:
    text = (
        '{\n"train_micro_batch_size_per_gpu": 2, // "bf16": off\n/* {\n */ "zero_optimization": {"stage": 4,}, # x\n}'
    )
    assert folder.problem("deepspeed", {"ds_config.json": text}).endswith(
        '| */ "zero_optimization": {"stage": 4,}, # x'
    )


def test_what_is_silent_in_deepspeed_is_a_remark_with_lenient(folder: Folder) -> None:
    found = folder.strategy("deepspeed", {"ds_config.json": {**MICRO, "zero_optimisation": {"stage": 1}}}, lenient=True)
    assert "'zero_optimisation.stage' is not known here, and left out" in found.notes
