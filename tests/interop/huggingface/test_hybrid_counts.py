"""Configurations of hybrids, state-space and linear-attention models have the parameters of Hugging Face's classes."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.compiler.pipeline import compile_cost
from symsim.diagnostics import Source
from symsim.interop.huggingface.translate import translate
from tests.models.counting import model_of, rows, structure

HYBRIDS = rows("params_hybrids.json")
"""Small configurations, and parameters of classes of transformers 5.24.0 on the meta device, all and of one token."""


@pytest.mark.parametrize("number", range(len(HYBRIDS)), ids=lambda n: f"{n}-{HYBRIDS[n]['config']['model_type']}")
def test_a_configuration_has_the_parameters_of_its_class(number: int) -> None:
    row: dict[str, Any] = HYBRIDS[number]
    model = model_of(translate(row["config"], "one", Source("config.json", "")))
    found = {d.name: d.expression for d in compile_cost(model, structure().structure).definitions}
    assert {name: int(found[name]) for name in ("parameters", "active_parameters")} == {
        name: row[name] for name in ("parameters", "active_parameters")
    }
