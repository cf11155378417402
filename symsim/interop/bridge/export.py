"""A plan as a configuration of Megatron-Bridge: the fields of ``run_config.yaml`` that the plan and the model decide.

The arguments of Megatron-LM's parser are written under the fields that say the same, as ``formats/megatron/bridge.csv``
has them. Each field may also be given to a recipe as an override, ``model.tensor_model_parallel_size=8``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from symsim.interop.exports import Export, Expressed, Part, Settled
from symsim.interop.megatron.arguments import ENVIRONMENT
from symsim.interop.megatron.bridge import ADAPTERS, field_of
from symsim.interop.megatron.model_arguments import model_arguments
from symsim.interop.megatron.plan_arguments import plan_arguments

CONTAINER = "megatron.bridge.training.config.ConfigContainer"
MODELS = {
    False: "megatron.bridge.models.gpt_provider.GPTModelProvider",
    True: "megatron.bridge.models.mla_provider.MLAModelProvider",
}
"""Whether attention is latent → the class of the model."""
BACKENDS = {"flash": 1, "fused": 2, "unfused": 3, "local": 4, "auto": 5}
"""Members of AttnBackend. Source: megatron-core 0.19.2, transformer/enums.py."""
FUNCTIONS = {
    "swiglu": (True, "torch.nn.functional.silu"),
    "quick_geglu": (True, "megatron.core.activations.quick_gelu"),
    "squared_relu": (False, "megatron.core.activations.squared_relu"),
}
"""Switch of the parser → gated or not, and the function."""
OF_PARSER = frozenset(
    {
        "add_position_embedding",
        "use_flash_attn",
        "group_query_attention",
        "vocab_size",
        "max_position_embeddings",
        *FUNCTIONS,
    }
)
"""Arguments whose field is written apart, or that Bridge has no field for."""


def export(asked: Settled) -> Export:
    """The configuration.

    Raises:
        InputError: E523, see :func:`symsim.interop.exports.export`.
    """
    words = Expressed("Megatron-Bridge", asked)
    words.leave_out("world", "the launcher says how many GPUs there are")
    adapters = _adapters(words)
    found = {**model_arguments(words), **plan_arguments(words)}
    longest = asked.model.dimensions.get("max_positions", 0)
    if found.get("position_embedding_type") == "learned_absolute" and longest != asked.values["seq"]:
        words.refuse_dimension("max_positions", longest, "its positions are as many as a sequence has tokens")
    if found.get("use_flash_attn"):
        words.refuse("attention", "the local implementation has no flash kernel")
    words.finish()
    sections = _sections(found, asked)
    if adapters:
        sections["peft"] = adapters
    text = yaml.safe_dump(sections, sort_keys=False, default_flow_style=None, width=110)
    title = (
        f"# {asked.model.name} under {asked.strategy_name}. Add the tokenizer, data, learning rate and checkpoints.\n"
    )
    return Export((Part("config", ".yaml", title + text),), words.left_out)


def _adapters(words: Expressed) -> dict[str, Any]:
    values = words.asked.values
    if values["lora_rank"] is None:
        return {}
    names = {ours: theirs for theirs, ours in ADAPTERS.items()}
    targets = values["lora_targets"]
    words.need("trainable", "none", reason="the model's own weights are frozen there")
    if not isinstance(targets, frozenset) or not targets <= names.keys():
        words.refuse("lora_targets", f"it has {', '.join(sorted(names))}")
        return {}
    for name in ("lora_rank", "lora_targets", "trainable"):
        words.left_out.setdefault(name, "")
    modules = sorted(names[t] for t in targets)
    return {"_target_": "megatron.bridge.peft.lora.LoRA", "dim": values["lora_rank"], "target_modules": modules}


def _sections(found: Mapping[str, Any], asked: Settled) -> dict[str, dict[str, Any] | str]:
    latent = bool(found.get("multi_latent_attention"))
    switch = next((name for name in FUNCTIONS if found.get(name)), None)
    gated, function = FUNCTIONS[switch] if switch is not None else (False, "torch.nn.functional.gelu")
    out: dict[str, Any] = {
        "_target_": CONTAINER,
        "model": {
            "_target_": MODELS[latent],
            "gated_linear_unit": gated,
            "activation_func": {"_target_": function, "_call_": False},
            "vocab_size": asked.model.dimensions["vocab"],
            "should_pad_vocab": True,
        },
    }
    for name, value in found.items():
        if name in OF_PARSER or name == ENVIRONMENT:
            continue
        section, field, turned = field_of(name)
        out.setdefault(section, {})[field] = (not value) if turned else _written(name, value)
    if found.get("fp16"):
        out["mixed_precision"]["grad_reduce_in_fp32"] = found["accumulate_allreduce_grads_in_fp32"]
    if found.get(ENVIRONMENT):
        out["env_vars"] = dict(found[ENVIRONMENT])
    return out


def _written(name: str, value: Any) -> Any:
    if name == "cp_comm_type" and isinstance(value, list):
        return value[0]
    if name == "attention_backend":
        enumeration = {"_target_": "megatron.core.transformer.enums.AttnBackend", "_call_": True}
        return {**enumeration, "_args_": [BACKENDS[value]], "_name_": value}
    return value
