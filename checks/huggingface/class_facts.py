"""The facts about one configuration class: defaults, names, and what each key changes."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import json
import textwrap
import typing

from building import CAUSAL, build, configuration, read_names, text_class
from cost_keys import COST_KEYS
from transformers import GenerationConfig, PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from values import kinds
from varying import Varied

LAYERS = 8
"""Layers of the configuration that is varied: as many as make every usual pattern appear."""

COMMON = frozenset(field.name for field in dataclasses.fields(PreTrainedConfig)) | {
    "_attn_implementation",
    "_name_or_path",
    "attn_implementation",
    "auto_map",
    "experts_implementation",
    "name_or_path",
    "num_labels",
    "output_attentions",
    "rope_theta",
    "tie_last_hidden_states",
    "torch_dtype",
    "use_cache",
    "use_return_dict",
}
"""Keys that every class takes and that say nothing of a model's shape."""

GENERATION = frozenset(GenerationConfig._get_default_generation_params())
"""Keys that say how text is generated."""

OF_EVERY_CLASS = frozenset(dir(PreTrainedConfig)) - {"tie_word_embeddings"}
"""Names of methods and properties."""

NEEDED: tuple[dict[str, object], ...] = (
    {"head_dim": 128},
    {"num_key_value_heads": 8},
    {"n_routed_experts": 8, "n_shared_experts": 1},
    {"n_routed_experts": 8, "n_shared_experts": 1, "num_experts_per_tok": 2},
    {"layer_types": ["conv", "full_attention"] * 4, "num_hidden_layers": 8},
    {"linear_num_key_heads": 16, "linear_num_value_heads": 32},
    {
        "indexer_n_heads": 4,
        "indexer_kv_heads": 1,
        "indexer_head_dim": 256,
        "indexer_budget": 2048,
        "indexer_compress_ratio": 4,
    },
    {"rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 1e4}}},
    {"layers_block_type": ["linear_attention", "full_attention", "moe", "mlp"] * 2},
)
"""What some classes need that cannot be built from their own defaults; tried in this order."""

KINDS = {int: "int", float: "float", bool: "flag", str: "text", list: "list", dict: "object"}


def facts(model_type: str, alone: bool = False) -> dict[str, object]:
    """What ``classes.json`` says of one type; of a class that cannot be built, only what its fields say.

    With ``alone`` each key is varied by itself, which is several times as fast.
    """
    kind = CONFIG_MAPPING[model_type]
    fields = {
        field.name: raw_default(field)
        for field in dataclasses.fields(kind)
        if field.name not in COMMON | GENERATION and not field.name.startswith("_")
    }
    for other, name in kind.attribute_map.items():
        # Two fields that are one key: the class sets them in their order, so that the later default holds.
        if other in fields and name in fields:
            later = max(other, name, key=list(fields).index)
            fields[name] = fields[later]
            del fields[other]
    hints = type_hints(kind)
    parts = sorted(kind.sub_configs_defaults)
    taken = popped(kind)
    said: dict[str, object] = {"class": CAUSAL.get(model_type) or text_class(model_type).__name__}
    try:
        base = small(model_type, fields)
    except RuntimeError as problem:
        base = {}
        said["unbuilt"] = str(problem)
    names = renamed(model_type, base, fields, taken)
    defaults = {"tie_word_embeddings": False, **fields}
    said |= {
        "defaults": {name: plain(defaults[name]) for name in sorted(defaults) if name not in parts},
        "kinds": {
            name: sorted(KINDS[part] for part in kinds(hints.get(name)) if part in KINDS)
            for name in sorted(fields)
            if fields[name] is None and name not in parts
        },
        "renamed": names,
        "parts": parts,
    }
    if "unbuilt" in said:
        return said
    with read_names(kind) as read:
        varied = Varied(model_type, base, fields, hints)
        known = set(fields) | set(names) | set(parts) | COMMON | GENERATION | OF_EVERY_CLASS
        extra = sorted((read | taken) - known)
        keys = [name for name in dict.fromkeys([*fields, *extra, "tie_word_embeddings"]) if name not in parts]
        sorts = varied.sorted(keys, read, alone)
    # A name that a module only asks for, and that changes nothing where it is given, is no key of the class.
    own = {*fields, *taken, "tie_word_embeddings"}
    if model_type not in CAUSAL:
        # The body of a language model has no head: the whole decides.
        for keys in sorts.values():
            keys[:] = [key for key in keys if key != "tie_word_embeddings"]
        sorts["active"].append("tie_word_embeddings")
    sorts["inert"] = [key for key in sorts["inert"] if key in own]
    sorts["cost"] = [key for key in sorts["cost"] if key in own or key in COST_KEYS]
    asked = dict.fromkeys([*(name for name in fields if name not in parts), *sorts["active"]])
    refused = {key: words for key in sorted(asked) if (words := list(varied.refusals(key)))}
    layered: dict[str, list[str]] = {}
    for key in sorts["active"]:
        if word := varied.one_layer(key):
            layered.setdefault(word, []).append(key)
    base = {key: plain(value) for key, value in sorted(base.items())}
    return (
        said | sorts | {"refused": refused, "per_layer": layered, "varied": base} | ({"alone": True} if alone else {})
    )


def small_of(model_type: str) -> dict[str, object]:
    """Keys of a small configuration of a type, for a model that has it as a part."""
    if model_type not in SMALL:
        try:
            fields = dataclasses.fields(CONFIG_MAPPING[model_type])
            SMALL[model_type] = small(model_type, {field.name: raw_default(field) for field in fields})
        except RuntimeError:
            SMALL[model_type] = {}
    return SMALL[model_type]


SMALL: dict[str, dict[str, object]] = {}
"""What :func:`small_of` has found."""


def small(model_type: str, fields: dict[str, object]) -> dict[str, object]:
    """Keys of a configuration with few layers; of one with the usual layers where the class refuses fewer."""
    renames = CONFIG_MAPPING[model_type].attribute_map
    names = (renames.get("num_hidden_layers", "num_hidden_layers"), "num_layers", "n_layer", "n_layers")
    name = next((name for name in names if name in fields), None)
    candidates: list[dict[str, object]] = []
    if name is not None and isinstance(fields[name], int):
        lists = {
            key: value[:LAYERS]
            for key, value in fields.items()
            if isinstance(value, list) and len(value) == fields[name]
        }
        candidates.append({name: LAYERS, **lists})
        candidates += [{name: LAYERS, **needed} for needed in NEEDED if set(needed) <= set(fields)]
    candidates += [{}, *(needed for needed in NEEDED if set(needed) <= set(fields))]
    for keys in candidates:
        try:
            build(model_type, configuration(model_type, keys))
        except Exception:
            continue
        return keys
    raise RuntimeError(f"{model_type} cannot be built from its defaults: NEEDED has nothing that helps")


def renamed(model_type: str, base: dict[str, object], fields: dict[str, object], taken: set[str]) -> dict[str, str]:
    """Other names of a class's keys: name in a file → name in ``defaults``."""
    kind = CONFIG_MAPPING[model_type]
    names = {}
    for other, name in kind.attribute_map.items():
        # A map from a field to another name is read the other way round: both are one key.
        names.update({other: name} if name in fields else {name: other} if other in fields else {})

    def values(keys: dict[str, object]) -> dict[str, object]:
        try:
            return dict(vars(configuration(model_type, {**base, **json.loads(json.dumps(keys))})))
        except Exception:
            return {}

    before = values({})
    settable = {
        name
        for name, member in inspect.getmembers(kind, lambda member: isinstance(member, property))
        if member.fset is not None and name not in OF_EVERY_CLASS
    }
    for name in sorted((taken | settable | {"rope_scaling"}) - set(fields) - set(names)):
        for example in (7, True, False, [3], {"rope_type": "linear", "factor": 7.0}):
            after = values({name: example})
            moved = [key for key in fields if same(after.get(key), example) and not same(before.get(key), example)]
            if len(moved) == 1:
                names[name] = moved[0]
                break
    return dict(sorted(names.items()))


def popped(kind: type) -> set[str]:
    """Names that a class takes out of the keys it has no field for."""
    names = set()
    for base in kind.__mro__:
        if base is PreTrainedConfig or not issubclass(base, PreTrainedConfig):
            continue
        for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(base)))):
            match node:
                case ast.Call(
                    func=ast.Attribute(value=ast.Name(id="kwargs"), attr="pop" | "get"),
                    args=[ast.Constant(value=str(name)), *_],
                ):
                    names.add(name)
    return names - COMMON - GENERATION


def same(value: object, example: object) -> bool:
    if isinstance(example, dict):
        return isinstance(value, dict) and value.get("factor") == example["factor"]
    return type(value) is type(example) and value == example


def type_hints(kind: type) -> dict[str, object]:
    try:
        return typing.get_type_hints(kind)
    except Exception:
        return {field.name: field.type for field in dataclasses.fields(kind)}


def raw_default(field: dataclasses.Field) -> object:
    """What the class says before it fills anything in."""
    if field.default is not dataclasses.MISSING:
        return field.default
    return field.default_factory() if field.default_factory is not dataclasses.MISSING else None


def plain(value: object) -> object:
    """A value as JSON has it; infinite numbers are texts."""
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple, set, range)):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return str(value)
    return value if isinstance(value, (str, int, float, bool, type(None))) else str(value)
