"""Small models under random plans, and what a rank of Megatron-Core's modules holds: tests/data/layouts_megatron.json.

    pip install torch megatron-core==0.16.1
    python checks/megatron/layouts.py SEED COUNT OUTPUT.json

Runs on the CPU: process groups are torch's fake ones, so that each rank's modules can be built in one process.
A row has the arguments of TransformerConfig and of the plan, and for one rank of each stage the elements of its dense
and of its experts' parameters, or the name of the error by which Megatron-Core refuses the plan.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from megatron.core import parallel_state
from megatron.core.models.gpt import gpt_layer_specs as specs
from megatron.core.models.gpt.gpt_model import GPTModel
from megatron.core.transformer.transformer_config import TransformerConfig
from torch.testing._internal.distributed.fake_pg import FakeStore

HIDDEN, HEADS, FFN, VOCAB, EXPERTS, EXPERT_FFN, POSITIONS = 128, 8, 128, 1024, 8, 64, 2048

_new_group = dist.new_group


def without_devices() -> None:
    """Modules ask for a GPU here and there while they are built."""
    dist.new_group = lambda *given, **named: _new_group(*given, **{**named, "backend": "fake"})
    torch.Tensor.cuda = lambda tensor, *_, **__: tensor
    torch.cuda.current_device = lambda: "cpu"
    torch.cuda.Stream = torch.cuda.Event = lambda *_, **__: None
    torch.cuda.current_stream = lambda *_, **__: None


def config_of(model: dict[str, Any], plan: dict[str, Any]) -> TransformerConfig:
    given = {k: v for k, v in model.items() if k not in ("tied", "learned")}
    return TransformerConfig(
        **given,
        hidden_size=HIDDEN,
        num_attention_heads=HEADS,
        ffn_hidden_size=FFN,
        gated_linear_unit=True,
        activation_func=torch.nn.functional.silu,
        tensor_model_parallel_size=plan["tp"],
        pipeline_model_parallel_size=plan["pp"],
        virtual_pipeline_model_parallel_size=plan["vp"] if plan.get("vp", 1) > 1 else None,
        expert_model_parallel_size=plan.get("ep", 1),
        expert_tensor_parallel_size=plan.get("etp", 1),
        num_layers_in_first_pipeline_stage=plan.get("first"),
        num_layers_in_last_pipeline_stage=plan.get("last"),
        account_for_embedding_in_pipeline_split=plan.get("embedding_in_split", False),
        account_for_loss_in_pipeline_split=plan.get("loss_in_split", False),
        pipeline_model_parallel_layout=plan.get("layout"),
        moe_token_dispatcher_type="alltoall",
        pipeline_dtype=torch.bfloat16,
        params_dtype=torch.bfloat16,
        bf16=True,
        use_cpu_initialization=True,
        perform_initialization=False,
        bias_activation_fusion=False,
    )


def held(model: dict[str, Any], plan: dict[str, Any], rank: int) -> list[int]:
    """Dense and expert elements of all chunks of a rank."""
    if dist.is_initialized():
        parallel_state.destroy_model_parallel()
        dist.destroy_process_group()
    dist.init_process_group("fake", store=FakeStore(), rank=rank, world_size=plan["world"])
    parallel_state.initialize_model_parallel(
        plan["tp"],
        plan["pp"],
        virtual_pipeline_model_parallel_size=plan["vp"] if plan.get("vp", 1) > 1 else None,
        expert_model_parallel_size=plan.get("ep", 1),
        expert_tensor_parallel_size=plan.get("etp", 1),
    )
    config = config_of(model, plan)
    chunks = config.virtual_pipeline_model_parallel_size or 1
    if chunks > 1:
        parallel_state.set_virtual_pipeline_model_parallel_world_size(chunks)
    counted = [0, 0]
    for chunk in range(chunks):
        stage = chunk if chunks > 1 else None
        layers = specs.get_gpt_decoder_block_spec(config, use_transformer_engine=False, vp_stage=stage)
        ahead = None
        if config.mtp_num_layers:
            one = specs.get_gpt_decoder_layer_specs(config, use_transformer_engine=False, normalization=None)[-1]
            ahead = specs.get_gpt_mtp_block_spec_for_backend(config, one, specs.LocalSpecProvider(), vp_stage=stage)
        module = GPTModel(
            config,
            layers,
            VOCAB,
            POSITIONS,
            pre_process=parallel_state.is_pipeline_first_stage(ignore_virtual=False, vp_stage=stage),
            post_process=parallel_state.is_pipeline_last_stage(ignore_virtual=False, vp_stage=stage),
            share_embeddings_and_output_weights=model["tied"],
            position_embedding_type="learned_absolute" if model["learned"] else "rope",
            mtp_block_spec=ahead,
            vp_stage=stage,
        )
        for name, parameter in module.named_parameters():
            counted[".experts." in name] += parameter.numel()
    return counted


def drawn() -> tuple[dict[str, Any], dict[str, Any]]:
    """A model and a plan.

    Not drawn are ends that together have more layers than the model, or that are both on one rank: Megatron-Core builds
    another number of layers then than it is told.
    """
    layers, predicted, bias = random.choice([3, 4, 6, 8, 9, 12]), random.choice([0, 0, 1, 2]), random.random() < 0.3
    model: dict[str, Any] = {
        "num_layers": layers,
        "num_query_groups": random.choice([1, 2, 4, 8]),
        "normalization": random.choice(["RMSNorm", "LayerNorm"]),
        "add_bias_linear": bias,
        "add_qkv_bias": random.random() < 0.3,
        "qk_layernorm": random.random() < 0.3,
        "tied": random.random() < 0.4,
        "learned": random.random() < 0.3,
    }
    if predicted:
        model["mtp_num_layers"] = predicted
    plan: dict[str, Any] = {"tp": random.choice([1, 1, 2, 4, 8]), "pp": random.choice([1, 2, 3, 4])}
    if random.random() < 0.5:
        model |= {"num_moe_experts": EXPERTS, "moe_router_topk": 2, "moe_ffn_hidden_size": EXPERT_FFN}
        plan |= {"ep": random.choice([1, 2, 4]), "etp": random.choice([1, 1, 2])}
        if random.random() < 0.3 and not bias:
            model["moe_shared_expert_intermediate_size"] = EXPERT_FFN
    plan["world"] = plan["tp"] * plan["pp"] * plan.get("ep", 1) * plan.get("etp", 1)
    if plan["pp"] > 1 and random.random() < 0.5:
        plan["vp"] = random.choice([2, 3])
    placing = random.choice(["even", "first", "last", "both", "split", "layout", "layout"])
    if placing in ("first", "both"):
        plan["first"] = random.randint(1, layers)
    if placing in ("last", "both") and not (plan["pp"] == 1 and "first" in plan) and plan.get("first", 0) < layers:
        plan["last"] = random.randint(1, layers - plan.get("first", 0))
    if placing == "split":
        plan |= {"embedding_in_split": random.random() < 0.6, "loss_in_split": random.random() < 0.7}
    if placing == "layout":
        plan["layout"] = layout(layers, predicted, plan["pp"] * plan.get("vp", 1))
    return model, plan


def layout(layers: int, predicted: int, stages: int) -> str:
    """Mostly legal ones: a third of those with ``m`` have them in a stage before the loss."""
    ends = sorted(random.choices(range(layers + 1), k=stages - 1))
    held = [b - a for a, b in zip([0, *ends], [*ends, layers], strict=True)]
    written = [f"t*{count}" if count != 1 else "t" for count in held]
    last = max((k for k, count in enumerate(held) if count), default=0)
    at = random.choice([stages - 1, stages - 1, random.randint(last, stages - 1), random.randrange(stages)])
    written[at] += "m" * predicted
    return "E" + "|".join(written) + "L"


def main(seed: int, count: int, output: Path) -> None:
    random.seed(seed)
    without_devices()
    rows = []
    for _ in range(count):
        model, plan = drawn()
        try:
            ranks = plan["world"] // plan["pp"]
            found: dict[str, Any] = {"stages": [held(model, plan, stage * ranks) for stage in range(plan["pp"])]}
        except Exception as problem:  # whatever it refuses with
            found = {"refused": type(problem).__name__}
        rows.append({"model": model, "plan": plan, **found})
    output.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
