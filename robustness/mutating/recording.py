"""A pytest plugin that writes down which test runs which line, and how long each test takes.

``MUTATING_RECORD`` names the file to write, ``MUTATING_SOURCE`` the tree. What a process compiles once and keeps in
memory counts for the first test that needs it. A test of more than ``TEST_S`` seconds fails, so it is not recorded.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import coverage
import pytest

from mutating.mutants import FOLDERS

TEST_S = 180
"""Seconds of processor time that one test may take, more than all tests of a mutant."""

_SOURCE = Path(os.environ["MUTATING_SOURCE"])
_COVERAGE = coverage.Coverage(
    data_file=None, source=[str(_SOURCE / folder) for folder in FOLDERS], config_file=False, messages=False
)
_SECONDS: dict[str, float] = {}
_FAILED: list[str] = []


def pytest_configure() -> None:
    signal.signal(signal.SIGVTALRM, _too_long)
    _COVERAGE.start()


def _too_long(signum: int, frame: FrameType | None) -> None:
    pytest.fail(f"more than {TEST_S} s")


def _spent() -> float:
    """Seconds of processor time, those of processes that ended included."""
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _COVERAGE.switch_context(item.nodeid)
    began = _spent()
    signal.setitimer(signal.ITIMER_VIRTUAL, TEST_S)
    try:
        return (yield)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        _COVERAGE.switch_context("")
        if item.nodeid in _SECONDS:
            _SECONDS[item.nodeid] = round(_spent() - began, 3)


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.failed:
        _FAILED.append(report.nodeid)
        _SECONDS.pop(report.nodeid, None)
    elif report.passed and report.when == "call":
        _SECONDS[report.nodeid] = 0.0


def pytest_sessionfinish() -> None:
    _COVERAGE.stop()
    data = _COVERAGE.get_data()
    lines: dict[str, dict[int, list[str]]] = {}
    for file in data.measured_files():
        name = Path(file).relative_to(_SOURCE).as_posix()
        by_line: dict[int, Any] = data.contexts_by_lineno(file)
        lines[name] = {line: [t for t in tests if t in _SECONDS] for line, tests in by_line.items()}
    record = {"seconds": _SECONDS, "lines": lines, "failed": _FAILED}
    Path(os.environ["MUTATING_RECORD"]).write_text(json.dumps(record), encoding="utf-8")
