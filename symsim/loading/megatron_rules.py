"""What Megatron-Core refuses, of choices that it alone offers: its own assertions, on words of a strategy.

Source: Megatron-Core 0.16.1, transformer/transformer_config.py (TransformerConfig.__post_init__). Assertions on sizes
are rules of the formulas (:mod:`symsim.compiler.in_flight`).
"""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from symsim.diagnostics import InputError, Place, error
from symsim.elements import QUANTISED_PRECISIONS
from symsim.records.strategy import CHOICES, Value

PAIRS = "overlap_moe_expert_parallel_comm"
DEALT = "use_layer_wise_distributed_optimizer"
ENDS = "first_last_layers_bf16"
SMALLEST = "min_offloaded_tensor_size"
PUT_OFF = "defer_embedding_wgrad_compute"
INSTANCES = "num_distributed_optimizer_instances"


def check(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    """Raises InputError (E324) for choices that Megatron refuses together."""
    _check_pairs(values, places)
    _check_dealt(values, places)
    _check_instances(values, places)
    _check_parts(values, places)
    _check_offload(values, places)
    _check_ends(values, places)
    _check_fsdp(values, places)
    _check_head(values, places)


def settle(values: dict[str, Value | None], places: Mapping[str, Place]) -> None:
    """What a choice of Megatron's says of choices that the strategy leaves out."""
    if values[DEALT] and "zero" not in places:
        values["zero"] = 0


def _check_pairs(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    if not values[PAIRS]:
        if values["delay_wgrad_compute"]:
            message = f"delay_wgrad_compute has no meaning without {PAIRS}"
            raise error("E324", message, places["delay_wgrad_compute"], f"add {PAIRS} = true")
        return
    for name, refused, hint in (
        ("schedule", values["schedule"] not in ("1f1b", "interleaved"), "1f1b, with vp where pp is more than 1"),
        ("moe_dispatch", values["moe_dispatch"] == "all_gather", "all_to_all, deepep or hybridep"),
        ("recompute", values["recompute"] == "full", "regions: recompute = {layernorm, moe_act}"),
        ("precision", values["precision"] == "fp32", "bf16 or fp16 weights"),
        ("cuda_graph", values["cuda_graph"], "cuda_graph = false: layers run in parts"),
        ("overlap_moe", values["overlap_moe"], "leave overlap_moe out"),
    ):
        if refused:
            raise _refused(name, PAIRS, values, places, hint)


def _check_instances(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    if values[INSTANCES] == 1:
        return
    for name, refused, hint in (
        ("zero", values["zero"] == 0, "zero = 1 shards optimizer states"),
        ("zero_shard", values["zero_shard"] is not None, "one of them: both say over how many ranks shards are spread"),
    ):
        if refused:
            raise _refused(name, INSTANCES, values, places, hint)


def _check_parts(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    name = "distribute_saved_activations"
    if values[name] and values["sequence_parallel"]:
        raise _refused("sequence_parallel", name, values, places, "sequence_parallel = false: it keeps parts anyway")
    if values[name] and values["recompute"] != "full":
        raise _refused("recompute", name, values, places, "recompute = full")


def _check_offload(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    """Source of the fraction: Megatron-LM, megatron/training/arguments.py (--optimizer-offload-fraction)."""
    name = "optimizer_offload_fraction"
    fraction, away = values[name], values["offload"]
    regions = isinstance(away, frozenset) and bool(away - {"optimizer", "weights"})
    if values[SMALLEST] != 1 and not regions:
        message = f"{SMALLEST} is of saved tensors that regions keep, and none is offloaded"
        raise error("E324", message, places[SMALLEST], "name regions: offload = {core_attn, attn_proj}")
    if isinstance(away, frozenset) and "attn_proj" in away and "core_attn" not in away:
        message = "offload: the input of attn_proj is the output of core_attn, which keeps it"
        raise error("E324", message, places["offload"], "add core_attn")
    if fraction == 1:
        return
    if not (isinstance(away, frozenset) and "optimizer" in away):
        message = f"{name} is a part of offloaded optimizer states"
        raise error("E324", message, places[name], "add optimizer: offload = {optimizer}")
    assert isinstance(fraction, int | Fraction)
    if fraction > 1:
        raise error("E312", f"'{name}' must be at most 1, not {float(fraction):g}", places[name], "for example 0.5")


def _check_ends(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    given = [n for n in (f"num_layers_at_{which}_in_bf16" for which in ("start", "end")) if values[n] != 1]
    if not values[ENDS]:
        for name in given:
            message = f"{name} has no meaning without {ENDS}"
            raise error("E324", message, places[name], f"add {ENDS} = true")
    elif values["precision"] not in QUANTISED_PRECISIONS:
        raise _refused("precision", ENDS, values, places, "precision = fp8, mxfp8 or nvfp4")


def _check_fsdp(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    """Source: megatron/core/distributed/fsdp/mcore_fsdp_adapter.py."""
    name = "use_megatron_fsdp"
    if values[name] and values["framework"] != "megatron":
        raise _refused("framework", name, values, places, "framework = megatron, or leave it out")
    if values[name] and values[DEALT]:
        raise _refused(DEALT, name, values, places, "one of them")


def _check_head(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    """What says how a choice is meant has no meaning where the choice is not made."""
    for name, of in (("wgrad_deferral_limit", PUT_OFF), ("cross_entropy_fusion_impl", "fused_cross_entropy")):
        if values[name] != CHOICES[name].default and not values[of]:
            raise error("E324", f"{name} has no meaning without {of}", places[name], f"add {of} = true")


def _check_dealt(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    """Source: optimizer/muon.py (get_megatron_muon_optimizer) and layer_wise_optimizer.py."""
    if not values[DEALT]:
        return
    away = values["offload"]
    for name, refused, hint in (
        ("zero", values["zero"] != 0, "zero = 0: gradients and weights are whole on each rank"),
        ("precision", values["precision"] == "fp16" and values["optimizer"] == "muon", "bf16"),
        ("offload", isinstance(away, frozenset) and "optimizer" in away, "leave optimizer out"),
    ):
        if refused:
            raise _refused(name, DEALT, values, places, hint)


def _refused(
    name: str, because: str, values: Mapping[str, Value | None], places: Mapping[str, Place], hint: str
) -> InputError:
    value = values[name]
    shown = "{" + ", ".join(sorted(value)) + "}" if isinstance(value, frozenset) else value
    shown = str(value).lower() if CHOICES[name].kind == "flag" else shown
    message = f"{because} does not go with {name} = {shown}"
    return error("E324", message, places.get(name, places.get(because)), hint)
