"""The blocks of a page, what their commands print, and the page with that output in place.

A ``text`` block right after a ``sh`` block is what the last command of that block prints: standard output, or
standard error where the input is wrong. A line of ``…`` stands for any number of lines that the page leaves out.
Commands run in a scratch folder that holds the page's own files and a copy of each folder that it asks for.

Comments above a block, several separated by commas:

=====================  ==========================================================================================
``<!-- file: NAME -->``    the block is a file, which the page's commands find
``<!-- folder: NAME -->``  the page's commands find this folder of the repository
``<!-- exit 1 -->``        the exit status to expect of the last command
``<!-- slow -->``          takes long: it runs with the slow tests, and ``generate.py slow`` refreshes it
``<!-- needs PACKAGE -->`` runs only where an optional package is installed
=====================  ==========================================================================================
"""

from __future__ import annotations

import contextlib
import doctest
import importlib.util
import io
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import symsim
from symsim.cli.main import main

ROOT = Path(__file__).resolve().parents[1]

_FENCE = r"(?:<!-- (?P<note>[^\n]*) -->\n+)?^```(?P<language>%s)\n(?P<text>(?:(?!^```).)*)^```$"
_BLOCK = re.compile(_FENCE % r"\w+", re.DOTALL | re.MULTILINE)
_PRINTED = re.compile(_FENCE % "sh" + r"\n\n```text\n(?P<printed>(?:(?!^```).)*)^```$", re.DOTALL | re.MULTILINE)
_SESSION = re.compile(_FENCE % "pycon", re.DOTALL | re.MULTILINE)
_FOLDER = re.compile(r"^<!-- folder: (\S+) -->$", re.MULTILINE)
_SYMSIM = re.compile(r"(?:^|&& )(?:\.venv/bin/)?(symsim (?:(?! && ).)*)")
_ELAPSED = re.compile(r"[\d.]+ (?:s|ms), [\d.]+(?: k| M)? legal points/s")
_REDIRECTED = re.compile(r"(.*?)(?: > ([\w./-]+))?$")

INPUT_IS_WRONG = 2


@dataclass(frozen=True)
class Block:
    """A fenced block of a page; ``notes`` are the words of the comment right above it."""

    language: str
    text: str
    notes: tuple[str, ...]

    @property
    def file(self) -> str | None:
        return next((note.removeprefix("file: ") for note in self.notes if note.startswith("file: ")), None)

    @property
    def exit_status(self) -> int:
        return next((int(note.removeprefix("exit ")) for note in self.notes if note.startswith("exit ")), 0)

    @property
    def slow(self) -> bool:
        return "slow" in self.notes

    @property
    def can_run(self) -> bool:
        packages = [note.removeprefix("needs ") for note in self.notes if note.startswith("needs ")]
        return all(importlib.util.find_spec(package) for package in packages)

    @property
    def lines(self) -> list[str]:
        """The lines of a ``sh`` block, continued lines joined."""
        return self.text.replace("\\\n", "").splitlines() if self.language == "sh" else []

    @property
    def commands(self) -> list[str]:
        """The ``symsim`` commands of a ``sh`` block, in order."""
        return [found for line in self.lines for found in _SYMSIM.findall(line)]


def blocks(page: str) -> list[Block]:
    return [_block(match) for match in _BLOCK.finditer(page)]


def _block(match: re.Match[str]) -> Block:
    return Block(match["language"], match["text"], tuple((match["note"] or "").split(", ")))


@contextlib.contextmanager
def scratch(page: str) -> Iterator[None]:
    """A folder of its own to run a page's commands in, with the page's files."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for name in _FOLDER.findall(page):
            shutil.copytree(ROOT / name, name)
        for block in blocks(page):
            if block.file is not None:
                path = Path(block.file)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(block.text, encoding="utf-8")
        yield


def run(command: str) -> tuple[int, str]:
    """Exit status and what was printed: standard error where the input is wrong, else standard output.

    ``> FILE`` at the end of a command writes standard output to a file.
    """
    words, file = _REDIRECTED.findall(command)[0]
    printed, errors = io.StringIO(), io.StringIO()
    status = 0
    with (
        mock.patch.object(sys, "argv", shlex.split(words)),
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(errors),
    ):
        try:
            main()
        except SystemExit as end:
            status = int(end.code or 0)
    if file:
        Path(file).write_text(printed.getvalue(), encoding="utf-8")
    return status, (errors if status == INPUT_IS_WRONG else printed).getvalue()


@dataclass(frozen=True)
class PageRun:
    """A page after its commands ran: with what they print now, and those that ended with an unexpected status."""

    page: str
    wrong_statuses: list[str]


def run_commands(page: str, slow: bool = False) -> PageRun:
    """Run the commands of a page, slow ones too if asked for.

    Commands run in the page's order, each once, so that a command may read what an earlier one wrote.
    """
    printed_blocks = {match.start(): match for match in _PRINTED.finditer(page)}
    written, end, wrong = [], 0, []
    with scratch(page):
        for match in _BLOCK.finditer(page):
            block = _block(match)
            if not block.commands or block.slow > slow or not block.can_run:
                continue
            ran = [run(command) for command in block.commands]
            expected = [0] * (len(ran) - 1) + [block.exit_status]
            wrong += [
                f"exit status {status}: {command}"
                for command, (status, _), stated in zip(block.commands, ran, expected, strict=True)
                if status != stated
            ]
            if match.start() in printed_blocks:
                printed = printed_blocks[match.start()]
                written += [page[end : printed.start("printed")], shortened(ran[-1][1], like=printed["printed"])]
                end = printed.end("printed")
    return PageRun("".join([*written, page[end:]]), wrong)


# Shortened outputs.

LEFT_OUT = "…"
_OWN_LINE = 0.6
_OTHER_LINE = 1.2
"""Costs of a new line that the page did not show, and of one without a word of the line in its place; a line of the
page that is gone costs 1."""


def shortened(output: str, like: str) -> str:
    """``output`` with the lines left out that ``like``, an earlier shortened output, leaves out.

    Lines are aligned so that as few as possible change; numbers count little, for they change most. How long a search
    took is another number each time: the page keeps its own.
    """
    if elapsed := _ELAPSED.search(like):
        output = _ELAPSED.sub(elapsed[0], output)
    shown, lines = like.splitlines(), output.splitlines()
    if LEFT_OUT not in (line.strip() for line in shown):
        return output
    keep = _with_whole_verdict(_aligned([_words(line) for line in shown], [_words(line) for line in lines]), lines)
    marks = [line for line in shown if line.strip() == LEFT_OUT]
    result, left_out = [], 0
    for k, line in enumerate(lines):
        if keep[k]:
            result.append(line)
        elif k == 0 or keep[k - 1]:
            result.append(marks[min(left_out, len(marks) - 1)])
            left_out += 1
    return "".join(f"{line}\n" for line in result)


def _with_whole_verdict(keep: list[bool], lines: list[str]) -> list[bool]:
    """The first paragraph, an answer's verdict, is shown whole or not at all: its sentences wrap anywhere."""
    end = lines.index("") if "" in lines else len(lines)
    return [*([keep[0]] * end if end and end < len(lines) else keep[:end]), *keep[end:]]


