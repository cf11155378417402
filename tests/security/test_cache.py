"""What stands in the cache cannot be made to run code: an entry is data, and anything unexpected counts as absent."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from symsim.analysis import evaluate
from symsim.compiler import cache
from tests.errors.case import run
from tests.errors.texts import INLINE, SMALL_PLAN
from tests.security.watching import watch

PLAN = f"{SMALL_PLAN},dropout=false"
"""A plan that leaves nothing out that its framework takes otherwise: one program answers it."""
ARGUMENTS = ("eval", INLINE, "-s", PLAN, "-y", "h100_sxm", "--json")
MARK = "evil_mark"
CALL = f"__import__('os').system('touch {MARK}')"

Change = Callable[[dict[str, Any]], Any]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A cache folder that one evaluation has filled, and the answer."""
    folder = tmp_path_factory.mktemp("filled") / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SYMSIM_CACHE", str(folder))
        return folder, again(patch)


@pytest.fixture
def folder(tmp_path: Path, filled: tuple[Path, str], monkeypatch: pytest.MonkeyPatch) -> Path:
    copied = shutil.copytree(filled[0], tmp_path / "cache")
    monkeypatch.setenv("SYMSIM_CACHE", str(copied))
    monkeypatch.chdir(tmp_path)
    return Path(copied)


@pytest.fixture
def right(filled: tuple[Path, str]) -> str:
    return filled[1]


def again(monkeypatch: pytest.MonkeyPatch) -> str:
    """The answer of a process that remembers nothing."""
    monkeypatch.setattr(evaluate, "_EVALUATORS", {})
    found = run(*ARGUMENTS)
    assert (found.status, found.err) == (0, "")
    return found.out


def programs(folder: Path) -> list[Path]:
    return [p for p in folder.glob("*.json") if '"instructions"' in p.read_text(encoding="utf-8")]


def test_entries_are_the_owners_alone(folder: Path) -> None:
    assert folder.stat().st_mode & 0o077 == 0
    assert len(programs(folder)) == 1


