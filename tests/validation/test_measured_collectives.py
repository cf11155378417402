"""Messages beside microbenchmarks: the errors that docs/network.md prints, bounded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.docs.test_docs import generate

CURVES: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "collectives.json").read_text(encoding="utf-8")
)
FITTED = [curve for curve in CURVES if curve["fitted"] != "no"]
MEAN_ERROR = 0.13
"""Of the worst curve that figures were fitted to: all-gathers of 256 MB on 2 to 64 nodes by EFA."""


def test_there_are_curves_of_both_tiers() -> None:
    assert len(FITTED) >= 10
    assert {max(ranks for ranks, _, _ in curve["points"]) > 8 for curve in FITTED} == {True, False}


@pytest.mark.parametrize("curve", FITTED, ids=lambda c: f"{c['name']}, {c['collective']}")
def test_fitted_curves_are_met(curve: dict[str, Any]) -> None:
    errors = generate.curve_errors(curve)
    assert sum(map(abs, errors)) / len(errors) < MEAN_ERROR


def test_reduce_scatter_over_infiniband_is_met_within_2_percent() -> None:
    (curve,) = (c for c in CURVES if "128 nodes" in c["name"])
    assert max(map(abs, generate.curve_errors(curve))) < 0.02


def test_groups_side_by_side_in_a_pcie_box_are_met() -> None:
    for curve in CURVES:
        if curve.get("side_by_side"):
            assert max(map(abs, generate.curve_errors(curve))) < 0.01
