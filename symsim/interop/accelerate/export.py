"""A plan as the YAML of accelerate's launcher, with FSDP 2, and the TrainingArguments of a script that it starts."""

from __future__ import annotations

from typing import Any

from symsim.interop import export_checks
from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.interop.huggingface.written_arguments import whole_layers, written_arguments
from symsim.interop.written_yaml import yaml_of

SAID = export_checks.OF_NO_RUN | {
    "world", "tp", "cp", "pp", "ep", "etp", "mbs", "gbs", "microbatches", "precision", "grad_dtype", "optimizer",
    "zero", "zero_shard", "recompute", "recompute_layers", "offload", "framework", "sequence_parallel", "cp_comm",
    "vocab_multiple", "moe_dispatch",
}  # fmt: skip
"""Choices that are written, or looked at here."""
PRECISIONS = {"fp32": "no", "bf16": "bf16", "fp16": "fp16", "fp8": "fp8"}
ROTATIONS = {"all_gather": "allgather", "ring": "alltoall"}
GPUS_OF_A_MACHINE = 8
"""What num_machines is counted with: it has no effect on the plan."""


def export(asked: Settled) -> Export:
    """The configuration and the arguments.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("accelerate", asked)
    export_checks.of_framework(words, "fsdp")
    export_checks.unpadded_vocabulary(words)
    export_checks.no_pipeline(words, "FSDP has no pipeline")
    export_checks.whole_experts(words)
    export_checks.sequence_parallel_is(words, False, "its tensor parallelism has none")
    export_checks.context_exchange(words, *ROTATIONS, reason="FSDP has a gather and a ring")
    export_checks.dispatch_of_its_own(words)
    words.leave_out("seq", "the script sets it")
    recomputes = whole_layers(words)
    configuration = _configuration(words, recomputes)
    # FSDP recomputes its units itself: gradient checkpointing of the script would gather each once more.
    arguments = written_arguments(words, recomputes and words.asked.values["zero"] == 0)
    export_checks.estimates(words, {})
    words.others(SAID)
    words.finish()
    return Export((Part("config", ".yaml", yaml_of(configuration)), arguments), words.left_out)


def _configuration(words: Expressed, recomputes: bool) -> dict[str, Any]:
    values, world = words.asked.values, words.asked.size("world")
    words.need("precision", *PRECISIONS, reason="it has bf16, fp16, fp8 and none of them")
    words.need("grad_dtype", "fp32", reason="gradients are kept in fp32", hint="--set grad_dtype=fp32")
    export_checks.always(words, "overlap_grad_reduce", True, "gradients are reduced during the backward pass")
    sharded = values["zero"] != 0
    export_checks.always(words, "overlap_param_gather", sharded, "FSDP gathers ahead, and without it nothing is")
    machines = world // GPUS_OF_A_MACHINE if world % GPUS_OF_A_MACHINE == 0 else 1
    out: dict[str, Any] = {
        "compute_environment": "LOCAL_MACHINE",
        "distributed_type": "FSDP" if sharded else "MULTI_GPU",
        "mixed_precision": PRECISIONS.get(str(values["precision"]), "no"),
        "num_machines": machines,
        "machine_rank": 0,
        "num_processes": world,
        "use_cpu": False,
    }
    mesh = _mesh(words)
    if mesh and not sharded:
        words.refuse("zero", "tensor and context parallelism go with FSDP", "--set zero=3")
    if sharded:
        out["fsdp_config"] = _fsdp(words, recomputes)
    elif values["offload"] != "none":
        words.refuse("offload", "offloading goes with FSDP", "--set zero=3")
    return out | ({"parallelism_config": mesh} if mesh else {})


def _fsdp(words: Expressed, recomputes: bool) -> dict[str, Any]:
    values = words.asked.values
    words.need("zero", 0, 2, 3, reason="FSDP keeps weights gathered (2) or not (3)", hint="--set zero=3")
    if values["offload"] not in ("none", frozenset({"optimizer", "weights"})):
        words.refuse("offload", "it is weights and optimizer states or nothing", "--set offload='{optimizer, weights}'")
    return {
        "fsdp_version": 2,
        "fsdp_reshard_after_forward": values["zero"] == 3,
        "fsdp_auto_wrap_policy": "TRANSFORMER_BASED_WRAP",
        "fsdp_activation_checkpointing": recomputes,
        "fsdp_offload_params": values["offload"] != "none",
    }


def _mesh(words: Expressed) -> dict[str, Any]:
    """The sizes of the mesh, where there is more than one kind of parallelism."""
    values = words.asked.values
    tp, cp, dp = words.asked.size("tp"), words.asked.size("cp"), words.asked.dp
    shard = values["zero_shard"] if isinstance(values["zero_shard"], int) else dp * cp
    if shard % cp or dp % (shard // cp or 1):
        words.refuse("zero_shard", f"shards lie over whole groups of cp = {cp} ranks", f"--set zero_shard={dp * cp}")
        return {}
    of_dp = shard // cp
    replicas = dp // of_dp
    if tp == cp == replicas == 1:
        if values["zero_shard"] is not None:
            words.leave_out("zero_shard")
        return {}
    if replicas == 1 and values["zero_shard"] is not None:
        words.leave_out("zero_shard")
    if replicas > 1 and of_dp == 1:
        words.refuse("zero_shard", "replicas of a mesh need shards", f"--set zero_shard={dp * cp}")
    sizes: dict[str, Any] = {"dp_replicate_size": replicas, "dp_shard_size": of_dp, "tp_size": tp, "cp_size": cp}
    if cp > 1:
        sizes["cp_comm_strategy"] = ROTATIONS.get(str(values["cp_comm"]), "allgather")
    return {f"parallelism_config_{name}": value for name, value in sizes.items()}
