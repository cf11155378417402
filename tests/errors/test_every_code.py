"""No error without a test that provokes it and a section of the documentation; the documentation is what is printed."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.errors.document import CODES, document
from tests.errors.table import CASES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "errors.md"
PROVOKED_ELSEWHERE = {
    "E004": "tests/errors/test_processes.py",
    **dict.fromkeys(("E008", "E009"), "tests/errors/test_processes.py"),
    "E010": "tests/compiler/test_cache_limits.py",
    "E006": "tests/report/test_gantt.py",
    "E374": "tests/analysis/test_engines.py",
    "E375": "tests/analysis/test_engines.py",
    "E378": "tests/cli/test_search.py",
    "E379": "tests/analysis/test_engines.py",
    **dict.fromkeys(("E380", "E381", "E382", "E383", "E384", "E385"), "tests/api/test_errors.py"),
    "E386": "tests/api/test_names_and_frames.py",
}
"""Codes that no input provokes: a process does, a package that is not there, or what stands behind an answer."""

SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "symsim").rglob("*.py")]
RAISED = {code for source in SOURCES for code in re.findall(r'"(E\d{3})"', source)}


@pytest.mark.parametrize("code", sorted(RAISED))
def test_code_is_provoked(code: str) -> None:
    if code in PROVOKED_ELSEWHERE:
        assert code in (ROOT / PROVOKED_ELSEWHERE[code]).read_text(encoding="utf-8")
    else:
        assert code in {case.code for case in CASES}


@pytest.mark.parametrize("code", sorted(RAISED))
def test_code_is_documented(code: str) -> None:
    assert re.search(rf"^### {code} ", PAGE.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_documented_code_can_be_raised() -> None:
    assert set(CODES) == RAISED


def test_documentation_shows_what_is_printed() -> None:
    """``SYMSIM_REFRESH_GOLDEN=1 pytest`` writes the page anew."""
    if os.environ.get("SYMSIM_REFRESH_GOLDEN"):
        PAGE.write_text(document(), encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == document()
