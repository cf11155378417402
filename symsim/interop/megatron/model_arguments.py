"""A model as arguments of Megatron-LM's parser: the inverse of ``formats/megatron/model.sym``.

A family with one form of layers is looked at as the decoder that it is. What is written is read again, and a dimension
that comes back as another is an error: so nothing is left out silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import gcd
from typing import Any

from symsim.diagnostics import InputError, Place, Source
from symsim.interop.exports import Expressed
from symsim.interop.megatron.arguments import Arguments
from symsim.interop.megatron.translate import translated
from symsim.language.models import elaborate_model
from symsim.records.model import Model
from symsim.records.model import Value as Dimension

SIMPLE = ("llama", "gpt", "nemotron")
LAYERED = ("moe", "deepseek", "decoder")
"""Families that Megatron has words for."""
NORMS = {"rms": "RMSNorm", "layer": "LayerNorm"}
POSITIONS = {"learned": "learned_absolute", "rope": "rope", "none": "none"}
SWITCHES = {"swiglu": "swiglu", "geglu": "quick_geglu", "relu2": "squared_relu"}
NOT_COMPARED = frozenset({"max_positions", "embedding_norm"})


def model_arguments(words: Expressed) -> dict[str, Any]:
    """Name of the parser → value, of all that the model says."""
    model = words.asked.model
    if model.family not in (*SIMPLE, *LAYERED) or model.own is not None:
        words.refuse_model(f"it has words for the families {', '.join((*SIMPLE, *LAYERED))}")
        return {}
    dimensions = wanted(model)
    out = {**_common(words, dimensions), **_attention(dimensions), **_experts(dimensions)}
    if not words.problems:
        _read_again(words, dimensions, out)
    return out


def wanted(model: Model) -> dict[str, Dimension]:
    """The dimensions of a model, for experts and latent attention as a decoder has them."""
    found = dict(model.dimensions)
    if model.family == "gpt":
        return {**found, "mlp_bias": found["bias"]}
    if model.family not in ("moe", "deepseek"):
        return found
    layers, dense = model.largest("layers"), model.largest("dense_layers")
    found["feed"] = _listed(("mlp",) * dense + ("moe",) * (layers - dense))
    found["ffn"] = found.pop("dense_ffn")
    del found["dense_layers"]
    if model.family == "deepseek":
        found |= {"mixer": "latent", "group_limited": True, "shared_bias": found["mlp_bias"], "router_bias": False}
        found |= {"expert_bias": False, "qkv_bias": found["bias"]}
    else:
        found |= {"mixer": "full", "group_limited": False, "shared_bias": False}
    return found


def _listed(values: tuple[str, ...]) -> Dimension:
    return values[0] if len(set(values)) == 1 else values


def _common(words: Expressed, d: Mapping[str, Dimension]) -> dict[str, Any]:
    for name, known in (("norm", NORMS), ("positions", POSITIONS), ("activation", {**SWITCHES, "gelu": None})):
        if d[name] not in known:
            words.refuse_dimension(name, d[name], f"it has {', '.join(known)}")
            return {}
    if d.get("embedding_norm", False):
        words.refuse_dimension("embedding_norm", True, "nothing is normed behind the embedding there")
    learned = d["positions"] == "learned"
    if not learned:
        words.leave_out("max_positions")
    longest, seq = d.get("max_positions", 0), words.asked.size("seq")
    assert isinstance(longest, int)
    if learned and longest < seq:
        words.refuse_dimension("max_positions", longest, f"sequences have {seq} tokens")
    out: dict[str, Any] = {
        "num_layers": d["layers"],
        "hidden_size": d["hidden"],
        "num_attention_heads": d["heads"],
        "ffn_hidden_size": d.get("ffn") or None,
        "vocab_size": d["vocab"],
        "untie_embeddings_and_output_weights": not d["tied"],
        "normalization": NORMS[str(d["norm"])],
        "position_embedding_type": POSITIONS[str(d["positions"])],
        "max_position_embeddings": longest if learned else max(longest, seq),
        "add_bias_linear": d["bias"],
        "add_qkv_bias": bool(d["qkv_bias"]) and not d["bias"],
    }
    switch = SWITCHES.get(str(d["activation"]))
    return out if switch is None else {**out, switch: True}


def _attention(d: Mapping[str, Dimension]) -> dict[str, Any]:
    mixers = _set(d.get("mixer", "full"))
    out: dict[str, Any] = {}
    if "latent" in mixers:
        out |= {
            "multi_latent_attention": True,
            "q_lora_rank": d["q_rank"] or None,
            "kv_lora_rank": d["kv_rank"],
            "qk_head_dim": d["nope_dim"],
            "qk_pos_emb_head_dim": d["rope_dim"],
            "v_head_dim": d["value_dim"],
            "qk_layernorm": True,
        }
        if d.get("indexer_heads"):
            out |= {
                "experimental_attention_variant": "dsa",
                "dsa_indexer_n_heads": d["indexer_heads"],
                "dsa_indexer_head_dim": d["indexer_dim"],
                "dsa_indexer_topk": d["indexer_topk"],
            }
        return out
    out |= {
        "kv_channels": d["head_dim"],
        "qk_layernorm": d["qk_norm"],
    }
    if d["kv_heads"] != d["heads"]:
        out |= {"group_query_attention": True, "num_query_groups": d["kv_heads"]}
    if isinstance(window := d.get("window", 0), int) and window > 0:
        out["window_size"] = [window - 1, 0]
    if d.get("gate", "none") == "per_feature":
        out["attention_output_gate"] = True
    if "delta" in mixers:
        layers = d["mixer"] if isinstance(d["mixer"], tuple) else (d["mixer"],) * _size(d, "layers")
        out |= {
            "experimental_attention_variant": "gated_delta_net",
            "linear_attention_freq": [int(word == "delta") for word in layers],
            "linear_num_key_heads": d["linear_key_heads"],
            "linear_num_value_heads": d["linear_value_heads"],
            "linear_key_head_dim": d["linear_key_dim"],
            "linear_value_head_dim": d["linear_value_dim"],
            "linear_conv_kernel_dim": d["kernel"],
        }
    return out


def _experts(d: Mapping[str, Dimension]) -> dict[str, Any]:
    out: dict[str, Any] = {"mtp_num_layers": d["mtp_layers"]} if d.get("mtp_layers") else {}
    feeds = d.get("feed", "mlp")
    if "moe" not in _set(feeds):
        return out
    experts, topk = _size(d, "experts"), _size(d, "topk")
    out |= {
        "num_experts": experts,
        "moe_router_topk": topk,
        "moe_ffn_hidden_size": d["expert_ffn"],
        "moe_shared_expert_intermediate_size": d["shared_ffn"] or None,
        "moe_shared_expert_gate": d.get("shared_gate", False),
        "moe_latent_size": d.get("expert_width") or None,
    }
    if isinstance(feeds, tuple):
        out["moe_layer_freq"] = [int(word == "moe") for word in feeds]
    if d.get("group_limited"):
        out["moe_router_num_groups"], out["moe_router_group_topk"] = _groups(experts, topk)
    return out


def _groups(experts: int, topk: int) -> tuple[int, int]:
    """Groups of experts that the router chooses from, which a model does not say: eight, half of which are chosen."""
    groups = gcd(experts, 8)
    chosen = next((n for n in range(max(1, groups // 2), 0, -1) if topk % n == 0 and n * experts // groups >= topk), 0)
    return groups, chosen or groups


def _set(value: Dimension) -> frozenset[object]:
    return frozenset(value if isinstance(value, tuple) else (value,))


def _size(d: Mapping[str, Dimension], name: str) -> int:
    value = d[name]
    return value if isinstance(value, int) else 0


def _read_again(words: Expressed, dimensions: Mapping[str, Dimension], out: Mapping[str, Any]) -> None:
    """Refuses what does not come back: dimensions that the arguments have no words for."""
    given = Arguments(Source("arguments", ""))
    place = Place(given.source, 1, 1)
    for name, value in {**out, "micro_batch_size": 1, "seq_length": words.asked.size("seq")}.items():
        if isinstance(value, tuple):
            words.refuse_dimension(_DIMENSIONS.get(name, name), value, "layers differ by it")
            return
        given.put(name, value, place)
    try:
        text = translated(given, "again", "arguments").partition("\nstrategy ")[0]
    except InputError as problem:
        words.refuse_model(problem.diagnostics[0].message)
        return
    back = elaborate_model(Source("again", text)).dimensions
    idle = unused(dimensions)
    for name, value in dimensions.items():
        if name not in NOT_COMPARED | idle and name in back and back[name] != value:
            words.refuse_dimension(name, value, "its layers have no choice of it, or another one")
        elif name not in back and name not in idle | NOT_COMPARED and value not in (False, 0, "none"):
            words.refuse_dimension(name, value, "its layers have no choice of it")


_DIMENSIONS = {"num_attention_heads": "heads", "num_query_groups": "kv_heads", "kv_channels": "head_dim",
               "ffn_hidden_size": "ffn", "moe_ffn_hidden_size": "expert_ffn", "num_experts": "experts",
               "moe_shared_expert_intermediate_size": "shared_ffn", "kv_lora_rank": "kv_rank",
               "qk_layernorm": "qk_norm",
               "q_lora_rank": "q_rank", "moe_router_topk": "topk"}  # fmt: skip


def unused(d: Mapping[str, Dimension]) -> frozenset[str]:
    """Dimensions that no layer of the model uses."""
    mixers, feeds = _set(d.get("mixer", "full")), _set(d.get("feed", "mlp"))
    out = {"rotated"}
    if "latent" in mixers:
        out |= {"kv_heads", "head_dim", "qk_norm", "output_bias", "qkv_bias", "gate_bias"}
    else:
        out |= {"q_rank", "kv_rank", "nope_dim", "rope_dim"}
    if not d.get("gate") or d.get("gate") == "none":
        out |= {"gate_bias"}
    if "moe" not in feeds:
        out |= {"experts", "topk", "expert_ffn", "shared_ffn", "router_bias", "expert_bias", "shared_bias",
                "group_limited", "shared_gate"}  # fmt: skip
    elif not d.get("shared_ffn"):
        out |= {"shared_bias", "shared_gate"}
    if "mlp" not in feeds and "moe" in feeds:
        out |= {"ffn", "mlp_bias"}
    return frozenset(out)
