"""Write tests/data/framework_keys.json: every key that the configuration classes of five tools have.

    python checks/frameworks/known_keys.py > tests/data/framework_keys.json

Needs deepspeed 0.19.8, accelerate 1.15.0, transformers 5.24.0, torchtitan 0.3.0 and nanotron 0.4 (its source alone: the
package cannot be imported), with torch for the CPU.
"""

from __future__ import annotations

import ast
import dataclasses
import json
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def main() -> None:
    found = {
        "deepspeed": deepspeed_keys(),
        "accelerate": accelerate_keys(),
        "transformers": transformers_keys(),
        "torchtitan": torchtitan_keys(),
        "nanotron": nanotron_keys(),
    }
    print("{")
    print(",\n".join(f"{json.dumps(tool)}: {json.dumps(sorted(keys))}" for tool, keys in found.items()))
    print("}")


def deepspeed_keys() -> set[str]:
    from deepspeed.runtime.precision_config import DeepSpeedBF16Config, DeepSpeedFP16Config
    from deepspeed.runtime.tensor_parallel.config import TPTrainingConfig
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig
    from deepspeed.runtime.zero.offload_config import DeepSpeedZeroOffloadOptimizerConfig as Optimizer
    from deepspeed.runtime.zero.offload_config import DeepSpeedZeroOffloadParamConfig as Parameters

    blocks = {
        "zero_optimization": DeepSpeedZeroConfig, "zero_optimization.offload_optimizer": Optimizer,
        "zero_optimization.offload_param": Parameters, "bf16": DeepSpeedBF16Config, "fp16": DeepSpeedFP16Config,
        "tensor_parallel": TPTrainingConfig,
    }  # fmt: skip
    return {
        f"{block}.{field.alias or name}"
        for block, made in blocks.items()
        for name, field in made.model_fields.items()
        if name not in ("offload_param", "offload_optimizer", "mpu", "tp_group")
    }


def accelerate_keys() -> set[str]:
    from accelerate.commands.config.config_args import ClusterConfig
    from accelerate.commands.launch import launch_command_parser

    blocks = {
        "fsdp_": "fsdp_config", "parallelism_config_": "parallelism_config", "megatron_lm_": "megatron_lm_config",
    }  # fmt: skip
    flags = {action.dest for action in launch_command_parser()._actions}
    inside = {
        f"{block}.{flag.removeprefix(prefix)}"
        for prefix, block in blocks.items()
        for flag in flags
        if flag.startswith(prefix)
    }
    return {field.name for field in dataclasses.fields(ClusterConfig)} - set(blocks.values()) | inside


def transformers_keys() -> set[str]:
    from transformers import TrainingArguments

    return {field.name for field in dataclasses.fields(TrainingArguments)}


def torchtitan_keys() -> set[str]:
    from torchtitan.models.llama3.config_registry import llama3_8b

    keys = llama3_8b().to_dict()
    return {f"{section}.{name}" for section, inner in keys.items() if isinstance(inner, dict) for name in inner}


def nanotron_keys() -> set[str]:
    """Fields of the dataclasses of a configuration, from their source."""
    package = find_spec("nanotron")
    assert package is not None and package.submodule_search_locations is not None
    folder = Path(package.submodule_search_locations[0]) / "config"
    fields: dict[str, list[str]] = {}
    for name in ("config.py", "parallelism_config.py", "models_config.py"):
        for node in ast.walk(ast.parse((folder / name).read_text())):
            if isinstance(node, ast.ClassDef):
                fields[node.name] = [
                    b.target.id for b in node.body if isinstance(b, ast.AnnAssign) and isinstance(b.target, ast.Name)
                ]
    parts: dict[str, Any] = {
        "parallelism": "ParallelismArgs", "tokens": "TokensArgs", "optimizer": "OptimizerArgs", "model": "ModelArgs",
        "model_config": "LlamaConfig",
    }  # fmt: skip
    return {f"{part}.{name}" for part, made in parts.items() for name in fields[made]}


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    main()
