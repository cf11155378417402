"""A model as the ``config.json`` of a type of Hugging Face's library, where one reads back as that model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from symsim.diagnostics import InputError, Source
from symsim.interop.huggingface.translate import translate
from symsim.interop.json_text import parse
from symsim.language.models import elaborate_model
from symsim.records.model import Model
from symsim.records.model import Value as Dimension

Configuration = dict[str, object]

ACTIVATIONS = {"swiglu": "silu", "geglu": "gelu"}


def configuration_of(model: Model) -> Configuration | None:
    """The keys of a ``config.json`` that is read as this very model, of the first type that has one."""
    if model.own is not None:
        return None
    return next((config for config in _candidates(model) if _is_read_as(config, model)), None)


def _is_read_as(config: Configuration, model: Model) -> bool:
    """Whether the rules give the model's family and dimensions, but for the length of sequences it was trained on."""
    source = Source("config.json", json.dumps(config))
    try:
        read = elaborate_model(Source("config.json", translate(parse(source), model.name, source)), {})
    except InputError:
        return False
    return read.family == model.family and _counted(read) == _counted(model)


def _counted(model: Model) -> Mapping[str, Dimension]:
    learned = model.dimensions.get("positions") == "learned"
    return {n: v for n, v in model.dimensions.items() if learned or n != "max_positions"}


def _candidates(model: Model) -> Iterator[Configuration]:
    d = model.dimensions
    usual: Configuration = {
        "hidden_size": d.get("hidden"),
        "num_hidden_layers": d.get("layers"),
        "num_attention_heads": d.get("heads"),
        "vocab_size": d.get("vocab"),
        "tie_word_embeddings": d.get("tied"),
        "hidden_act": ACTIVATIONS.get(str(d.get("activation")), "silu"),
        "max_position_embeddings": d.get("max_positions") or 4096,
    }
    match model.family:
        case "llama":
            yield from _dense(usual, d)
        case "moe":
            yield from _experts(usual, d)
        case "deepseek":
            yield _latent(usual, d)


def _dense(usual: Configuration, d: Mapping[str, Dimension]) -> Iterator[Configuration]:
    heads = {"num_key_value_heads": d["kv_heads"], "head_dim": d["head_dim"], "intermediate_size": d["ffn"]}
    yield {"model_type": "llama", **usual, **heads, "attention_bias": d["bias"], "mlp_bias": d["mlp_bias"]}
    yield {"model_type": "qwen2", **usual, **heads}
    yield {"model_type": "qwen3", **usual, **heads, "attention_bias": d["bias"]}


def _experts(usual: Configuration, d: Mapping[str, Dimension]) -> Iterator[Configuration]:
    usual = {**usual, "num_key_value_heads": d["kv_heads"], "head_dim": d["head_dim"]}
    usual |= {"num_experts_per_tok": d["topk"]}
    width = {"moe_intermediate_size": d["expert_ffn"], "intermediate_size": d["dense_ffn"]}
    yield {"model_type": "mixtral", **usual, "num_local_experts": d["experts"], "intermediate_size": d["expert_ffn"]}
    yield {"model_type": "qwen3_moe", **usual, **width, "num_experts": d["experts"], "attention_bias": d["bias"]}
    yield {
        "model_type": "glm4_moe",
        **usual,
        **width,
        **_shared(d),
        "attention_bias": d["qkv_bias"],
        "use_qk_norm": d["qk_norm"],
    }


def _latent(usual: Configuration, d: Mapping[str, Dimension]) -> Configuration:
    return {
        "model_type": "deepseek_v3",
        **usual,
        "num_key_value_heads": d["heads"],
        "q_lora_rank": d["q_rank"] or None,
        "kv_lora_rank": d["kv_rank"],
        "qk_nope_head_dim": d["nope_dim"],
        "qk_rope_head_dim": d["rope_dim"],
        "v_head_dim": d["value_dim"],
        "num_experts_per_tok": d["topk"],
        "moe_intermediate_size": d["expert_ffn"],
        "intermediate_size": d["dense_ffn"],
        "attention_bias": d["bias"],
        **_shared(d),
    }


def _shared(d: Mapping[str, Dimension]) -> Configuration:
    """Experts whose shared ones are counted in their own width."""
    shared, width = d["shared_ffn"], d["expert_ffn"]
    assert isinstance(shared, int) and isinstance(width, int)
    return {
        "n_routed_experts": d["experts"],
        "n_shared_experts": shared // width,
        "first_k_dense_replace": d["dense_layers"],
        "n_group": 1,
        "topk_group": 1,
    }
