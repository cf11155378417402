"""Charts of the way from one plan to another."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.comparing.compare import compare
from symsim.analysis.comparing.compare_json import document
from symsim.analysis.quantities import parsed
from symsim.diagnostics import InputError
from symsim.loading.question import question
from symsim.report.waterfall import MOST_BARS, draw, shown


@pytest.fixture(scope="module")
def result() -> dict[str, Any]:
    first = question("llama3_8b", "world=16,tp=4,pp=2,gbs=32,seq=4096", "h100_sxm")
    second = question("llama3_8b", "world=16,tp=2,pp=2,gbs=32,seq=4096", "h100_sxm")
    return document(compare(first, second, parsed("throughput.mfu")), "throughput.mfu")


def test_without_matplotlib_the_extra_is_named(result: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """E006."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError) as refused:
        draw(result, Path("way.png"))
    assert refused.value.diagnostics[0].code == "E006"


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_is_written(result: dict[str, Any], tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"way.{ending}"
    draw(result, path)
    assert path.stat().st_size > 10_000


def test_small_changes_share_a_bar() -> None:
    steps = [(str(k), float(k)) for k in range(30)]
    bars = shown(steps)
    assert len(bars) == MOST_BARS + 1 and bars[0] == ("29", 29.0)
    assert sum(change for _, change in bars) == sum(range(30))
