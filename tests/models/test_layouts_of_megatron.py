"""Each rank holds what Megatron-Core 0.16.1's own modules hold, and what it refuses is refused.

``layouts_megatron.json`` has random small models under random plans, drawn and counted by
``checks/megatron/layouts.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.evaluate import answer
from symsim.diagnostics import InputError
from symsim.loading.question import question

DATA = Path(__file__).parents[1] / "data"
ROWS = json.loads((DATA / "layouts_megatron.json").read_text(encoding="utf-8"))
DIMENSIONS = {
    "num_layers": "layers",
    "num_query_groups": "kv_heads",
    "add_bias_linear": "bias",
    "qk_layernorm": "qk_norm",
    "tied": "tied",
    "mtp_num_layers": "mtp_layers",
    "num_moe_experts": "experts",
    "moe_router_topk": "topk",
    "moe_ffn_hidden_size": "expert_ffn",
    "moe_shared_expert_intermediate_size": "shared_ffn",
}
CHOICES = {"first": "first_stage_layers", "last": "last_stage_layers"}


def text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def held(row: dict[str, Any]) -> list[list[int]]:
    """Dense and expert elements of one rank of each stage."""
    model, plan = row["model"], row["plan"]
    settings = [f"{DIMENSIONS[name]}={text(value)}" for name, value in model.items() if name in DIMENSIONS]
    settings.append(f"qkv_bias={text(model['add_bias_linear'] or model['add_qkv_bias'])}")
    settings.append(f"norm={'rms' if model['normalization'] == 'RMSNorm' else 'layer'}")
    settings.append(f"positions={'learned' if model['learned'] else 'rope'}")
    settings += [f"{CHOICES.get(n, n)}={text(v)}" for n, v in plan.items() if n != "layout"]
    settings += [f'layout="{plan["layout"]}"'] if "layout" in plan else []
    settings += [f"gbs={plan['world'] * plan['pp']}", "seq=1024", "vocab_multiple=1"]
    asked = question(str(DATA / "layouts.sym"), None, None, tuple(settings))
    found = answer(asked.model, asked.plan, None)
    expert = list(found.of_stage("P_expert")) if "P_expert" in found.values else [0] * plan["pp"]
    return [[int(a), int(b)] for a, b in zip(found.of_stage("P"), expert, strict=True)]


def rows() -> list[Any]:
    """A third of them always, the others with the slow tests."""
    names = [row["plan"].get("layout") or ",".join(f"{n}={v}" for n, v in row["plan"].items()) for row in ROWS]
    return [
        pytest.param(row, id=f"{k}-{name}", marks=[pytest.mark.slow] if k % 3 else [])
        for k, (row, name) in enumerate(zip(ROWS, names, strict=True))
    ]


@pytest.mark.parametrize("row", rows())
def test_a_rank_holds_what_megatrons_modules_hold(row: dict[str, Any]) -> None:
    if "refused" in row:
        with pytest.raises(InputError):
            held(row)
    else:
        assert held(row) == row["stages"]


WITH_BIASES = (
    "moe(hidden=128,layers=4,heads=8,kv_heads=4,dense_ffn=256,vocab=1024,experts=8,topk=2,expert_ffn=64,dense_layers=1)"
)


def of_moe(*settings: str) -> list[list[int]]:
    plan = "world=8,tp=2,pp=2,ep=2,gbs=8,seq=1024,vocab_multiple=1"
    asked = question(WITH_BIASES, plan, None, settings)
    found = answer(asked.model, asked.plan, None)
    return [[int(a), int(b)] for a, b in zip(found.of_stage("P"), found.of_stage("P_expert"), strict=True)]


def test_biases_are_of_routers_and_experts_too() -> None:
    """``--add-bias-linear``, and ``--add-qkv-bias`` alone: counted in Megatron-Core 0.16.1's modules."""
    assert of_moe("bias=true") == [[166_280, 99_328], [117_904, 198_656]]
    assert of_moe("qkv_bias=true") == [[165_632, 98_304], [117_632, 196_608]]


def test_experts_with_biases_are_not_split() -> None:
    with pytest.raises(InputError, match="experts that tensor parallelism splits have no biases"):
        of_moe("bias=true", "etp=2")
