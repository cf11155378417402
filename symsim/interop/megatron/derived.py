"""Values that Megatron-LM works out of several arguments before it trains, under names with a leading underscore.

Source: NVIDIA/Megatron-LM d98e8a64dd, megatron/training/arguments.py, validate_args.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from symsim.diagnostics import InputError, error
from symsim.interop.megatron.arguments import ENVIRONMENT, Arguments
from symsim.language.layout import parse_layout

Get = Callable[[str], Any]


def derive(given: Arguments, defaults: Mapping[str, Any]) -> dict[str, Any]:
    """Name → value of everything that is worked out.

    Raises:
        InputError: arguments that Megatron refuses together.
    """

    def get(name: str) -> Any:
        return given.keys.get(name, defaults.get(name))

    pattern, stages, ahead = _pattern(get)
    return {
        "_pattern": pattern,
        "_mtp_patterns": ahead,
        "_layers": len(pattern) if pattern is not None else get("num_layers") or get("encoder_num_layers"),
        "_vocab": _vocabulary(get),
        "_ffn": _ffn(get),
        "_expert_ffn": get("moe_ffn_hidden_size") or _ffn(get),
        "_activation": _activation(get),
        "_window": sum(get("window_size") or (0, 0)) + 1 if get("window_size") else 0,
        "_vp": _virtual(given, get, stages),
        "_layout": _layout(get),
        "_batch": _batch(get),
        "_zero": _zero(get),
        "_layer_wise": _layer_wise(get),
        "_offload": _offload(get),
        "_grad_dtype": _grad_dtype(get),
        "_recomputed": _recomputed(get),
        "_attention": _attention(get),
        "_kernel": {"flash": "flash_attn", "fused": "cudnn"}.get(str(get("attention_backend")), "auto"),
        "_cp_comm": _one_of(get("cp_comm_type")) or "p2p",
        "_dispatch": _dispatch(get),
    }


def _pattern(get: Get) -> tuple[str | None, int, int]:
    """The letters of a hybrid without marks, the stages that ``|`` cuts it into, and multi-token layers after ``/``."""
    text = get("hybrid_layer_pattern") or get("hybrid_override_pattern")
    if not text:
        return None, 0, 0
    main, *ahead = str(text).split("/")
    return main.replace("|", ""), main.count("|") + 1, len(ahead)


def _vocabulary(get: Get) -> int | None:
    """Words of the tokenizer before padding: a null one has one more than it is told, for the end of documents."""
    size, kind = get("vocab_size"), get("tokenizer_type")
    if size is None and get("padded_vocab_size") is not None:
        return int(get("padded_vocab_size"))
    if size is None:
        return 50257 if kind == "GPT2BPETokenizer" else None
    return int(size) + (kind in ("NullTokenizer", "NullMultimodalTokenizer"))


def _ffn(get: Get) -> int | None:
    """``--swiglu`` without a width takes two thirds, in multiples of 64."""
    given, hidden = get("ffn_hidden_size"), get("hidden_size")
    if given is not None or not isinstance(hidden, int):
        return given if isinstance(given, int) else None
    return int((4 * hidden * 2 / 3) / 64) * 64 if get("swiglu") else 4 * hidden


def _activation(get: Get) -> str:
    if get("swiglu"):
        return "swiglu"
    if get("quick_geglu"):
        return "geglu"
    return "relu2" if get("squared_relu") else "gelu"


def _virtual(given: Arguments, get: Get, stages: int) -> int | None:
    """Chunks of a rank: said, or layers of a rank by those of a chunk, or the stages of a layout."""
    chunks, by_chunk = get("num_virtual_stages_per_pipeline_rank"), get("num_layers_per_virtual_pipeline_stage")
    pp = get("pipeline_model_parallel_size") or 1
    layout = _layout(get)
    if layout is not None:
        return _chunks_of(layout, pp)
    if stages > 1:
        return stages // pp if stages % pp == 0 else None
    if chunks is not None:
        return int(chunks)
    if by_chunk is None:
        return None
    layers = get("num_layers") or 0
    counted = bool(get("account_for_embedding_in_pipeline_split")) + bool(get("account_for_loss_in_pipeline_split"))
    if pp and (layers + counted) % pp == 0 and ((layers + counted) // pp) % by_chunk == 0:
        return int((layers + counted) // pp // by_chunk)
    message = f"{layers} layers on {pp} ranks are not whole chunks of {by_chunk}"
    name = "num_layers_per_virtual_pipeline_stage"
    raise error("E511", message, given.keys.places[name], "Megatron refuses this too")


def _batch(get: Get) -> int | None:
    """Sequences of a step; of a batch that grows (``0:384 200B:768``) the last size."""
    schedule = str(get("step_batch_size_schedule") or "")
    last = schedule.rpartition(":")[2].strip()
    given = get("global_batch_size")
    return int(last) if given is None and last.isdecimal() and len(last) < 10 else given


def _chunks_of(layout: str, pp: int) -> int | None:
    """Chunks of a rank that a layout has; none where it is wrong, which is said when it is looked at."""
    try:
        stages = parse_layout(layout).stages
    except InputError:
        return None
    return stages // pp if pp and stages % pp == 0 else None


def _layout(get: Get) -> str | None:
    """A layout as it is written; tests escape its bars and brackets for the shell."""
    text = get("pipeline_model_parallel_layout")
    return None if not text else str(text).replace("\\", "")


def _zero(get: Get) -> int:
    sharding = {"no_shard": 0, "optim": 1, "optim_grads": 2, "optim_grads_params": 3}
    if get("use_megatron_fsdp"):
        return sharding.get(str(get("data_parallel_sharding_strategy")), 0)
    if get("use_torch_fsdp2"):
        return 3
    return 1 if get("use_distributed_optimizer") and not _layer_wise(get) else 0


def _layer_wise(get: Get) -> bool:
    """The distributed optimizer of other optimizers than Adam and SGD deals out whole parameters."""
    optimizer = get("optimizer")
    return optimizer == "dist_muon" or (optimizer not in ("adam", "sgd") and bool(get("use_distributed_optimizer")))


def _offload(get: Get) -> list[str] | None:
    """What is in host memory: the optimizer's states, and what modules keep that the layers of this model have."""
    regions = ["optimizer"] if get("optimizer_cpu_offload") else []
    if get("fine_grained_activation_offloading"):
        absent = set()
        if get("num_experts") is None:
            absent |= {"expert_fc1", "moe_act", "fused_group_mlp"}
        names = _OFFLOADED | (_OF_HYBRIDS if _pattern(get)[0] is not None else {})
        regions += [names.get(m, m) for m in get("offload_modules") or () if m not in absent]
    return list(dict.fromkeys(regions)) or None


