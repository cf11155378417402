"""One mutant against its tests, in a copy of the tree."""

from __future__ import annotations

import importlib.util
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import hypothesis  # noqa: F401
import lark  # noqa: F401
import numpy  # noqa: F401
import pytest
import sympy  # noqa: F401  (what takes long to load is loaded once)

from mutating.mutants import Mutant

HERE = Path(__file__).resolve().parents[1]
LOOK_S = 0.1
"""How often it is looked whether the tests are done."""

FIRST = 24
"""Tests that are run before the others are even read: most mutants do not get further."""

MUTANT_S = 120
"""Seconds of processor time that the tests of one mutant may take (the first ones apart); one that takes longer is
counted apart."""
BLOCKED_S = 1200
"""Seconds on the clock after which the tests of a mutant wait for something that does not come."""

_NOT_FOUND = re.compile(r"^ERROR: not found: (.+)$", re.MULTILINE)
_FAILED = re.compile(r"^(?:FAILED|ERROR) (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Outcome:
    """``status``: killed, timeout, survived, or uncovered; ``by`` is the test that failed first."""

    key: str
    line: int
    status: str
    by: str
    tests: int
    seconds: float


def outcome(tree: Path, mutant: Mutant, tests: list[str], extra: list[str], sound: set[str]) -> Outcome:
    """Write a mutant into the copy, run its tests until the first fails, and put the file back.

    ``extra`` are files of tests that are run whole before those. A test that fails without the mutant too is left out;
    ``sound`` are tests that are known not to, and is added to.
    """
    began = time.monotonic()
    left = [*extra, *tests]
    while left:
        status, by = _mutated(tree, mutant, left)
        if status != "killed" or by in sound or "::" not in by or _tested(tree, [by])[0] == "survived":
            sound |= {by}
            return Outcome(mutant.key, mutant.line, status, by, len(left), round(time.monotonic() - began, 1))
        print(f"fails without a mutant: {by}", flush=True)
        without = by if by in left else by.partition("::")[0]
        if without not in left:
            raise RuntimeError(f"fails without a mutant, and is not among its tests: {by}")
        left.remove(without)
    return Outcome(mutant.key, mutant.line, "uncovered", "", 0, 0.0)


def _mutated(tree: Path, mutant: Mutant, tests: list[str]) -> tuple[str, str]:
    path = tree / mutant.file
    source = path.read_bytes()
    try:
        path.write_bytes(mutant.written(source))
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)
        status, by = _tested(tree, tests[:FIRST])
        return _tested(tree, tests[FIRST:]) if status == "survived" and len(tests) > FIRST else (status, by)
    finally:
        path.write_bytes(source)
        Path(importlib.util.cache_from_source(str(path))).unlink(missing_ok=True)


def _tested(tree: Path, tests: list[str]) -> tuple[str, str]:
    """Status and the test that failed first, in a process that is forked with everything but symsim loaded."""
    if not tests:
        return "uncovered", ""
    names, said, temporary = tree / ".mutant-tests", tree / ".mutant-output", tree / ".mutant-temporary"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    names.write_text("\n".join(tests), encoding="utf-8")
    child = os.fork()
    if child == 0:
        os._exit(_in_child(tree, names, said))
    until = time.monotonic() + BLOCKED_S
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            break
        if time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return "timeout", ""
        time.sleep(LOOK_S)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGXCPU, signal.SIGKILL):
        return "timeout", ""
    if status == 0:
        return "survived", ""
    text = said.read_text(encoding="utf-8", errors="replace")
    failed = _failed(text, tests)
    gone = {str(Path(name).relative_to(tree)) for name in _NOT_FOUND.findall(text)}
    left = [test for test in tests if not {test, test.partition("[")[0]} & gone]
    if failed is None and len(left) < len(tests):
        # Tests that have another name since they were recorded.
        return _tested(tree, left)
    if failed is None:
        raise RuntimeError(f"pytest did not run:\n{text[-2000:]}")
    return "killed", failed


def _failed(text: str, tests: list[str]) -> str | None:
    """The test that failed first; a name may have spaces and dashes, like the message that follows it."""
    found = _FAILED.search(text)
    if found is None:
        return None
    named = [test for test in tests if "::" in test and found[1].startswith(test)]
    return max(named, key=len, default=found[1].partition(" - ")[0])


def _in_child(tree: Path, names: Path, said: Path) -> int:
    os.setsid()
    resource.setrlimit(resource.RLIMIT_CPU, (MUTANT_S, MUTANT_S + 5))
    output = os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    os.environ["TMPDIR"] = str(tree / ".mutant-temporary")
    tempfile.tempdir = None
    sys.dont_write_bytecode = False
    sys.path[:] = [str(tree), *(p for p in sys.path if Path(p) != HERE)]
    options = ["-q", "-x", "-n", "0", "-m", "", "-p", "mutating.profile", "-p", "no:cacheprovider", "--no-header"]
    options += ["--tb=no"]
    # Libraries that are loaded already cannot be rewritten, which pytest warns of.
    options += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    try:
        return int(pytest.main([*options, f"@{names}"]))
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
