"""What Megatron-Core refuses, of choices that it alone offers: its own assertions, on words of a strategy.

Source: Megatron-Core 0.16.1, transformer/transformer_config.py (TransformerConfig.__post_init__). Assertions on sizes
are rules of the formulas (:mod:`symsim.compiler.in_flight`).
"""

from __future__ import annotations

from collections.abc import Mapping

from symsim.diagnostics import InputError, Place, error
from symsim.records.strategy import CHOICES, Value

PAIRS = "overlap_moe_expert_parallel_comm"
DEALT = "use_layer_wise_distributed_optimizer"
INSTANCES = "num_distributed_optimizer_instances"


def check(values: Mapping[str, Value | None], places: Mapping[str, Place]) -> None:
    """Raises InputError (E324) for choices that Megatron refuses together."""
    _check_pairs(values, places)
    _check_dealt(values, places)
    _check_instances(values, places)


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
