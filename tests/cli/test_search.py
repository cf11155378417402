"""``symsim search`` as a user runs it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from symsim.analysis.searching.engines.engine_names import engine_of
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space
from symsim.cli import search_progress
from tests.cli.running import run

GOLDEN = Path(__file__).parent / "golden"
SEARCH = ("search", "llama3_70b", "-s", "search_1k", "-y", "h100_sxm")
SMALL = ("search", "llama3_8b", "-s", "world=8,gbs=64,seq=2048,tp in {4,8}", "-y", "h100_sxm")
NOTHING = ("search", "llama3_70b", "-s", "world=8,gbs=64,seq=8192,tp in {4,8},mbs in {1,2}", "-y", "h100_sxm")
ENDS_AFTER_S = 60


def without_times(text: str) -> str:
    """How long it took is another number each time."""
    return re.sub(r"[\d.]+ (s|ms), [\d.]+( k| M)? legal points/s", "TIME", text)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("search-best", (*SEARCH, "--top", "4", "--pareto", "time.iteration,memory.peak")),
        ("search-nothing", NOTHING),
        ("search-no-legal", ("search", "llama3_8b", "-s", "world=1000,gbs=64,seq=8192,tp in {3,7}", "-y", "h100_sxm")),
    ],
)
def test_prints_what_it_printed(capsys: pytest.CaptureFixture[str], name: str, arguments: tuple[str, ...]) -> None:
    """Golden files; ``SYMSIM_REFRESH_GOLDEN=1 pytest`` writes them anew."""
    status, out, err = run(capsys, *arguments)
    assert (status, err) == (0 if name == "search-best" else 1, "")
    path = GOLDEN / f"{name}.txt"
    if os.environ.get("SYMSIM_REFRESH_GOLDEN"):
        path.write_text(without_times(out), encoding="utf-8")
    assert without_times(out) == path.read_text(encoding="utf-8")


def test_json_is_one_document_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, *SMALL, "--json", "--pareto", "time.iteration,memory.peak")
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert found["schema"] == "symsim.search/1"
    assert [p["strategy"]["tp"] for p in found["plans"]] == [4, 8]
    assert {"iteration_s", "peak_bytes", "mfu"} <= set(found["pareto"][0])


def test_nothing_feasible_is_status_1_also_as_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    saved = tmp_path / "best.sym"
    status, out, err = run(capsys, *NOTHING, "--json", "--save", str(saved))
    assert status == 1
    found = json.loads(out)
    assert (found["feasible"], found["plans"]) == (0, [])
    assert found["closest"]["broken"][0]["requirement"] == "memory.device <= memory.capacity"
    assert found["closest"]["fixed_by"][0]["change"].keys() == {"memory.capacity"}
    assert not saved.exists() and "not written, as no plan is feasible" in err


def test_every_file_is_written(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    pytest.importorskip("matplotlib")
    files = {option: tmp_path / f"x.{end}" for option, end in
             (("--csv", "csv"), ("--parquet", "parquet"), ("--plot", "png"), ("--save", "sym"))}  # fmt: skip
    status, out, err = run(capsys, *SMALL, *(a for option, path in files.items() for a in (option, str(path))))
    assert (status, err) == (0, "")
    assert sorted(tmp_path.iterdir()) == sorted(files.values())
    assert "Pareto front of time.iteration, memory.peak" in out
    assert files["--csv"].read_text().startswith("rank,on_front,")
    assert files["--parquet"].read_bytes()[:4] == b"PAR1"
    assert files["--plot"].read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
    status, evaluated, _ = run(capsys, "eval", "llama3_8b", "-s", str(files["--save"]), "-y", "h100_sxm", "--json")
    assert status == 0
    _, again, _ = run(capsys, *SMALL, "--json")
    best = json.loads(again)["plans"][0]
    assert json.loads(evaluated)["time"]["iteration_s"] == best["iteration_s"]
    assert json.loads(evaluated)["memory"]["peak_bytes"] == best["peak_bytes"]


def test_another_rank_is_saved(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "second.sym"
    status, out, _ = run(capsys, *SMALL, "--save", str(path), "--rank", "2", "--top", "1")
    assert status == 0 and "tp 4" in out
    assert "# Number 2 of 2 plans" in path.read_text() and "tp = 8" in path.read_text().splitlines()


def test_the_answer_stands_before_a_file_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    status, out, err = run(capsys, *SMALL, "--save", str(tmp_path / "x.sym"), "--rank", "3")
    assert status == 2
    assert "best plans" in out
    assert err.startswith("error[E378]: ")


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="no limit on files")
def test_a_full_disk_leaves_the_old_file_and_the_answer(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full."""
    path = tmp_path / "plans.csv"
    path.write_text("before")

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600))

    command = [sys.executable, "-m", "symsim", *SMALL, "--csv", str(path)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(
        command, capture_output=True, text=True, timeout=ENDS_AFTER_S, preexec_fn=full, env=environment, check=False
    )
    assert ended.returncode == 2
    assert "best plans" in ended.stdout and "E373" in ended.stderr and "Traceback" not in ended.stderr
    assert [p.name for p in tmp_path.iterdir()] == ["plans.csv"]
    assert path.read_text() == "before"


def test_a_folder_that_is_not_there_is_told_before_the_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, out, err = run(capsys, *SMALL, "--csv", str(tmp_path / "no" / "x.csv"))
    assert (status, out) == (2, "") and "E373" in err


def test_a_link_is_followed(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("before")
    target.chmod(0o640)
    link.symlink_to(target)
    assert run(capsys, *SMALL, "--csv", str(link))[0] == 0
    assert link.is_symlink() and target.read_text().startswith("rank,")
    assert target.stat().st_mode & 0o777 == 0o640


LISTENING = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from symsim.cli.main import main; main()"
)
"""symsim as a process that hears interrupts, though who runs this test may ignore them."""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found under /proc")
def test_an_interrupt_ends_every_process_without_a_word() -> None:
    space = "world=1024,gbs=1024,seq in 1..20000,vocab_multiple in 1..20000,pp in {1,2,4,8}"
    command = [sys.executable, "-c", LISTENING, "search", "llama3_8b", "-s", space, "-y", "h100_sxm", "--workers", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True) as begun:
        children = Path(f"/proc/{begun.pid}/task/{begun.pid}/children")
        workers: list[str] = []
        while len(workers) < 2:
            assert begun.poll() is None
            time.sleep(0.02)
            workers = children.read_text().split()
        begun.send_signal(signal.SIGINT)
        try:
            out, err = begun.communicate(timeout=ENDS_AFTER_S)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(begun.pid, signal.SIGKILL)
    assert (begun.returncode, out, err.strip()) == (130, b"", b"")
    assert not [w for w in workers if _runs(w)]


def _runs(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("package", ["pyarrow", "matplotlib", "distributed"])
def test_a_missing_package_is_told_before_the_work(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, package: str
) -> None:
    for name in (package, "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    options = {"pyarrow": ("--parquet", str(tmp_path / "x")), "matplotlib": ("--plot", str(tmp_path / "x.png")),
               "distributed": ("--engine", "dask")}  # fmt: skip
    status, out, err = run(capsys, *SMALL, *options[package])
    assert (status, out) == (2, "")
    assert err.startswith("error[E006]: ") and f"needs {package}" in err and "pip install 'symsim[" in err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_is_told_how_far_a_long_search_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_progress, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    with search_progress.progress() as tell:
        assert tell is not None
        tell(3, 12, 4567, 12)
        time.sleep(0.1)
        tell(6, 12, 9876, 12)
    assert "6 of 12 variants, 9,876 legal points" in sys.stderr.getvalue()  # type: ignore[attr-defined]


def test_the_bar_moves_while_variants_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_progress, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sys, "stderr", _Terminal())
    monkeypatch.setenv("COLUMNS", "120")
    with search_progress.progress() as tell:
        assert tell is not None
        tell(0, 12, 0, 5)
        time.sleep(0.1)
        tell(0, 12, 0, 7)
    assert "7 of 12 variants compiled" in sys.stderr.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("engine", ["local", "processes"])
def test_every_compiled_variant_is_told(engine: str) -> None:
    space = load_space(
        "llama3_8b",
        "world=64,gbs=64,seq=4096,tp in {1,2},overlap_tp in {true,false},recompute in {none, {core_attn}, full}",
        "h100_sxm",
        (),
    )
    told: list[tuple[int, int, int, int]] = []
    search(space, engine=engine_of(engine, 2), progress=lambda *so_far: told.append(so_far))
    compiled = [count for _, _, _, count in told]
    assert compiled == sorted(compiled) and told[-1][0] == told[-1][1] == 6
    assert max(count for done, _, _, count in told if not done) > 0


def test_a_terminal_is_told_nothing_of_a_short_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search_progress, "PATIENCE_S", 60.0)
    monkeypatch.setattr(sys, "stderr", _Terminal())
    with search_progress.progress() as tell:
        assert tell is not None
        tell(12, 12, 4567, 12)
    assert sys.stderr.getvalue().strip() == ""  # type: ignore[attr-defined]


