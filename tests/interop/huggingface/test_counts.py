"""Small configurations have as many parameters as the modules that Hugging Face's own classes build of them."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.diagnostics import Source
from symsim.interop.huggingface.translate import translate
from tests.models.counting import model_of, parameters, rows

COUNTED = rows("counts_huggingface.json")


@pytest.mark.parametrize("row", COUNTED, ids=lambda row: str(row["config"]["model_type"]))
def test_a_configuration_has_the_parameters_of_its_class(row: dict[str, Any]) -> None:
    model = model_of(translate(row["config"], "m", Source("config.json", "")))
    assert parameters(model) == row["parameters"]
    assert parameters(model, "active_parameters") == row.get("active_parameters", row["parameters"])