def test_second_run_compiles_nothing(folder: Path, right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("compiled")

    monkeypatch.setattr("symsim.compiler.pipeline.compile_cost", refuse)
    assert again(monkeypatch) == right


def _instruction(*replaced: Any) -> Change:
    return lambda data: data["instructions"].__setitem__(3, list(replaced))


def _part(name: str, value: Any) -> Change:
    return lambda data: data.__setitem__(name, value)


def _first_output(index: int, value: Any) -> Change:
    return lambda data: next(iter(data["outputs"].values())).__setitem__(index, value)


def _first_rule(index: int, value: Any) -> Change:
    return lambda data: data["rules"][0].__setitem__(index, value)


MALFORMED: dict[str, Change] = {
    "operation of Python": _instruction("__import__", 0),
    "operation that is a program": _instruction(CALL, 0),
    "operation with a line break": _instruction(f"add\n    {CALL}\n", 0, 1),
    "operation that is a list": _instruction(["add"], 0, 1),
    "operation that is a number": _instruction(7, 0, 1),
    "no operation": _instruction(),
    "operation without operands": _instruction("add"),
    "operand too many": _instruction("div", 0, 1, 2),
    "operand too few": _instruction("where", 0, 1),
    "register of the future": _instruction("add", 0, 10**6),
    "register of its own": lambda data: _instruction("add", 0, len(data["inputs"]) + 1 + 3)(data),
    "negative register": _instruction("add", 0, -1),
    "register that is a text": _instruction("add", 0, CALL),
    "register that is a fraction": _instruction("add", 0, 1.0),
    "register that is a flag": _instruction("add", 0, True),
    "register that is nothing": _instruction("add", 0, None),
    "constant that is a text": _instruction("const", CALL),
    "constant that is a list": _instruction("const", [1]),
    "constant that is a flag": _instruction("const", True),
    "constant that is not a number": _instruction("const", float("nan")),
    "constant without end": _instruction("const", float("inf")),
    "two constants": _instruction("const", 1, 2),
    "table whose name is a number": _instruction("table", 5, 0),
    "table of a register of the future": _instruction("table", "matmul", 10**6),
    "dictionary for instructions": _part("instructions", {"0": ["const", 1]}),
    "text for instructions": _part("instructions", CALL),
    "nothing for instructions": _part("instructions", None),
    "text for an instruction": lambda data: data["instructions"].__setitem__(3, CALL),
    "numbers for inputs": _part("inputs", [1, 2]),
    "text for inputs": _part("inputs", CALL),
    "list for outputs": _part("outputs", []),
    "number for a title": _part("title", 5),
    "list for rules": lambda data: data["rules"].__setitem__(0, [0]),
    "part too many": _part("code", CALL),
    "part too few": lambda data: data.pop("rules"),
    "output of the future": _first_output(0, 10**6),
    "output that is a text": _first_output(0, CALL),
    "output of an unknown scope": _first_output(1, "everything"),
    "output with a number for its unit": _first_output(2, 5),
    "rule of the future": _first_rule(0, 10**6),
    "rule of an unknown kind": _first_rule(1, CALL),
    "rule with a number for its message": _first_rule(2, 5),
    "rule with a text for its names": _first_rule(3, CALL),
}


@pytest.mark.parametrize("change", MALFORMED.values(), ids=[n.replace(" ", "-") for n in MALFORMED])
def test_malformed_entry_counts_as_absent(
    folder: Path, right: str, change: Change, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it was written as symsim writes entries."""
    (path,) = programs(folder)
    data = cache.read(path.stem)
    assert isinstance(data, dict)
    change(data)
    cache.write(path.stem, data)
    assert again(monkeypatch) == right
    assert not list(folder.parent.rglob(MARK))


MODELS: dict[str, Any] = {
    "list": [],
    "text": CALL,
    "nothing in it": {},
    "list for a name": {"name": [CALL]},
    "number for a title": {"title": 5},
    "nothing for a family": {"family": None},
    "text for a flag": {"own": CALL},
    "list for dimensions": {"dimensions": ["hidden"]},
    "fraction for a dimension": {"dimensions": {"hidden": 64.5}},
    "list for a dimension": {"dimensions": {"hidden": [64]}},
    "nothing for a dimension": {"dimensions": {"hidden": None}},
}


@pytest.mark.parametrize("change", MODELS.values(), ids=[n.replace(" ", "-") for n in MODELS])
def test_malformed_model_counts_as_absent(
    folder: Path, right: str, change: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path,) = [p for p in folder.glob("*.json") if '"dimensions"' in p.read_text(encoding="utf-8")]
    data = cache.read(path.stem)
    cache.write(path.stem, {**data, **change} if isinstance(change, dict) and change else change)
    assert again(monkeypatch) == right


JUNK: dict[str, bytes] = {
    "nothing": b"",
    "no JSON": b"import os",
    "cut off": b'{"title": "x", "inputs": [',
    "binary": bytes(range(256)),
    "null": b"null",
    "number": b"5",
    "list": b"[]",
    "text": json.dumps(CALL).encode(),
    "100,000 brackets": b"[" * 100_000,
    "integer of 100,000 digits": b"9" * 100_000,
    "17 MB": b" " * 17 * 2**20,
    "pickle": b"cos\nsystem\n(S'touch evil_mark'\ntR.",
}


CHANGED: dict[str, Callable[[bytes], bytes]] = {
    "other number": lambda content: content.replace(b'["const",2]', b'["const",3]'),
    "no outputs": lambda content: content.partition(b'"outputs"')[0] + b'"outputs":{},"rules":[]}',
    "other family": lambda content: content.replace(b'"llama"', b'"nothing"'),
    "no dimensions": lambda content: content.replace(b'"hidden"', b'"hiding"'),
    "without its seal": lambda content: content.partition(b"\n")[2],
    "cut off": lambda content: content[:-10],
}


@pytest.mark.parametrize("change", CHANGED.values(), ids=[n.replace(" ", "-") for n in CHANGED])
def test_changed_entry_counts_as_absent(
    folder: Path, right: str, change: Callable[[bytes], bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where it still has the right form."""
    for path in folder.glob("*.json"):
        path.write_bytes(change(path.read_bytes()))
    assert again(monkeypatch) == right


def test_entry_of_another_model_counts_as_absent(folder: Path, right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (mine,) = programs(folder)
    before = mine.read_bytes()
    monkeypatch.setattr(evaluate, "_EVALUATORS", {})
    run("eval", "gpt2_xl", "-s", PLAN)
    (other,) = set(programs(folder)) - {mine}
    mine.write_bytes(other.read_bytes())
    assert again(monkeypatch) == right
    assert mine.read_bytes() == before


@pytest.mark.parametrize("target", ["/dev/zero", "/etc/passwd"])
def test_link_counts_as_absent(folder: Path, right: str, target: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in list(folder.glob("*.json")):
        path.unlink()
        path.symlink_to(target)
    assert again(monkeypatch) == right


def test_pipe_counts_as_absent(folder: Path, right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody writes into it: whoever opens it as a file waits for ever."""
    for path in list(folder.glob("*.json")):
        path.unlink()
        os.mkfifo(path)
    assert again(monkeypatch) == right


@pytest.mark.parametrize("junk", JUNK.values(), ids=[n.replace(" ", "-") for n in JUNK])
def test_junk_counts_as_absent(folder: Path, right: str, junk: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in folder.glob("*.json"):
        path.write_bytes(junk)
    assert again(monkeypatch) == right
    assert not list(folder.parent.rglob(MARK))


def test_folder_in_place_of_an_entry_counts_as_absent(
    folder: Path, right: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in list(folder.glob("*.json")):
        path.unlink()
        path.mkdir()
    assert again(monkeypatch) == right


def test_entry_that_is_mended_is_used_again(folder: Path, right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for path in folder.glob("*.json"):
        path.write_bytes(b"")
    again(monkeypatch)
    test_second_run_compiles_nothing(folder, right, monkeypatch)


@pytest.mark.parametrize("chosen", ["off", "/proc/none", "file"])
def test_cache_that_cannot_be_written_is_no_error(
    folder: Path, right: str, chosen: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").touch()
    monkeypatch.setenv("SYMSIM_CACHE", chosen)
    assert again(monkeypatch) == right


def test_names_of_an_entry_do_not_reach_the_compiler(folder: Path, right: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A well-formed program with hostile names, in a process of its own that is watched."""
    (path,) = programs(folder)
    data = cache.read(path.stem)
    assert isinstance(data, dict)
    data["title"] = f"x>\n{CALL}\n"
    for instruction in data["instructions"]:
        if instruction[0] == "table":
            instruction[1] = f"')\n{CALL}\n#"
    for rule in data["rules"]:
        rule[2] = CALL
    cache.write(path.stem, data)
    work = folder.parent / "work"
    work.mkdir()
    found = watch(work, *ARGUMENTS, cache=folder)
    assert found.started == ()
    assert not [text for text in found.compiled if MARK in text]
    assert not list(folder.parent.rglob(MARK))
