"""Which tests run a line: gathered once, file of tests by file of tests, and asked for each mutant."""

from __future__ import annotations

import ast
import difflib
import json
import os
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mutating.mutants import FOLDERS, Mutant

FILE_S = 1800
"""Seconds on the clock that one file of tests may take while it is recorded."""
BUDGET_S = 60.0
"""Seconds of processor time, as recorded, of the tests that one mutant is run against, unless told."""
MOST_TESTS = 200
OF_ONE_FUNCTION = 3
"""Parameters of one test function that come before those of other functions."""
SUITES = ("compiler", "emit", "analysis", "properties", "simulator", "errors", "report", "models", "validation")
"""Folders of tests that are recorded first: those that are most likely to notice."""


def gather(tree: Path, store: Path, again: bool = False) -> None:
    """Run every file of tests of a tree by itself, and keep what it covers under ``store``."""
    store.mkdir(parents=True, exist_ok=True)
    sources = {p.relative_to(tree).as_posix(): p.read_text() for f in FOLDERS for p in (tree / f).rglob("*.py")}
    (store / "sources.json").write_text(json.dumps(sources), encoding="utf-8")
    folder = str(Path(__file__).resolve().parents[1])
    plugins = ["-p", "no:cacheprovider", "-p", "mutating.profile", "-p", "mutating.recording"]
    for test in _files(tree):
        name = test.relative_to(tree).as_posix()
        record = store / (name.replace("/", "+") + ".json")
        if record.exists() and not again:
            continue
        known = {"MUTATING_RECORD": str(record), "MUTATING_SOURCE": str(tree), "PYTHONPATH": f"{tree}:{folder}"}
        with TemporaryDirectory() as temporary:
            environment = {**os.environ, **known, "TMPDIR": temporary}
            command = [sys.executable, "-m", "pytest", "-q", "-n", "0", "-m", "", *plugins, name]
            try:
                subprocess.run(command, cwd=tree, env=environment, timeout=FILE_S, check=False, capture_output=True)
            except subprocess.TimeoutExpired:
                print(f"{name}: more than {FILE_S} s, left out", flush=True)
                continue
        if not record.exists():
            print(f"{name}: not recorded", flush=True)
            continue
        data = json.loads(record.read_text(encoding="utf-8"))
        print(f"{name}: {len(data['seconds'])} tests, {sum(data['seconds'].values()):.0f} s", flush=True)
        for failed in data["failed"]:
            print(f"    failed or took too long: {failed}", flush=True)


def _files(tree: Path) -> list[Path]:
    """All files of tests, those of ``SUITES`` first."""

    def place(path: Path) -> tuple[int, Path]:
        suite = path.relative_to(tree).parts[1]
        return (SUITES.index(suite) if suite in SUITES else len(SUITES)), path

    return sorted((tree / "tests").rglob("test_*.py"), key=place)


@dataclass(frozen=True)
class Covering:
    """Tests by line, as gathered: ``sources`` are the texts that the lines are of."""

    seconds: Mapping[str, float]
    lines: Mapping[str, Mapping[int, Sequence[str]]]
    sources: Mapping[str, str]
    recorded: frozenset[str]

    def tests_of(self, mutant: Mutant, source: str, budget_s: float = BUDGET_S) -> list[str]:
        """The tests that a mutant is run against, the most promising first.

        Of a line that runs while a module is imported: tests that run any line of the file. What is compiled once
        counts for the first test that needs it, so other tests of the same files come after those.
        """
        of_file = self.lines.get(mutant.file, {})
        line = _line_before(self.sources.get(mutant.file, ""), source, mutant.line)
        tests = of_file.get(line, ()) if line is not None and _in_function(source, mutant.line) else ()
        if not tests:
            tests = sorted({t for tests in of_file.values() for t in tests})
        files = {test.partition("::")[0] for test in tests}
        beside = {test for test in self.seconds if test.partition("::")[0] in files} - set(tests)
        return _promising([list(tests), list(beside)], mutant, self.seconds, budget_s)

    def unrecorded(self, mutant: Mutant, tree: Path) -> list[str]:
        """Files of fast tests called like the mutant's file that are newer than the record: they are run whole."""
        files = sorted((tree / "tests").rglob(f"test_*{Path(mutant.file).stem}*.py"))
        fast = (f for f in files if "mark.slow" not in f.read_text(encoding="utf-8"))
        return [name for f in fast if (name := f.relative_to(tree).as_posix()) not in self.recorded]


def load(store: Path) -> Covering:
    seconds: dict[str, float] = {}
    lines: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path in sorted(store.glob("tests+*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        seconds |= data["seconds"]
        for file, by_line in data["lines"].items():
            for line, tests in by_line.items():
                lines[file][int(line)] += tests
    sources = json.loads((store / "sources.json").read_text(encoding="utf-8"))
    recorded = frozenset(test.partition("::")[0] for test in seconds)
    return Covering(seconds, {f: dict(by_line) for f, by_line in lines.items()}, sources, recorded)


@cache
def _moved(before: str, now: str) -> dict[int, int]:
    """Line now → line before, of lines that are the same."""
    matcher = difflib.SequenceMatcher(None, before.split("\n"), now.split("\n"), autojunk=False)
    return {b + k + 1: a + k + 1 for a, b, size in matcher.get_matching_blocks() for k in range(size)}


@cache
def _functions(source: str) -> tuple[range, ...]:
    """The lines of the bodies of functions."""
    defined = (n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.FunctionDef | ast.Lambda))
    bodies = ((n, n.body if isinstance(n.body, list) else [n.body]) for n in defined)
    return tuple(range(body[0].lineno, (n.end_lineno or n.lineno) + 1) for n, body in bodies)


def _in_function(source: str, line: int) -> bool:
    return any(line in lines for lines in _functions(source))


def _line_before(before: str, now: str, line: int) -> int | None:
    return line if before == now else _moved(before, now).get(line)


def _promising(groups: list[list[str]], mutant: Mutant, seconds: Mapping[str, float], budget_s: float) -> list[str]:
    """Tests of the first group first, those beside the mutant's file first, the fastest first, a few of each function
    before more of one."""
    stem = Path(mutant.file).stem
    folder = mutant.file.split("/")[1]
    ranked: list[tuple[int, int, int, float, str]] = []
    for group, tests in enumerate(groups):
        of_function: dict[str, int] = defaultdict(int)
        for test in sorted(tests, key=lambda t: (seconds[t], t)):
            function = test.partition("[")[0]
            turn = of_function[function] // OF_ONE_FUNCTION
            of_function[function] += 1
            file = test.partition("::")[0]
            near = 0 if stem in Path(file).stem else 1 if file.startswith(f"tests/{folder}/") else 2
            ranked.append((group, turn, near, seconds[test], test))
    chosen: list[str] = []
    spent = 0.0
    for *_, took, test in sorted(ranked):
        if len(chosen) < MOST_TESTS and (spent + took <= budget_s or not chosen):
            chosen.append(test)
            spent += took
    return chosen
