"""Files are written whole, each by one option; pipes and devices are written through."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from symsim.diagnostics import InputError
from symsim.report.atomic_write import check_outputs, write_whole
from tests.errors.case import run

SPACE = ("llama3_8b", "-s", "world=8,gbs=64,seq=2048,tp in {4, 8}", "-y", "h100_sxm")
ROOT = str(Path(__file__).parents[2])


@pytest.mark.parametrize("second", ["plans.csv", "./plans.csv", "sub/../plans.csv", "hard.csv", "soft.csv"])
@pytest.mark.parametrize("there", [True, False])
def test_two_options_cannot_write_one_file(
    second: str, there: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "soft.csv").symlink_to("plans.csv")
    if there or second == "hard.csv":
        (tmp_path / "plans.csv").touch()
        os.link("plans.csv", "hard.csv")
    with pytest.raises(InputError, match="--csv writes it too"):
        check_outputs(((Path("plans.csv"), "--csv"), (None, "--plot"), (Path(second), "--save")))


def test_two_files_are_two_files(tmp_path: Path) -> None:
    check_outputs(((tmp_path / "a", "--csv"), (tmp_path / "b", "--save")))


def test_one_device_may_be_given_twice() -> None:
    check_outputs(((Path(os.devnull), "--csv"), (Path(os.devnull), "--save")))


COMMANDS = (
    ("search", *SPACE, "--csv", "FILE", "--save", "FILE"),
    ("search", *SPACE, "--plot", "FILE.png", "--parquet", "FILE.png"),
    (
        "trace",
        "llama3_8b",
        "-s",
        "world=8,gbs=64,seq=2048,tp=8",
        "-y",
        "h100_sxm",
        "-o",
        "FILE.png",
        "--plot",
        "FILE.png",
    ),
    ("calibrate", "cases.json", "-y", "h100_sxm", "--fit", "hbm.efficiency", "-o", "FILE", "--profiles", "FILE"),
)


@pytest.mark.parametrize("arguments", COMMANDS, ids=lambda a: a[0])
def test_a_command_writes_nothing_of_two_to_one_file(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found = run(*arguments)
    assert (found.status, found.out) == (2, "")
    assert "error[E373]" in found.err and "writes it too" in found.err
    assert list(tmp_path.iterdir()) == []


WRITING = (
    ("search", *SPACE, "--save"),
    ("search", *SPACE, "--csv"),
    ("trace", "llama3_8b", "-s", "world=8,gbs=64,seq=2048,tp=8", "-y", "h100_sxm", "-o"),
    ("efficiency", "b200", "--plot"),
    ("sensitivity", "llama3_8b", "-s", "world=8,gbs=64,seq=2048,tp=8", "-y", "h100_sxm", "--plot"),
)


@pytest.mark.parametrize("arguments", WRITING, ids=lambda a: f"{a[0]}{a[-1]}")
@pytest.mark.parametrize("where", ["none/x.svg", "folder", "/dev/full"])
def test_what_cannot_be_written_is_an_error(
    arguments: tuple[str, ...], where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if where == "/dev/full" and arguments[0] == "sensitivity":
        pytest.skip("a picture has the ending of a picture")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    found = run(*arguments, where)
    assert found.status == 2
    assert f"error[E373]: {arguments[-1]}: cannot write '{where}'" in found.err


def symsim(*arguments: str, **options: object) -> subprocess.Popen[bytes]:
    environment = {**os.environ, "PYTHONPATH": ROOT}
    return subprocess.Popen([sys.executable, "-m", "symsim", *arguments], env=environment, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_that_is_a_pipe(name: str) -> None:
    """The answer first, then the file."""
    ended = symsim("search", *SPACE, "--csv", name, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = ended.communicate(timeout=60)
    assert (ended.returncode, err) == (0, b"")
    answer, _, table = out.decode().partition("rank,")
    assert "legal" in answer
    assert table.count("\n") == 3


def test_standard_output_that_is_a_file_keeps_the_answer(tmp_path: Path) -> None:
    with (tmp_path / "out.txt").open("wb") as file:
        assert symsim("search", *SPACE, "--csv", "/dev/stdout", stdout=file).wait(60) == 0
    text = (tmp_path / "out.txt").read_text()
    assert "legal" in text and "rank," in text


def test_named_pipe_is_written_through(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()))
    reader.start()
    write_whole(tmp_path / "pipe", b"x" * 100_000, "--csv")
    reader.join(10)
    assert read == [b"x" * 100_000]


def test_reader_that_leaves_is_an_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(InputError, match="its reader is gone"):
        write_whole(Path(f"/dev/fd/{writer}"), b"x", "--csv")
    os.close(writer)


def test_a_title_is_no_mathematics(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``$…$`` is a formula to matplotlib, and a wrong one an exception."""
    pytest.importorskip("matplotlib")
    monkeypatch.chdir(tmp_path)
    Path("$\\frac$.sym").write_text("world=8\ngbs=64\nseq=2048\ntp=8\n")
    for command in ("trace", "compare", "sensitivity"):
        plans = ("-s", "./$\\frac$.sym") * (1 + (command == "compare"))
        found = run(command, "llama3_8b", *plans, "-y", "h100_sxm", "--plot", f"{command}.svg")
        assert (found.status, Path(f"{command}.svg").exists()) == (0, True), found.err
