"""One mutant against its tests, in a copy of the tree."""

from __future__ import annotations

import importlib.util
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from mutating.mutants import Mutant

MUTANT_S = 120
"""Seconds that the tests of one mutant may take; one that takes longer is counted apart, as killed by time."""

_FAILED = re.compile(r"^(?:FAILED|ERROR) (\S+)", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """``status``: killed, timeout, survived, or uncovered; ``by`` is the test that failed first."""

    key: str
    line: int
    status: str
    by: str
    tests: int
    seconds: float


def outcome(tree: Path, mutant: Mutant, tests: list[str], extra: list[str]) -> Outcome:
    """Write a mutant into the copy, run its tests until the first fails, and put the file back.

    ``extra`` are files of tests that are run whole behind those.
    """
    if not tests and not extra:
        return Outcome(mutant.key, mutant.line, "uncovered", "", 0, 0.0)
    path = tree / mutant.file
    source = path.read_bytes()
    began = time.monotonic()
    try:
        path.write_bytes(mutant.written(source))
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
        status, by = _tested(tree, [*tests, *extra])
    finally:
        path.write_bytes(source)
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
    return Outcome(mutant.key, mutant.line, status, by, len(tests), round(time.monotonic() - began, 1))


def _tested(tree: Path, tests: list[str]) -> tuple[str, str]:
    names = tree / ".mutant-tests"
    names.write_text("\n".join(tests), encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-n", "0", "-p", "no:cacheprovider", "--no-header",
               "--tb=no", "-o", "filterwarnings=error", f"@{names}"]  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    started = subprocess.Popen(
        command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
    )
    try:
        out, _ = started.communicate(timeout=MUTANT_S)
    except subprocess.TimeoutExpired:
        os.killpg(started.pid, signal.SIGKILL)
        started.communicate()
        return "timeout", ""
    if started.returncode == 0:
        return "survived", ""
    text = out.decode(errors="replace")
    failed = _FAILED.search(text)
    return "killed", failed[1] if failed else text.strip().splitlines()[-1][:200] if text.strip() else "?"
