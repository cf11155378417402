"""Parameters as the compiler counts them: of a whole model, and of one rank of each stage."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from symsim import resources
from symsim.analysis.evaluate import Evaluator
from symsim.compiler.expand import expand
from symsim.compiler.pipeline import compile_cost
from symsim.diagnostics import Source
from symsim.emit.program import assemble
from symsim.language.library import library_for
from symsim.language.models import elaborate_model, model_source
from symsim.language.strategies import load_strategy
from symsim.loading.plan import Plan, plan
from symsim.records.graph import Graph
from symsim.records.model import Model

DATA = Path(__file__).parents[1] / "data"
SHIPPED = tuple(resources.shipped("models"))


def rows(file: str) -> list[dict[str, Any]]:
    loaded: list[dict[str, Any]] = json.loads((DATA / file).read_text(encoding="utf-8"))
    return loaded


ONE_OF_A_KIND = (
    "apertus_8b",
    "deepseek_v4_flash",
    "gemma4_26b_a4b",
    "glm5",
    "granite4_h_small",
    "kimi_linear_48b_a3b",
    "llama4_maverick",
    "minimax_m2",
    "nemotron3_nano_30b_a3b",
    "olmo3_7b",
    "qwen35_35b_a3b",
    "smollm3_3b",
)
"""Shipped models of 2026, one with each kind of layer."""


def others_slow(names: Iterable[str]) -> list[Any]:
    """Names for ``parametrize``: of the models of 2026 one of each kind runs always, the others with the slow tests."""
    seldom = {row["name"] for row in rows("params_shipped.json")} - {*ONE_OF_A_KIND}
    return [pytest.param(n, marks=pytest.mark.slow) if n in seldom else n for n in names]


def model_of(text: str) -> Model:
    return elaborate_model(Source("<test>", text))


@cache
def shipped(name: str) -> Model:
    return elaborate_model(model_source(name))


def structure(choices: str = "tp=1") -> Plan:
    return plan(load_strategy(choices), needs_sizes=False)


def graph_of(model: Model, choices: str = "tp=1") -> Graph:
    return expand(model, library_for(model), structure(choices).structure)[0]


def parameters(model: Model, name: str = "parameters") -> int:
    """The architecture as published: no padding, a tied weight once."""
    definitions = compile_cost(model, structure().structure).definitions
    return int(next(d.expression for d in definitions if d.name == name))


def stage_parameters(model: Model, strategy: str) -> list[dict[str, int]]:
    """Elements that one rank of each stage holds."""
    settled = plan(load_strategy(strategy))
    evaluator = Evaluator(assemble(compile_cost(model, settled.structure)))
    values = evaluator.scalar(settled.sizes, None)
    count = settled.values["pp"]
    assert isinstance(count, int)
    dense, expert = (_on_stages(values.get(name, 0), count) for name in ("P", "P_expert"))
    return [{"dense": d, "expert": e} for d, e in zip(dense, expert, strict=True)]


def _on_stages(value: Any, stages: int) -> list[int]:
    """A number that is the same on every stage, or one for each."""
    return [int(v) for v in value] if isinstance(value, list) else [int(value)] * stages
