"""Write formats/torchtitan/classes.json: what each registered configuration of torchtitan sets.

    python checks/torchtitan/registered.py > formats/torchtitan/classes.json

Needs torchtitan 0.3.0 with torch, torchao and triton; a CPU is enough: what asks for a GPU is answered with yes.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from importlib.metadata import version
from typing import Any

MODULES = ("llama3", "qwen3", "deepseek_v3", "gpt_oss")
SECTIONS = ("training", "parallelism", "activation_checkpoint", "compile")
WITHOUT_COST = {"steps", "gc_freq", "gc_debug", "max_norm"}


def main() -> None:
    pretend_a_gpu()
    from torchtitan.config import CompileConfig, ParallelismConfig, TrainingConfig

    classes = {"training": TrainingConfig, "parallelism": ParallelismConfig, "compile": CompileConfig}
    defaults = {name: plain(vars_of(made())) for name, made in classes.items()}
    found: dict[str, Any] = {}
    for module in MODULES:
        registry = importlib.import_module(f"torchtitan.models.{module}.config_registry")
        for name, function in sorted(inspect.getmembers(registry, inspect.isfunction)):
            own = function.__module__ == registry.__name__ and not inspect.signature(function).parameters
            if own and not name.startswith("_") and "debug" not in name:
                try:
                    keys = function().to_dict()
                except Exception as problem:
                    print(f"{name}: {problem!r}"[:200], file=sys.stderr)
                    continue
                found[f"{module} {name}"] = row(keys, defaults, inspect.getsource(function))
    print("{")
    print(f'"source": "torchtitan {version("torchtitan")}",')
    types = (f"{json.dumps(name)}: {json.dumps({'defaults': keys})}" for name, keys in defaults.items())
    print('"types": {' + ",\n".join(types) + "},")
    print('"configurations": {')
    print(",\n".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in sorted(found.items())))
    print("}}")


def row(keys: dict[str, Any], defaults: dict[str, Any], text: str) -> dict[str, Any]:
    """What one configuration sets apart from the defaults; whether its linears have few bits is only in its code."""
    spec = keys["model_spec"]
    out: dict[str, Any] = {"model_spec": {"name": spec["name"], "flavor": spec["flavor"]}}
    for section in SECTIONS:
        if section == "activation_checkpoint":
            out[section] = recomputed(keys.get(section))
            continue
        value = plain(keys.get(section))
        known = defaults.get(section, {})
        out[section] = value if value is None else {k: v for k, v in value.items() if known.get(k, known) != v}
    out["optimizer"] = {"names": [group["optimizer_name"] for group in keys["optimizer"]["param_groups"]]}
    out["loss"] = {"num_chunks": keys["loss"].get("num_chunks", 1)}
    words = {"MXFP8": "mxfp8", "NVFP4": "nvfp4", "Float8": "fp8", "float8": "fp8", "nvfp4": "nvfp4"}
    out["few_bits"] = next((word for name, word in words.items() if name in text), None)
    return {name: value for name, value in out.items() if value != {}}


def recomputed(value: Any) -> str:
    """What the saved JSON calls by the presence of a key alone."""
    if value is None:
        return "none"
    kinds = {"memory_budget": "budget", "force_recompute_mm_shapes_by_fqns": "selective"}
    return next((word for name, word in kinds.items() if name in value), "full")


def plain(value: Any) -> Any:
    return {k: v for k, v in value.items() if k not in WITHOUT_COST} if isinstance(value, dict) else value


def vars_of(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__dataclass_fields__}


def pretend_a_gpu() -> None:
    import torchtitan.components.quantization.float8 as float8
    import torchtitan.tools.utils as utils

    utils.has_cuda_capability = float8.has_cuda_capability = lambda *_: True


if __name__ == "__main__":
    main()
