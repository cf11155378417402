"""Small configurations have the forward FLOPs that torch counts over Hugging Face's own modules.

Equal to the last operation where torch's path is the algorithm: eager attention over all pairs, experts as plain
products. Not in the list: llama4_text, whose class runs every expert on every token; inkling_text, whose padding
convolves ``kernel - 1`` tokens more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import symsim
from symsim.diagnostics import Source
from symsim.interop.huggingface.translate import translate
from tests.models.counting import rows

COUNTED = rows("flops_configurations.json")
TOKENS = 128


@pytest.mark.slow
@pytest.mark.parametrize("row", COUNTED, ids=lambda row: str(row["config"]["model_type"]))
def test_a_configuration_has_the_flops_that_torch_counts(row: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "m.sym"
    file.write_text(str(translate(row["config"], "m", Source("config.json", ""))), encoding="utf-8")
    settings = {"world": 1, "mbs": 1, "gbs": 1, "seq": TOKENS, "vocab_multiple": 1}
    answer = symsim.evaluate(symsim.load(str(file), settings)).to_dict()
    assert answer["flops"]["forward_per_token"] * TOKENS == row["flops"]
