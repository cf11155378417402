"""The command as a process: exit status, silence on standard output, and pipes that close."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.errors.case import Case, write
from tests.errors.table import CASES
from tests.errors.texts import SMALL_PLAN

pytestmark = pytest.mark.slow

HANGS_AFTER_S = 60
SOME = (
    "command line: unknown option",
    "writing: binary file",
    "writing: file of 10 MB",
    "writing: huge power",
    "libraries: block that calls itself",
    "libraries: formula of a million terms",
    "strategies: world that the mesh does not divide",
    "strategies: a billion ranks",
    "systems: link to elsewhere",
    "configurations: 100,000 brackets",
)


def symsim(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "symsim", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False)


@pytest.mark.parametrize("case", [c for c in CASES if c.name in SOME], ids=lambda c: c.name.replace(" ", "-"))
def test_wrong_input_ends_with_status_2(case: Case, tmp_path: Path) -> None:
    write(tmp_path, case.files)
    ended = symsim(*case.arguments, folder=tmp_path)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"error[{case.code}]: " in ended.stderr
    assert "Traceback" not in ended.stderr


def test_some_are_all() -> None:
    assert {c.name for c in CASES} >= set(SOME)


def test_plan_that_does_not_fit_ends_with_status_1() -> None:
    ended = symsim("eval", "llama3_70b", "-s", SMALL_PLAN, "-y", "h100_sxm")
    assert ended.returncode == 1
    assert "Does not fit" in ended.stdout
    assert ended.stderr == ""


def test_plan_that_fits_ends_with_status_0() -> None:
    ended = symsim("eval", "gpt2_xl", "-s", SMALL_PLAN, "-y", "h100_sxm")
    assert (ended.returncode, ended.stderr) == (0, "")


@pytest.mark.parametrize(
    "arguments",
    [("formula", "llama3_70b"), ("eval", "gpt2_xl", "-s", SMALL_PLAN, "--json"), ("list", "library"), ("--help",)],
    ids=lambda a: a[0],
)
def test_reader_that_leaves_early_is_no_error(arguments: tuple[str, ...]) -> None:
    """``symsim … | head -1``, with a reader that has closed the pipe before anything is written."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        command = [sys.executable, "-m", "symsim", *arguments]
        ended = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, timeout=HANGS_AFTER_S, check=False)
    finally:
        os.close(writer)
    assert ended.stderr == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_full_disk_is_reported() -> None:
    """The one error, E004, that no input provokes."""
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "symsim", "list", "systems"]
        ended = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=HANGS_AFTER_S, check=False
        )
    assert ended.returncode == 2
    assert ended.stderr.startswith("error[E004]: ")
    assert "Traceback" not in ended.stderr


def test_terminal_without_unicode_gets_an_answer() -> None:
    command = [sys.executable, "-m", "symsim", "eval", "gpt2_xl", "-s", SMALL_PLAN]
    ended = subprocess.run(
        command,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        capture_output=True,
        timeout=HANGS_AFTER_S,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert ended.stdout.isascii()


def limited(resource: str, amount: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command under a limit of the operating system."""
    code = (
        f"import resource; import sys; from symsim.__main__ import run; import symsim.cli.main\n"
        f"limit = resource.{resource}\n"
        f"resource.setrlimit(limit, ({amount}, resource.getrlimit(limit)[1]))\n"
        f"sys.argv = ['symsim', *{arguments!r}]; run()"
    )
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False)


def test_limit_of_the_system_is_reported() -> None:
    """E008: here a process may have too few open files to start workers."""
    space = "world=8,gbs=64,seq=2048,tp in {1,2,4,8}"
    ended = limited("RLIMIT_NOFILE", 16, "search", "gpt2_xl", "-s", space, "-y", "h100_sxm", "--workers", "8")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "error[E008]: the system refuses: Too many open files" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_memory_that_runs_out_is_reported() -> None:
    """E009: here a process may have less memory than a list of cases takes."""
    code = (
        "import sys; import symsim.cli.main as main\n"
        "def command(*_, **__): raise MemoryError\n"
        "main.cli.main = command; main.main()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error[E009]: the memory ran out")


@pytest.mark.parametrize("closed", ["stdout", "stderr"])
def test_stream_that_is_closed_takes_nothing(closed: str) -> None:
    number = {"stdout": 1, "stderr": 2}[closed]
    for arguments, status in ((["list", "systems"], 0), (["nosuch"], 2)):
        command = f'exec "$0" -m symsim {" ".join(arguments)} {number}>&-'
        ended = subprocess.run(
            ["sh", "-c", command, sys.executable], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False
        )
        assert ended.returncode == status
        assert "Traceback" not in ended.stderr


INTERRUPTED_AT = ("symsim.cli.main", "click", "symsim.diagnostics", "symsim.cli.evaluate", "json", "symsim.emit.code")


@pytest.mark.parametrize("module", INTERRUPTED_AT)
def test_interrupt_while_loading_is_quiet(module: str) -> None:
    """Ctrl-C at whatever is being imported, from the first line of symsim on."""
    code = (
        "import os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from symsim.__main__ import run\n"
        "class Interrupt:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name == {module!r}: os.kill(os.getpid(), signal.SIGINT)\n"
        f"sys.modules.pop({module!r}, None); sys.meta_path.insert(0, Interrupt())\n"
        f"sys.argv = ['symsim', 'eval', 'gpt2_xl', '-s', '{SMALL_PLAN}', '-y', 'h100_sxm']; run()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False
    )
    assert (ended.returncode, ended.stdout, ended.stderr.strip()) == (130, "", "")


def test_interrupt_after_the_answer_is_quiet() -> None:
    code = (
        "import atexit, os, signal, sys\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "atexit.register(lambda: os.kill(os.getpid(), signal.SIGINT))\n"
        "from symsim.__main__ import run; sys.argv = ['symsim', 'list', 'systems']; run()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False
    )
    assert (ended.returncode, ended.stderr) == (130, "")
    assert "h100_sxm" in ended.stdout


def test_a_fault_of_symsim_is_neither_no_nor_wrong_input() -> None:
    """Status 1 says that no plan fits: a crash must not say so."""
    code = (
        "import symsim.cli.main as main\n"
        "def command(*_, **__): raise KeyError('x')\n"
        "main.cli.main = command\n"
        "from symsim.__main__ import run; run()"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=HANGS_AFTER_S, check=False
    )
    assert (ended.returncode, ended.stdout) == (3, "")
    assert "KeyError: 'x'" in ended.stderr
