"""Tornado charts of what moves an answer."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis.quantities import parsed
from symsim.analysis.sensitivities.sensitivity import sensitivity
from symsim.analysis.sensitivities.sensitivity_json import document
from symsim.diagnostics import InputError
from symsim.loading.question import question
from symsim.report.tornado import draw, reach


def result(of: str = "time.iteration", *names: str) -> dict[str, Any]:
    asked = question("llama3_8b", "world=16,tp=2,pp=2,gbs=32,seq=4096", "h100_sxm")
    return document(asked, sensitivity(asked, parsed(of), names or None))


def test_without_matplotlib_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(InputError) as refused:
        draw(result(), Path("tornado.png"))
    assert refused.value.diagnostics[0].code == "E006"


def test_no_kind_of_picture() -> None:
    with pytest.raises(InputError, match=r"cannot write a picture as 'tornado\.txt'"):
        draw(result("time.iteration", "tp"), Path("tornado.txt"))


@pytest.mark.parametrize("of", ["time.iteration", "memory.peak", "0"])
def test_a_picture_is_written(tmp_path: Path, of: str) -> None:
    """Also where nothing moves the answer."""
    pytest.importorskip("matplotlib")
    path = tmp_path / "tornado.svg"
    draw(result(of), path)
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<?xml") and len(text) > 10_000


def test_the_longer_bar_ranks() -> None:
    tp = next(p for p in result()["partials"] if p["name"] == "tp")
    assert reach(tp) == max(abs(s["difference"]) for s in tp["next"].values() if s is not None)
    assert reach({"next": {"below": None, "above": None}}) == 0
