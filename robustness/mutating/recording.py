"""A pytest plugin that writes down which test runs which line, and how long each test takes.

``MUTATING_RECORD`` names the file to write, ``MUTATING_SOURCE`` the folder whose lines count. What a process
compiles once and keeps in memory counts for the first test that needs it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import coverage
import pytest

_SOURCE = Path(os.environ["MUTATING_SOURCE"])
_COVERAGE = coverage.Coverage(data_file=None, source=[str(_SOURCE / "symsim")], config_file=False, messages=False)
_SECONDS: dict[str, float] = {}


def pytest_configure() -> None:
    _COVERAGE.start()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _COVERAGE.switch_context(item.nodeid)
    try:
        return (yield)
    finally:
        _COVERAGE.switch_context("")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.passed:
        _SECONDS[report.nodeid] = _SECONDS.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish() -> None:
    _COVERAGE.stop()
    data = _COVERAGE.get_data()
    lines: dict[str, dict[int, list[str]]] = {}
    for file in data.measured_files():
        name = Path(file).relative_to(_SOURCE).as_posix()
        by_line: dict[int, Any] = data.contexts_by_lineno(file)
        lines[name] = {line: [t for t in tests if t in _SECONDS] for line, tests in by_line.items()}
    Path(os.environ["MUTATING_RECORD"]).write_text(json.dumps({"seconds": _SECONDS, "lines": lines}), encoding="utf-8")