def _aligned(shown: list[frozenset[str] | None], lines: list[frozenset[str] | None]) -> list[bool]:
    """Whether each line stays: the cheapest alignment where a mark (``None``) takes any number of lines."""
    cost = [[0.0] * (len(lines) + 1) for _ in range(len(shown) + 1)]
    for i in range(len(shown), -1, -1):
        for j in range(len(lines), -1, -1):
            if i < len(shown) or j < len(lines):
                cost[i][j] = min(c for c, *_ in _steps(cost, shown, lines, i, j))
    keep, i, j = [], 0, 0
    while i < len(shown) or j < len(lines):
        _, next_i, next_j, kept = min(_steps(cost, shown, lines, i, j), key=lambda step: step[0])
        keep += [kept] * (next_j - j)
        i, j = next_i, next_j
    return keep


def _steps(
    cost: list[list[float]], shown: list[frozenset[str] | None], lines: list[frozenset[str] | None], i: int, j: int
) -> Iterator[tuple[float, int, int, bool]]:
    """Cost in all, where one goes, and whether the line passed on the way is kept."""
    mark = i < len(shown) and shown[i] is None
    if i < len(shown) and j < len(lines) and not mark:
        yield cost[i + 1][j + 1] + _difference(shown[i], lines[j]), i + 1, j + 1, True
    if j < len(lines):
        yield cost[i][j + 1] + (0 if mark else _OWN_LINE), i, j + 1, not mark
    if i < len(shown):
        yield cost[i + 1][j] + (0 if mark else 1), i + 1, j, False


def _words(line: str) -> frozenset[str] | None:
    """What a line is recognised by: its words, numbers without their digits; ``None`` for a mark."""
    return None if line.strip() == LEFT_OUT else frozenset(re.sub(r"\d[\d ,.]*", "0", line).split())


def _difference(one: frozenset[str] | None, other: frozenset[str] | None) -> float:
    one, other = one or frozenset(), other or frozenset()
    return _OTHER_LINE * (1 - len(one & other) / len(one | other)) if one or other else 0.0


# Python sessions.


def with_sessions(page: str) -> str:
    """A page with every ``pycon`` block as Python prints it now; the blocks of a page are one session."""
    names: dict[str, object] = {"symsim": symsim}
    with scratch(page):
        return _SESSION.sub(lambda match: f"{_before_text(match)}{_session(match['text'], names)}```", page)


def _before_text(match: re.Match[str]) -> str:
    return match[0][: match.start("text") - match.start()]


def _session(text: str, names: dict[str, object]) -> str:
    """Examples that still print what the page says stay as they are, with their ``...``."""
    checker, runner = doctest.OutputChecker(), doctest.DocTestRunner(verbose=False)
    written = []
    for part in doctest.DocTestParser().parse(text):
        if isinstance(part, str):
            written.append(part)
            continue
        printed = _printed_by(part, names)
        flags = sum(flag for flag, on in part.options.items() if on) | runner.optionflags
        same = part.exc_msg is not None or checker.check_output(part.want, printed, flags)
        source = "".join(
            f"{'>>> ' if k == 0 else '... '}{line}".rstrip() + "\n" for k, line in enumerate(part.source.splitlines())
        )
        written.append(source + (part.want if same else re.sub(r"^\n", "<BLANKLINE>\n", printed, flags=re.MULTILINE)))
    return "".join(written)


def _printed_by(example: doctest.Example, names: dict[str, object]) -> str:
    printed = io.StringIO()
    expected = contextlib.suppress(Exception) if example.exc_msg is not None else contextlib.nullcontext()
    with contextlib.redirect_stdout(printed), expected:
        exec(compile(example.source, "<page>", "single"), names)
    return printed.getvalue()
