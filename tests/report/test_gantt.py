"""Charts of simulated steps."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from symsim.analysis.timeline import Timeline
from symsim.diagnostics import InputError
from symsim.report.gantt import draw
from tests.analysis.test_timeline import of


@pytest.fixture(scope="module")
def step() -> Timeline:
    return of("llama3_70b", "schedule=zb_v", micro_batches=8)


def test_without_matplotlib_the_extra_is_named(step: Timeline, monkeypatch: pytest.MonkeyPatch) -> None:
    """E006."""
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError) as refused:
        draw(step, "step", Path("step.png"))
    assert refused.value.diagnostics[0].code == "E006"
    assert "symsim[plot]" in refused.value.render()


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_a_picture_is_written(step: Timeline, tmp_path: Path, ending: str) -> None:
    pytest.importorskip("matplotlib")
    path = tmp_path / f"step.{ending}"
    draw(step, "step", path)
    assert path.stat().st_size > 10_000
