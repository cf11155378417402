"""The facts about composite types: where the language model is nested, and which key ties its embeddings."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from building import CAUSAL, configuration
from class_facts import plain, small_of
from transformers import PreTrainedConfig
from transformers.models.auto import modeling_auto
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING

COMPOSITES = (
    modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_MULTIMODAL_LM_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
)
"""model_type → name of the class of the whole model, in the order in which they are looked up."""

TEXT_PARTS = ("text_config", "thinker_config", "llm_config", "language_config")
"""Names of keys that hold the language model, or what holds it."""

ENCODERS = {
    *modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES,
    *modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES,
    "bert-generation",
    "blip_text_model",
    "git",
    "kosmos_2_5_text_model",
    "kosmos_2_text_model",
    "musicgen",
    "musicgen_melody",
    "pix2struct_text_model",
    "pp_formulanet_text",
    "prophetnet",
    "reformer",
    "trocr",
    "xlm",
    "xlnet",
}
"""Types that are no decoder alone."""

GIVEN: dict[str, bool | None] = {"absent": None, "true": True, "false": False}
"""What a file may say of ``tie_word_embeddings``."""


def nested(model_type: str) -> Iterator[tuple[list[str], str, Mapping[str, object]]]:
    """Path of keys to each text part of a type, its default type, and its keys where the object is absent."""
    for key, spec in CONFIG_MAPPING[model_type].sub_configs_defaults.items():
        if key not in TEXT_PARTS:
            continue
        inner = spec.model_type
        deeper = list(nested(inner)) if inner in CONFIG_MAPPING else []
        if deeper:
            yield from (([key, *path], text, absent) for path, text, absent in deeper)
        else:
            yield [key], inner, spec.init_kwargs


def wrappers() -> Iterator[tuple[str, list[str], str, Mapping[str, object]]]:
    """Each composite type with a decoder inside: its path, the text part's usual type, its keys where absent."""
    for model_type in sorted(CONFIG_MAPPING):
        with contextlib.suppress(Exception):
            for path, text, absent in nested(model_type):
                if class_of(model_type, path) and text not in ENCODERS and text in CONFIG_MAPPING:
                    yield model_type, path, text, absent


def class_of(model_type: str, path: list[str]) -> str | None:
    """Name of the class of the whole model; of the part that holds the language model where that is nested deeper."""
    holders = (model_type, *([inner_type(model_type, path[0])] if len(path) > 1 else []))
    return next((names[kind] for kind in holders for names in COMPOSITES if kind in names), None)


def inner_type(model_type: str, key: str) -> str:
    return CONFIG_MAPPING[model_type].sub_configs_defaults[key].model_type


def facts(model_type: str, path: list[str], text: str, absent: Mapping[str, object]) -> dict[str, object]:
    """What ``classes.json`` says of one composite type."""
    said: dict[str, object] = {
        "text": path,
        "default": text,
        "fixed": fixed(model_type, path),
        "absent": plain(dict(absent)),
        "flat": flat(model_type, path, text),
        "class": class_of(model_type, path),
        "tie": tie_default(model_type),
    }
    if len(path) > 1:
        return said | {"inside": inner_type(model_type, path[0])}
    names = [class_of(model_type, path)]
    if model_type in CAUSAL and CAUSAL[model_type] not in names:
        names.append(CAUSAL[model_type])
    for name, word in zip(names, ("ties", "ties_causal"), strict=False):
        ties = table(model_type, name, text)
        said |= {"unbuilt": ties} if isinstance(ties, str) else {word: ties}
    said["other"] = other(model_type, names[0], text)
    return said


def fixed(model_type: str, path: list[str]) -> bool:
    """Whether the text part is always of its usual type, whatever ``model_type`` it says."""
    kind = CONFIG_MAPPING[model_type if len(path) == 1 else inner_type(model_type, path[0])]
    spec = kind.sub_configs_defaults[path[-1]]
    return issubclass(spec.config_class, PreTrainedConfig)


def tie_default(model_type: str) -> bool | None:
    """What the outer configuration says where its file says nothing; ``None`` where it has no such key."""
    field = CONFIG_MAPPING[model_type].__dataclass_fields__.get("tie_word_embeddings")
    return None if field is None else field.default


def flat(model_type: str, path: list[str], text: str) -> bool:
    """Whether keys of the text part are read where they stand beside those of the whole (files of old versions)."""
    try:
        named = CONFIG_MAPPING[text].attribute_map.get("hidden_size", "hidden_size")
        config: Any = configuration(model_type, {named: 192})
        for key in path:
            config = getattr(config, key)
        return getattr(config, named) == 192
    except Exception:
        return False


def built(model_type: str, name: str, keys: Mapping[str, object]) -> tuple[Any, torch.nn.Module]:
    config = configuration(model_type, keys)
    part = config.get_text_config() if name.endswith("ForCausalLM") and model_type in CAUSAL else config
    kind = next((found for found in causal_classes(model_type) if found.__name__ == name), None) or getattr(
        __import__("transformers"), name
    )
    if kind.config_class is type(config):
        part = config
    with torch.device("meta"):
        model = kind._from_config(part, attn_implementation="eager")
    return config, model


def causal_classes(model_type: str) -> list[type]:
    if model_type not in CAUSAL:
        return []
    found = MODEL_FOR_CAUSAL_LM_MAPPING[CONFIG_MAPPING[model_type]]
    return list(found) if isinstance(found, tuple) else [found]


def table(model_type: str, name: str, text: str) -> dict[str, bool] | str:
    """Whether the built class ties embedding and head, for what the outer and the inner configuration say.

    Names are ``outer,inner``; a text says why the class cannot be built.
    """
    said: dict[str, bool] = {}
    for outer_word, outer in GIVEN.items():
        for inner_word, inner in GIVEN.items():
            part: dict[str, object] = {"model_type": text, **small_of(text)}
            keys: dict[str, object] = {"text_config": part}
            if outer is not None:
                keys["tie_word_embeddings"] = outer
            if inner is not None:
                part["tie_word_embeddings"] = inner
            try:
                _, model = built(model_type, name, keys)
            except Exception as problem:
                return f"{type(problem).__name__}: {str(problem).strip().splitlines()[0][:120]}"
            said[f"{outer_word},{inner_word}"] = tied(model)
    return said


def tied(model: Any) -> bool:
    head = model.get_output_embeddings()
    return head is not None and head.weight is model.get_input_embeddings().weight


def other(model_type: str, name: str, text: str) -> dict[str, int] | None:
    """Parameters of the parts that are not the language model, with the class's defaults."""
    try:
        config, model = built(model_type, name, {"text_config": {"model_type": text, **small_of(text)}})
    except Exception:
        return None
    language = config.get_text_config()
    inside = [name for name, module in model.named_modules() if name and getattr(module, "config", None) is language]
    holders = {
        prefix
        for name in inside
        for prefix in (".".join(name.split(".")[:depth]) for depth in range(1, name.count(".") + 1))
    }
    parts: dict[str, int] = {}
    heads = {id(module.weight) for module in (model.get_output_embeddings(), model.get_input_embeddings()) if module}
    for name, parameter in model.named_parameters():
        if any(name.startswith(f"{prefix}.") for prefix in inside) or id(parameter) in heads:
            continue
        words = name.split(".")
        depth = next((n for n in range(1, len(words)) if ".".join(words[:n]) not in holders), 1)
        part = ".".join(words[:depth])
        parts[part] = parts.get(part, 0) + parameter.numel()
    return parts
