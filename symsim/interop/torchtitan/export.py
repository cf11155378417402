"""A plan as a launch line of torchtitan 0.3, over the registered configuration of its model."""

from __future__ import annotations

from symsim import resources
from symsim.interop import export_checks
from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.interop.rules.rule_book import RuleBook
from symsim.interop.torchtitan.registered import table
from symsim.language.models import elaborate_model
from symsim.language.source_files import read_source

SAID = export_checks.OF_NO_RUN | {
    "world", "tp", "cp", "pp", "vp", "ep", "etp", "mbs", "gbs", "microbatches", "seq", "sequence_parallel", "precision",
    "grad_dtype", "optimizer", "zero", "zero_shard", "recompute", "recompute_layers", "offload", "schedule",
    "cuda_graph", "framework", "cp_comm", "vocab_multiple", "moe_dispatch",
}  # fmt: skip
"""Choices that are written, or looked at here."""
SCHEDULES = {"1f1b": "1F1B", "interleaved": "Interleaved1F1B", "gpipe": "GPipe", "zb_v": "ZBVZeroBubble"}
GPUS_OF_A_NODE = 8
"""Processes of a node in the line; another number starts the same plan."""


def export(asked: Settled) -> Export:
    """The launch line.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("torchtitan", asked)
    export_checks.of_framework(words, "torchtitan")
    export_checks.unpadded_vocabulary(words)
    export_checks.context_exchange(words, "all_gather", reason="it gathers keys and values")
    export_checks.dispatch_of_its_own(words)
    module, name, few_bits = _registered(words)
    flags = {**_training(words, few_bits), **_parallelism(words)}
    policy = _policy(words)
    export_checks.estimates(words, {"overlap_tp": "it needs compilation: --compile.enable_async_tensor_parallel"})
    words.others(SAID)
    words.finish()
    return Export((Part("launch", ".sh", _line(asked, module, name, flags, policy)),), words.left_out)


def _registered(words: Expressed) -> tuple[str, str, str | None]:
    """``--module`` and ``--config`` of the model, and the precision of its linears if it has one of its own."""
    model = words.asked.model
    flavors = {shipped: flavor for flavor, shipped in RuleBook("torchtitan").maps()["model"].items()}
    path = resources.shipped("models").get(model.name)
    if model.name in flavors and path is not None:
        same = elaborate_model(read_source(path, f"models/{path.name}")).dimensions
        if dict(same) != dict(model.dimensions):
            words.refuse_model("a registered configuration has its own dimensions")
        for key, row in table()["configurations"].items():
            spec = row["model_spec"]
            if f"{spec['name']} {spec['flavor']}" == flavors[model.name] and not key.partition(" ")[2].startswith(
                "sft"
            ):
                module, _, name = key.partition(" ")
                return module, name, row["few_bits"]
    words.refuse_model("it has no registered configuration there")
    return "", "", None


def _training(words: Expressed, few_bits: str | None) -> dict[str, object]:
    values = words.asked.values
    precisions = (few_bits,) if few_bits is not None else ("bf16", "fp32")
    words.need(
        "precision",
        *precisions,
        reason="fp8 is in the registered configuration",
        hint=f"--set precision={precisions[0]}",
    )
    words.need("grad_dtype", "fp32", reason="gradients are reduced in fp32", hint="--set grad_dtype=fp32")
    words.need("optimizer", "adam", reason="the registered configurations have AdamW", hint="--set optimizer=adam")
    export_checks.always(words, "overlap_grad_reduce", True, "FSDP reduces during the backward pass")
    export_checks.always(words, "overlap_param_gather", True, "FSDP gathers ahead")
    if values["offload"] not in ("none", frozenset({"optimizer", "weights"})):
        words.refuse("offload", "it is weights and optimizer states or nothing", "--set offload='{optimizer, weights}'")
    if values["cuda_graph"]:
        words.need("pp", 1, reason="CUDA graphs do not go with a pipeline", hint="--set cuda_graph=false")
    mbs, steps, dp = words.asked.size("mbs"), words.asked.size("microbatches"), words.asked.dp
    seq, parts = words.asked.size("seq"), words.asked.size("tp") * (2 * words.asked.size("cp"))
    if values["cp"] == 1:
        parts = words.asked.size("tp")
    if seq % parts:
        words.refuse(
            "seq", f"it is a multiple of {parts} there: tp, and 2·cp with context parallelism", f"--set seq={parts}"
        )
    piped = values["pp"] != 1
    flags: dict[str, object] = {
        "training.disable_cuda_graphs": not values["cuda_graph"],
        "training.local_batch_size": mbs * steps if piped else mbs,
        "training.global_batch_size": mbs * steps * dp,
        "training.seq_len": seq,
    }
    if values["precision"] == "fp32":
        flags["training.mixed_precision_param"] = "float32"
    if values["offload"] != "none":
        flags["training.enable_cpu_offload"] = True
    if piped:
        flags["parallelism.pipeline_parallel_microbatch_size"] = mbs
    return flags


def _parallelism(words: Expressed) -> dict[str, object]:
    values = words.asked.values
    tp, cp, pp, dp = words.asked.size("tp"), words.asked.size("cp"), words.asked.size("pp"), words.asked.dp
    schedule = str(values["schedule"])
    if pp == 1:
        words.leave_out("schedule")
        words.leave_out("overlap_p2p")
    else:
        words.need("schedule", *SCHEDULES, reason="its schedules are others", hint="--set schedule=1f1b")
        if schedule == "interleaved":
            words.need(
                "vp", 2, reason="a rank has two chunks unless the layers of a stage are given", hint="--set vp=2"
            )
    if values["etp"] != 1:
        words.refuse("etp", "it keeps experts whole", "--set etp=1")
    shards, reshard = _shards(words)
    flags: dict[str, object] = {
        "parallelism.data_parallel_replicate_degree": dp * cp // shards,
        "parallelism.data_parallel_shard_degree": max(1, shards // cp),
        "parallelism.fsdp_reshard_after_forward": reshard,
        "parallelism.tensor_parallel_degree": tp,
        "parallelism.context_parallel_degree": cp,
        "parallelism.pipeline_parallel_degree": pp,
        "parallelism.expert_parallel_degree": values["ep"],
    }
    if pp != 1:
        flags["parallelism.pipeline_parallel_schedule"] = SCHEDULES.get(schedule, "1F1B")
    if tp == 1:
        words.leave_out("sequence_parallel")
    else:
        flags["parallelism.enable_sequence_parallel"] = values["sequence_parallel"]
    return flags


def _shards(words: Expressed) -> tuple[int, str]:
    """Ranks of a set of shards, and what becomes of gathered weights."""
    values, cp, whole = words.asked.values, words.asked.size("cp"), words.asked.dp * words.asked.size("cp")
    if values["zero"] == 0 and cp == 1:
        return 1, "default"
    words.need("zero", 2, 3, reason="it is FSDP: weights stay gathered (2) or not (3)", hint="--set zero=3")
    shard = values["zero_shard"] if isinstance(values["zero_shard"], int) else whole
    if shard == whole:
        words.leave_out("zero_shard")
    if shard % cp or whole % shard or (shard == 1 and whole > 1):
        words.refuse("zero_shard", f"shards lie over whole groups of cp = {cp} ranks", f"--set zero_shard={whole}")
        shard = whole
    if shard == 1:
        words.refuse("zero", "with one data-parallel rank nothing is sharded", "--set zero=0")
    return shard, "always" if values["zero"] == 3 else "never"


def _policy(words: Expressed) -> str:
    values = words.asked.values
    policy = {"none": "none", "full": "full", "per_op_sac": "selective"}.get(str(values["recompute"]))
    if policy is None:
        words.refuse("recompute", "it recomputes whole layers, operators of its own choice, or nothing")
    if values["recompute_layers"] is not None:
        words.refuse("recompute_layers", "it recomputes every layer", "--set recompute_layers=none")
    words.leave_out("recompute_method")
    return f"activation-checkpoint:{policy}"


def _line(asked: Settled, module: str, name: str, flags: dict[str, object], policy: str) -> str:
    world = asked.size("world")
    of_node = GPUS_OF_A_NODE if world % GPUS_OF_A_NODE == 0 else world
    lines = [
        f"torchrun --nnodes={world // of_node} --nproc_per_node={of_node} -m torchtitan.train",
        f"--module {module} --config {name}",
        *(_flag(flag, value) for flag, value in flags.items()),
        policy,
    ]
    return "#!/bin/sh\n" + " \\\n    ".join(lines) + "\n"


def _flag(name: str, value: object) -> str:
    if isinstance(value, bool):
        section, _, key = name.partition(".")
        return f"--{name}" if value else f"--{section}.no-{key.replace('_', '-')}"
    return f"--{name} {value}"
