"""Random legal plans of shipped models, for laws that must hold everywhere."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from symsim.analysis.evaluate import Evaluator, evaluator, machine_of
from symsim.loading.question import Question, question
from symsim.machine.bind import Machine


@dataclass(frozen=True)
class Case:
    """A model under one structure, and the optional sizes that vary beside the usual ones."""

    model: str
    choices: str
    extra: tuple[str, ...] = ()


MIXERS = Path(__file__).parents[1] / "data" / "mixers.sym"
"""A model of state-space, linear-attention, convolution and recurrent layers."""

BLOCKS = Path(__file__).parents[1] / "data"
"""Models in text of blocks that no shipped model has."""

CASES = (
    Case("llama3_70b", ""),
    Case("llama3_8b", "recompute=full,zero=3,overlap_tp=true", ()),
    Case("gpt3_175b", "attention=unfused,dropout=true,sequence_parallel=false,recompute={core_attn}"),
    Case("mixtral_8x7b", "recompute={layernorm,moe_act},overlap_moe=true,moe_imbalance=1.25"),
    Case("deepseek_v3", "recompute={mla_up_proj,mlp},first_stage_layers=4,last_stage_layers=3,te_version=2.11.0"),
    Case("qwen3_30b_a3b", "fused_cross_entropy=true,overlap_grad_reduce=true,overlap_param_gather=true,precision=fp8"),
    Case("gemma3_27b", "cp_comm=ring,zero=0,grad_dtype=bf16"),
    Case("llama32_1b", "vp=2,overlap_p2p=true,tokens=3T,price=2.5"),
    Case("gpt_oss_20b", "recompute=full,recompute_layers=2,moe_probs_in_activation=true"),
    Case("mamba(hidden=2560,layers=64,heads=80,groups=8,vocab=50288)", "zero=2,optimizer=sgd"),
    Case(str(MIXERS), "recompute={mamba}"),
    Case("llama3_8b", "schedule=zb_v,overlap_p2p=true"),
    Case("qwen3_30b_a3b", "schedule=zb_h2,recompute={moe_act}"),
    Case("deepseek_v3", 'layout="Et*7|(t*8|)*6t*6L"'),
    Case("mixtral_8x7b", "precision=fp8,fp8_params=true,offload={moe,optimizer},zero=2,optimizer=muon"),
    Case("qwen3_8b", "precision=fp8,zero=3,zero_shard=2,recompute={layernorm},optimizer=adafactor", ("zero_shard",)),
    Case("llama3_8b", "cp_comm=a2a_ring,cp_a2a=2,offload={weights,core_attn}", ("cp_a2a",)),
    Case("qwen3_30b_a3b", "precision=fp8,first_last_layers_bf16=true,overlap_grad_reduce=true,offload={expert_fc1}"),
    Case(
        "qwen3_8b",
        "optimizer=muon,use_layer_wise_distributed_optimizer=true,min_offloaded_tensor_size=1Mi,offload={attn_norm}",
    ),
    Case(str(BLOCKS / "compressed.sym"), "recompute={core_attn,layernorm}"),
    Case(str(BLOCKS / "variants.sym"), "attention=unfused,dropout=true"),
    Case(str(BLOCKS / "streams.sym"), "recompute={mlp}"),
)
_SIZES = "world=8,tp=2,pp=2,mbs=1,gbs=16,seq=4096"


def load(case: Case, system: str | None) -> tuple[Question, Evaluator, Machine | None]:
    asked = question(case.model, f"{_SIZES},{case.choices}" if case.choices else _SIZES, system)
    compiled = evaluator(asked.model, asked.plan.structure)
    machine = machine_of(asked)
    return asked, compiled, machine


def legal_sizes(compiled: Evaluator, fixed: dict[str, int], count: int, seed: int) -> Iterator[dict[str, int]]:
    """``count`` random sizes that break no rule of the program."""
    draw = random.Random(seed)
    powers = (1, 1, 2, 2, 4, 8)
    found = 0
    for _ in range(count * 400):
        tp, cp, ep, etp = (draw.choice(powers) for _ in range(4))
        pp = draw.choice((1, 2, 2, 3, 4, 4, 6, 8))
        dp = draw.choice((1, 2, 4, 8, 16))
        mbs = draw.choice((1, 2, 3, 4))
        sizes = {
            **fixed,
            "tp": tp,
            "cp": cp,
            "ep": ep,
            "etp": etp,
            "pp": pp,
            "mbs": mbs,
            "seq": draw.choice((2048, 4096, 8192)),
            "world": tp * cp * pp * dp,
            "gbs": mbs * dp * draw.choice((1, 2, 5, 8, 32)),
        }
        if not compiled.broken(sizes):
            yield sizes
            found += 1
            if found == count:
                return
    raise AssertionError(f"only {found} of {count} legal points")
