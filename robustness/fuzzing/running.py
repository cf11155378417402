"""Run one input, and say whether what came of it may."""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

import symsim
from fuzzing import cache_entries
from fuzzing.compiled_code import DifferentError, compare_quantities, compare_ways
from fuzzing.inputs import Call, Input, PlanOf
from symsim.analysis import evaluate
from symsim.cli.main import main
from symsim.compiler import cache
from symsim.diagnostics import InputError
from symsim.loading.question import question

HANGS_AFTER_S = 5.0
"""Processor time that one input may take."""
BLOCKED_AFTER_S = 120
"""Time on the clock after which an input waits for something, unless the machine lets it work."""
WORKING = 0.01
"""Share of the clock in which an input that waits for nothing works, however busy the machine is."""
FEW = 100
"""Compiled structures that are kept between inputs."""


class HangError(BaseException):
    """Not an Exception, so that nothing catches it on its way."""


@dataclass(frozen=True)
class Verdict:
    """``kind``: accepted, refused, or what is wrong; ``where`` tells failures of one cause from others."""

    kind: str
    where: str = ""
    detail: str = ""
    compared: int = 0

    @property
    def failed(self) -> bool:
        return self.kind not in ("accepted", "refused")


def run(tried: Input, folder: Path, compare: bool = True) -> Verdict:
    """Run an input in this process, in ``folder``, which is emptied first."""
    _prepare(tried, folder)
    with contextlib.chdir(folder), _bounded():
        try:
            return _run(tried, compare)
        except HangError:
            first = traceback.format_exc(limit=12)
            return Verdict("hang", (tried.arguments or ("call",))[0], f"more than {HANGS_AFTER_S:g} s\n{first}")
        except MemoryError:
            return Verdict("memory", _frame(sys.exc_info()[2]), traceback.format_exc(limit=-6))
        except DifferentError as problem:
            return Verdict("different numbers", _shape(str(problem)), str(problem))
        except Exception as problem:
            return Verdict(f"traceback {type(problem).__name__}", _frame(problem.__traceback__), traceback.format_exc())


def _run(tried: Input, compare: bool) -> Verdict:
    if tried.call is not None:
        return _called(tried.call)
    if tried.quantities:
        assert tried.plan is not None
        try:
            return Verdict("accepted", compared=compare_quantities(question(*tried.plan), tried.quantities, compare))
        except InputError as problem:
            return _said(2, "", problem.render())
    status, out, err = commanded(tried.arguments)
    as_json = "--json" in tried.arguments and not {"-h", "--help", "--version"} & set(tried.arguments)
    verdict = _said(status, out, err, as_json, tried.arguments[:1] == ("check",))
    if verdict.kind == "accepted" and compare and tried.plan is not None and tried.arguments[0] == "eval":
        return Verdict("accepted", compared=compare_ways(*tried.plan))
    return verdict


def commanded(arguments: tuple[str, ...]) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command line in this process."""
    out, err = _Terminal(), _Terminal()
    before, sys.argv = sys.argv, ["symsim", *arguments]
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
            warnings.simplefilter("always")
            main()
    except SystemExit as ended:
        return int(ended.code or 0), out.getvalue(), err.getvalue()
    finally:
        sys.argv = before
    raise AssertionError("main() ends with SystemExit")


class _Terminal(io.StringIO):
    def fileno(self) -> int:
        """What ``main`` points elsewhere when a pipe is closed; not the fuzzer's own."""
        return os.open(os.devnull, os.O_WRONLY)


_MESSAGE = re.compile(r"^(.*: )?error\[E\d{3}\]: .")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def _said(status: int, out: str, err: str, as_json: bool = False, keeps_answer: bool = False) -> Verdict:
    """Judge what was printed."""
    last = (err.strip().splitlines() or [""])[0]
    if "Traceback (most recent call last)" in err:
        return Verdict("traceback printed", _shape(err.strip().splitlines()[-1]), err[-2000:])
    for what, text in (("stdout", out), ("stderr", err)):
        if found := _CONTROL.search(text):
            return Verdict(
                f"control character on {what}", repr(found[0]), repr(text[max(0, found.start() - 80) :][:200])
            )
    if "Warning:" in err and "error[" not in err:
        return Verdict("warning printed", _shape(last), err[-2000:])
    if status == 2:
        if not _MESSAGE.match(last) and "Usage:" not in err:
            return Verdict("no message", _shape(last), err[:500])
        return (
            Verdict("refused")
            if not out or keeps_answer
            else Verdict("answer before an error", "", out[:300] + err[:300])
        )
    if status not in (0, 1):
        return Verdict(f"status {status}", _shape(last), err[:500])
    if as_json and out:
        try:
            json.loads(out, parse_constant=_no_number)
        except ValueError as problem:
            return Verdict("JSON", _shape(str(problem)), f"{problem}: {out[:200]}")
    return Verdict("accepted")