def test_a_pipe_is_told_nothing() -> None:
    with search_progress.progress() as tell:
        assert tell is None


def test_engines_are_completed() -> None:
    environment = {**os.environ, "_SYMSIM_COMPLETE": "bash_complete", "COMP_WORDS": "symsim search x --engine d",
                   "COMP_CWORD": "4"}  # fmt: skip
    program = "import sys; sys.argv[0] = 'symsim'; from symsim.cli.main import cli; cli(prog_name='symsim')"
    ended = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=False
    )
    assert "dask" in ended.stdout and "processes" not in ended.stdout


def test_the_page_lists_every_field(capsys: pytest.CaptureFixture[str]) -> None:
    page = (Path(__file__).parents[2] / "docs" / "search.md").read_text(encoding="utf-8")
    listed = {
        name for row in re.findall(r"^\| (`.*?) \|", page, re.MULTILINE) for name in re.findall(r"`([\w.\[\]]+)`", row)
    }
    found = json.loads(run(capsys, *SMALL, "--json", "--pareto", "tp,mbs")[1])
    fields = {n for n in found if n not in ("objective", "plans")} | {f"objective.{n}" for n in found["objective"]}
    fields |= {f"plans[].{n}" for n in found["plans"][0]}
    nothing = json.loads(run(capsys, *NOTHING, "--json")[1])["closest"]
    fields |= {f"closest.{n}[]" for n in nothing.keys() - found["plans"][0].keys()}
    assert fields <= listed


@pytest.mark.parametrize(("name", "first"), [("best.sh", "#!/bin/bash"), ("best.yaml", "# llama3_8b under best")])
def test_the_best_plan_is_saved_as_another_tool_runs_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str, first: str
) -> None:
    path = tmp_path / name
    status, out, _ = run(capsys, *SMALL, "--save", str(path), "--json")
    best = json.loads(out)["plans"][0]["strategy"]
    assert status == 0
    assert path.read_text("utf-8").startswith(first)
    _, printed, _ = run(capsys, "import", "megatron", str(path))
    assert f"tp = {best['tp']}\n" in printed and f"mbs = {best['mbs']}\n" in printed
