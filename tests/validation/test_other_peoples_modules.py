"""Exact means equal: parameters of Megatron-Core's ranks, FLOPs that torch counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.evaluate import answer
from symsim.loading.question import question

DATA = Path(__file__).parent.parent / "data"
MEGATRON = json.loads((DATA / "params_megatron.json").read_text())
TORCH = json.loads((DATA / "flops_huggingface.json").read_text())


@pytest.mark.parametrize("row", MEGATRON, ids=lambda r: r["name"])
def test_parameters_of_every_stage_equal_megatron_core(row: dict[str, Any]) -> None:
    mesh = row["parallel"]
    sizes = {k: v for k, v in mesh.items() if k not in ("first", "last")}
    ends = {f"{k}_stage_layers": mesh[k] for k in ("first", "last") if k in mesh}
    plan = {**sizes, **ends, "mbs": 1, "microbatches": 1, "seq": 2048}
    asked = question(row["symsim_model"], ",".join(f"{k}={v}" for k, v in plan.items()), None)
    found = answer(asked.model, asked.plan, None)
    expert = found.of_stage("P_expert") if "P_expert" in found.values else [0] * found.stages
    pairs = zip(found.of_stage("P"), expert, strict=True)
    assert [{"dense": d, "expert": e} for d, e in pairs] == row["stages"]


@pytest.mark.parametrize("row", TORCH, ids=lambda r: r["name"])
def test_matmul_flops_equal_what_torch_counts(row: dict[str, Any]) -> None:
    """Four layers, 4096 tokens, full attention: model FLOPs count every pair, windows or not."""
    name = {"gemma3_text_27b": "gemma3_27b"}.get(row["name"], row["name"])
    plan = f"world=1,mbs=1,gbs={row['batch']},seq={row['seq']}"
    asked = question(name, plan, None, (f"layers={row['layers']}",))
    values = answer(asked.model, asked.plan, None).values
    assert values["flops.forward_per_token"] * row["seq"] * row["batch"] == pytest.approx(row["fwd"], rel=1e-6)
    assert values["flops.model_per_iteration"] == pytest.approx(row["fwd_bwd"], rel=1e-6)


def test_a_window_saves_machine_work_and_leaves_model_flops() -> None:
    plan = "world=1,gbs=1,seq=8192,attention=unfused"
    wide, narrow = (
        answer(q.model, q.plan, None).values
        for q in (question("gemma3_27b", plan, None, (f"window={w}",)) for w in (8192, 1024))
    )
    assert narrow["flops.model_per_iteration"] == wide["flops.model_per_iteration"]
    assert narrow["flops.hardware_per_iteration"] < wide["flops.hardware_per_iteration"]
    assert narrow["flops.causal_per_iteration"] < wide["flops.causal_per_iteration"]
