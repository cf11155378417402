"""The API is typed: strict checking of a user's code finds nothing, and finds what is wrong."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
USE = Path(__file__).parent / "typed_use.py"

WRONG = """
import symsim

plan = symsim.load("llama3_70b", "tp8_pp4", systm="h100_sxm", set=3)
symsim.evaluate("llama3_70b")
symsim.formula("llama3_70b", show="memry")
symsim.lod("llama3_70b")
"""


def test_a_users_code_runs() -> None:
    runpy.run_path(str(USE))


def test_a_users_code_is_typed(tmp_path: Path) -> None:
    """CI checks the same file by itself, for mypy is installed there after the tests."""
    api = pytest.importorskip("mypy.api")
    wrong = tmp_path / "wrong.py"
    wrong.write_text(WRONG, encoding="utf-8")
    own = ["--config-file", str(ROOT / "pyproject.toml"), "--cache-dir", str(tmp_path / "cache")]
    said, _, status = api.run([*own, "--strict", "--follow-imports", "silent", str(USE), str(wrong)])
    assert status == 1
    assert "typed_use.py" not in said, said
    assert {line for line in range(10) if f"wrong.py:{line}: error" in said} == {4, 5, 6, 7}, said
