"""Predicted peaks beside measured ones; a change that makes them worse fails here.

The limits are what was reached, rounded up. See tests/data/README.md for the source of the cases.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.fitting.validate import validate

CASES = json.loads((Path(__file__).parent.parent / "data" / "memory_cases.json").read_text())


def errors(chosen: list[dict[str, Any]]) -> list[float]:
    """Per cent, of every stage of every case."""
    rows = validate(chosen)["cases"]
    assert [r["id"] for r in rows if r["failed"]] == []
    found: list[float] = []
    for row in rows:
        for value in row["error_pct"].values():
            found += value if isinstance(value, list) else [value]
    return found


def is_moe(case: dict[str, Any]) -> bool:
    return str(case["model"]).startswith("deepseek")


def test_dense_models_on_b200_are_within_a_hundredth_of_a_per_cent() -> None:
    """Tensor, sequence, context and pipeline parallelism, 4 Ki to 128 Ki tokens, 28 to 148 GiB."""
    found = errors([c for c in CASES if c["set"] == "b200-megatron" and not is_moe(c)])
    assert len(found) == 29
    assert max(map(abs, found)) < 0.01


@pytest.mark.parametrize(("name", "moe", "mean", "worst"), [
    ("b200-megatron", True, 0.03, 0.06),
    ("a100pcie-megatron", False, 1.05, 2.5),
])  # fmt: skip
def test_others_are_no_worse_than_they_were(name: str, moe: bool, mean: float, worst: float) -> None:
    found = [abs(e) for e in errors([c for c in CASES if c["set"] == name and (is_moe(c) or not moe)])]
    assert sum(found) / len(found) < mean
    assert max(found) < worst


OLDER: dict[str, str] = {}
NEWER = {"te_version": "2.3.0", "framework_version": "0.12.0"}
"""Software of the A100 rows, which their source does not tell apart: see docs/memory.md."""


def test_every_row_of_a100_fits_one_of_two_versions() -> None:
    rows = [c for c in CASES if c["set"] == "a100pcie-megatron"]
    found = [errors([{**c, "strategy": {**c["strategy"], **versions}} for c in rows]) for versions in (OLDER, NEWER)]
    nearest = [min(abs(a), abs(b)) for a, b in zip(*found, strict=True)]
    assert sum(abs(e) < 0.21 for e in found[1]) == 17
    assert max(nearest) < 0.37