def _no_number(text: str) -> Any:
    raise ValueError(f"{text} in JSON")


def _called(call: Call) -> Verdict:
    """A call of the Python interface; TypeError is Python's way to say that an argument is of no right kind."""
    try:
        keywords = dict(call.keywords)
        then = keywords.pop("then", None)
        found = getattr(symsim, call.function)(*map(_plan, call.arguments), **keywords)
        if then is not None:
            found = found.evaluate(then[0], wanted=then[1])
        for form in (str, repr):
            if control := _CONTROL.search(form(found)):
                return Verdict("control character in text", repr(control[0]), form(found)[:300])
        if hasattr(found, "_repr_html_"):
            found._repr_html_()
        if hasattr(found, "to_dict"):
            json.dumps(found.to_dict(), allow_nan=False)
        if call.function == "search":
            list(found)
    except InputError as problem:
        return _said(2, "", problem.render())
    return Verdict("accepted")


def _plan(value: Any) -> Any:
    return symsim.load(*value.arguments) if isinstance(value, PlanOf) else value


def run_as_process(tried: Input, folder: Path) -> Verdict:
    """Run an input as a process of its own, as a user would."""
    _prepare(tried, folder)
    command = [sys.executable, "-m", "symsim", *tried.arguments]
    environment = {**os.environ, "PYTHONPATH": str(Path(symsim.__file__).parents[1])}
    try:
        ended = subprocess.run(
            command, cwd=folder, env=environment, capture_output=True, timeout=BLOCKED_AFTER_S, check=False
        )
    except subprocess.TimeoutExpired:
        return Verdict("hang", "process", f"more than {BLOCKED_AFTER_S} s")
    except ValueError as problem:
        return Verdict("refused", detail=str(problem))
    out, err = (part.decode("utf-8", errors="replace") for part in (ended.stdout, ended.stderr))
    return _said(ended.returncode, out, err, "--json" in tried.arguments, tried.arguments[:1] == ("check",))


def _prepare(tried: Input, folder: Path) -> None:
    """The files of an input, and a cache with its entries; without entries there is no cache."""
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for name, content in tried.files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    os.environ["SYMSIM_CACHE"] = "off"
    if tried.cached:
        place = folder / "cache"
        place.mkdir(mode=0o700)
        os.environ["SYMSIM_CACHE"] = str(place)
        evaluate._EVALUATORS.clear()
        for key, content in {**cache_entries.entries(), **tried.cached}.items():
            path = place / f"{key}.json"
            path.write_bytes(cache._seal(key, content) + b"\n" + content)
            path.chmod(0o600)
    elif len(evaluate._EVALUATORS) > FEW:
        evaluate._EVALUATORS.clear()


@contextlib.contextmanager
def _bounded() -> Iterator[None]:
    """Raise HangError after the processor time that an input may take, or where it waits."""

    began = time.process_time()

    def stop(*_: object) -> None:
        raise HangError

    def look(*_: object) -> None:
        if time.process_time() - began < WORKING * BLOCKED_AFTER_S:
            raise HangError

    before = signal.signal(signal.SIGPROF, stop), signal.signal(signal.SIGALRM, look)
    faulthandler.dump_traceback_later(20 * BLOCKED_AFTER_S, exit=True)
    signal.setitimer(signal.ITIMER_PROF, HANGS_AFTER_S)
    signal.setitimer(signal.ITIMER_REAL, BLOCKED_AFTER_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        faulthandler.cancel_dump_traceback_later()
        signal.signal(signal.SIGPROF, before[0])
        signal.signal(signal.SIGALRM, before[1])


def _frame(trace: Any) -> str:
    """The innermost line of symsim."""
    frames = [f for f in traceback.extract_tb(trace) if "/symsim/" in f.filename or f.filename.endswith("_code.py")]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno} {frames[-1].name}" if frames else "?"


def _shape(text: str) -> str:
    """A message without its numbers and names, to tell causes apart."""
    return re.sub(r"'[^']*'|[0-9.e+-]+", "…", text)[:90]


__all__ = ["HangError", "Verdict", "click", "commanded", "run", "run_as_process"]
