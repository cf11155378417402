"""The index of a checkpoint next to a configuration: what it states, and what is said where counts differ."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from symsim.analysis.imported_model import different_count, renamed
from symsim.interop.huggingface.weight_index import stated_parameters
from symsim.loading.model_files import source_of

CONFIG = {"model_type": "llama", "hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2,
          "num_attention_heads": 4, "vocab_size": 512, "dtype": "bfloat16"}  # fmt: skip
PARAMETERS = 2 * 512 * 64 + 64 + 2 * (4 * 64 * 64 + 3 * 64 * 96 + 2 * 64)


def folder(path: Path, index: object, **keys: object) -> Path:
    (path / "config.json").write_text(json.dumps({**CONFIG, **keys}), encoding="utf-8")
    (path / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return path / "config.json"


def said(config: Path) -> str | None:
    return different_count(source_of(str(config)), config)


def test_equal_counts_are_not_mentioned(tmp_path: Path) -> None:
    assert said(folder(tmp_path, {"metadata": {"total_size": 2 * PARAMETERS}})) is None
    assert said(folder(tmp_path, {"metadata": {"total_size": 1, "total_parameters": PARAMETERS}})) is None


def test_a_difference_is_said_with_both_counts(tmp_path: Path) -> None:
    told = said(folder(tmp_path, {"metadata": {"total_parameters": PARAMETERS * 2}}))
    assert told is not None and f"{PARAMETERS * 2:,}" in told and f"{PARAMETERS:,} (-50 %)" in told


@pytest.mark.parametrize(
    ("index", "keys"),
    [
        ({}, {}),
        ([], {}),
        ({"metadata": None}, {}),
        ({"metadata": {"total_size": "large"}}, {}),
        ({"metadata": {"total_size": -1}}, {}),
        ({"metadata": {"total_size": 1000}}, {"dtype": "float8"}),
        ({"metadata": {"total_size": 1000}}, {"quantization_config": {"quant_method": "fp8"}}),
    ],
)
def test_an_index_that_states_no_count_is_passed_over(index: object, keys: dict[str, object], tmp_path: Path) -> None:
    assert stated_parameters(folder(tmp_path, index, **keys).parent, {**CONFIG, **keys}) is None


def test_a_model_takes_the_name_of_its_file(tmp_path: Path) -> None:
    source = source_of(str(folder(tmp_path, {})))
    assert "\nmodel my_model_8b " in renamed(source, "My-Model-8B").text
