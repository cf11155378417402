"""Every command and every Python session of the pages runs, and prints what the page shows."""

from __future__ import annotations

import contextlib
import os
import re
import shlex
from pathlib import Path

import click
import generate
import page_outputs
import pytest

from symsim.cli.main import cli

pytestmark = pytest.mark.slow

PAGES = generate.PAGES
SLOW = [path for path in PAGES if any(block.slow for block in page_outputs.blocks(path.read_text(encoding="utf-8")))]


def page_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def assert_outputs_are_current(path: Path, slow: bool = False) -> None:
    """``SYMSIM_REFRESH_GOLDEN=1 pytest`` writes the outputs anew."""
    page = page_of(path)
    ran = page_outputs.run_commands(page, slow)
    now = generate.with_tables(page_outputs.with_sessions(ran.page))
    assert ran.wrong_statuses == []
    if os.environ.get("SYMSIM_REFRESH_GOLDEN"):
        path.write_text(now, encoding="utf-8")
    assert now == page_of(path), f"run: python docs/generate.py {'slow' if slow else 'outputs'}"


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_commands_of_a_page_print_what_it_shows(path: Path) -> None:
    assert_outputs_are_current(path)


@pytest.mark.slow
@pytest.mark.parametrize("path", SLOW, ids=lambda p: p.name)
def test_slow_commands_of_a_page_print_what_it_shows(path: Path) -> None:
    assert_outputs_are_current(path, slow=True)


NOT_SYMSIM = ("python3 -m venv ", "pip install ", "python docs/", ".ci/run", "SYMSIM_REFRESH_GOLDEN=1 pytest")
"""What else a page may tell a reader to type."""


@pytest.mark.parametrize("path", PAGES, ids=lambda p: p.name)
def test_every_line_of_a_shell_block_is_run_or_known(path: Path) -> None:
    for block in page_outputs.blocks(page_of(path)):
        unknown = [line for line in block.lines if "symsim " not in line and not line.startswith(NOT_SYMSIM)]
        assert not unknown
        assert block.language != "bash"


def written_in_prose(page: str) -> list[str]:
    """Complete commands between backquotes, without placeholders such as ``MODEL`` or ``…``."""
    prose = re.sub(r"^```.*?^```$", "", page, flags=re.DOTALL | re.MULTILINE)
    found = [command.replace("\\|", "|") for command in re.findall(r"`(symsim [^`]+)`", prose)]
    return [c for c in found if not re.search(r"…|(?<![\w.])[A-Z]{2,}(?![\w.])|\w\|\w| \[", c)]


PROSE = sorted({command for path in PAGES for command in written_in_prose(page_of(path))})


@pytest.mark.parametrize("command", PROSE)
def test_a_command_written_in_prose_is_one(command: str) -> None:
    """Its options are known; its arguments may be left out."""
    _, *words = shlex.split(command)
    group: click.Command = cli
    while isinstance(group, click.Group) and words and not words[0].startswith("-"):
        found = group.get_command(click.Context(group), words.pop(0))
        assert found is not None
        group = found
    if words and "--help" not in words:
        with contextlib.suppress(click.MissingParameter):
            group.make_context(command, words)


# Shortened outputs.


def test_an_output_without_marks_is_shown_whole() -> None:
    assert page_outputs.shortened("a\nb\n", like="x\ny\n") == "a\nb\n"


def test_a_mark_leaves_out_lines() -> None:
    assert page_outputs.shortened("a 1\nb 2\nc 3\nd 4\n", like="a 1\n…\nd 4\n") == "a 1\n…\nd 4\n"


def test_a_shortened_output_follows_new_numbers() -> None:
    assert page_outputs.shortened("peak 71 GiB\nb 2\nc 3\nd 4\n", like="peak 70 GiB\n  …\nd 9\n") == (
        "peak 71 GiB\n  …\nd 4\n"
    )


def test_a_new_line_among_shown_lines_is_shown() -> None:
    assert page_outputs.shortened("a\nnew\nb\nc\nd\n", like="a\nb\n…\n") == "a\nnew\nb\n…\n"


def test_a_shown_line_that_is_gone_is_gone() -> None:
    assert page_outputs.shortened("a\nc\nd\n", like="a\nb\n…\nd\n") == "a\n…\nd\n"


def test_a_verdict_is_shown_whole() -> None:
    now = "Fits: peak 1 GiB. One step\n  takes 2 s.\n\nrest\n"
    assert page_outputs.shortened(now, like="Fits: peak 1 GiB. One step takes 2 s.\n…\n") == (
        "Fits: peak 1 GiB. One step\n  takes 2 s.\n…\n"
    )


def test_a_changed_line_of_a_shortened_output_is_noticed() -> None:
    shown = "step 1.5 s\n…\nmfu 40 %\n"
    assert page_outputs.shortened("step 1.6 s\nx\nmfu 40 %\n", like=shown) != shown


# Python sessions.


def test_a_session_shows_what_python_prints_now() -> None:
    page = "```pycon\n>>> x = 1\n>>> x + 1\n3\n```"
    assert page_outputs.with_sessions(page) == "```pycon\n>>> x = 1\n>>> x + 1\n2\n```"


def test_sessions_of_a_page_share_their_names() -> None:
    page = "```pycon\n>>> x = 1\n```\n\n```pycon\n>>> x\n1\n```"
    assert page_outputs.with_sessions(page) == page


def test_an_expected_error_stays() -> None:
    page = "```pycon\n>>> 1 / 0\nTraceback (most recent call last):\n    ...\nZeroDivisionError: division by zero\n```"
    assert page_outputs.with_sessions(page) == page