_OFFLOADED = {"fused_group_mlp": "routed_experts"}
"""Modules whose region has another name here."""

_OF_HYBRIDS = {"attn_norm": "layernorm", "mlp_norm": "layernorm"}
"""Where layers have one branch each, norms have one name."""


def _grad_dtype(get: Get) -> str:
    """bf16 turns accumulation in fp32 on, unless gradients are reduced in bf16; fp16 does not."""
    if get("use_precision_aware_optimizer") and get("main_grads_dtype") != "fp32":
        return str(get("main_grads_dtype"))
    if get("bf16"):
        return "bf16" if get("grad_reduce_in_bf16") else "fp32"
    if get("fp16"):
        return "fp32" if get("accumulate_allreduce_grads_in_fp32") else "fp16"
    return "fp32"


def _recomputed(get: Get) -> list[str] | None:
    """Modules of selective recomputation; core attention where none is named."""
    modules = list(get("recompute_modules") or ())
    if get("recompute_granularity") == "selective" or get("recompute_activations"):
        modules = modules or ["core_attn"]
    elif get("recompute_granularity") == "full":
        return None
    else:
        modules = []
    if get("moe_layer_recompute"):
        modules = [*(modules or ["core_attn"]), "moe"]
    return list(dict.fromkeys(modules)) or None


def _attention(get: Get) -> str:
    """The kernel: TransformerEngine chooses a fused one unless it may not; the local implementation has none."""
    backend = get("attention_backend")
    environment: Mapping[str, str] = get(ENVIRONMENT) or {}
    forbidden = environment.get("NVTE_FLASH_ATTN") == "0" and environment.get("NVTE_FUSED_ATTN") == "0"
    if backend in ("unfused", "local") or (backend == "auto" and forbidden):
        return "unfused"
    if get("transformer_impl") == "local" and not get("use_flash_attn"):
        return "unfused"
    return "flash"


def _dispatch(get: Get) -> str:
    kind = get("moe_token_dispatcher_type")
    if kind == "flex":
        return "hybridep" if get("moe_flex_dispatcher_backend") == "hybridep" else "deepep"
    return "all_gather" if kind == "allgather" else "all_to_all"


def _one_of(value: Any) -> str | None:
    """An argument that takes one word for all layers, or one for each."""
    if isinstance(value, list | tuple):
        return str(value[0]) if value else None
    return None if value is None else str(value)
