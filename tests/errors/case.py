"""One malformed input: what is run, and what must be said about it."""

from __future__ import annotations

import contextlib
import io
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from symsim.cli.main import main

Content = str | bytes | Path | None
"""Text or bytes of a file; the target of a link; or ``None`` for a folder."""


@dataclass(frozen=True)
class Case:
    """``arguments`` of symsim in a folder with ``files``; the error that comes, and where it points.

    ``hint`` and ``message`` are parts of what is printed; ``place`` is ``FILE:LINE:COLUMN`` or nothing
    where the input has no text.
    """

    name: str
    code: str
    arguments: tuple[str, ...]
    message: str
    hint: str
    place: str | None = None
    files: Mapping[str, Content] = field(default_factory=dict, hash=False)
    shown: bool = True
    """Whether the documentation may show the files: not where they are large or unprintable."""


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str


@cache
def outcome(case: Case) -> Outcome:
    """Run a case in this process, in a folder of its own."""
    with TemporaryDirectory() as folder, contextlib.chdir(folder):
        write(Path(folder), case.files)
        return run(*case.arguments)


def write(folder: Path, files: Mapping[str, Content]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        match content:
            case None:
                path.mkdir()
            case Path():
                path.symlink_to(content)
            case bytes():
                path.write_bytes(content)
            case _:
                path.write_text(content, encoding="utf-8", newline="")


def run(*arguments: str) -> Outcome:
    """Exit status, standard output and standard error of one command, run in this process."""
    out, err = io.StringIO(), io.StringIO()
    before, sys.argv = sys.argv, ["symsim", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            main()
    except SystemExit as ended:
        return Outcome(int(ended.code or 0), out.getvalue(), err.getvalue())
    finally:
        sys.argv = before
    raise AssertionError("main() ends with SystemExit")
