"""Everything that is printed fits a page of 80 columns: help, tables, formulas, lines of text."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import click
import pytest
from rich.cells import cell_len

from symsim.cli.main import COMMANDS, cli, main
from symsim.report.page_width import PAGE_WIDTH

PLAN = ("-s", "tp8_pp4", "-y", "h100_sxm")

OUTPUTS: dict[str, tuple[str, ...]] = {
    "memory": ("formula", "llama3_70b", "--show", "memory"),
    "parameters kept as symbols": ("formula", "llama3_70b", "--show", "params", "--keep", "all"),
    "all that a mixture of experts costs": ("formula", "deepseek_v3", "--show", "all"),
    "operators": ("formula", "deepseek_v3", "--show", "time", "--per", "operator"),
    "moments": ("formula", "llama3_70b", "--show", "memory", "--per", "moment"),
    "one plan": ("eval", "llama3_70b", *PLAN),
    "a plan of experts": ("eval", "deepseek_v3", "-s", "deepseek_v3_2048", "-y", "h100_sxm"),
    "a plan that does not fit": ("explain", "llama3_8b", "-s", "world=8,gbs=64,seq=7168", "-y", "h100_sxm"),
    "memory and time explained": ("explain", "deepseek_v3", "-s", "deepseek_v3_2048", "-y", "h100_sxm"),
    "the largest mbs": ("solve", "llama3_70b", *PLAN, "--for", "mbs"),
    "the least bandwidth": ("solve", "llama3_70b", *PLAN, "--for", "nvlink.bandwidth",
                            "--subject-to", "time.iteration <= 9.5 s"),
    "a break-even": ("solve", "llama3_70b", "-s", "tp8_pp4", "-s", "tp=4,pp=8,world=128,gbs=128,seq=8192",
                     "-y", "h100_sxm", "--for", "gbs"),
    "sensitivities": ("sensitivity", "llama3_70b", *PLAN),
    "two plans": ("compare", "llama3_70b", "-s", "tp8_pp4", "-s",
                  "world=128,tp=4,pp=8,gbs=128,seq=8192,recompute=full", "-y", "h100_sxm"),
    "a search": ("search", "llama3_8b", "-s", "world=64,gbs=512,seq=8192,tp in {1,2,4,8},pp in {1,2,4},"
                 "recompute in {none, {core_attn, layernorm}, full}", "-y", "h100_sxm", "--pareto",
                 "time.iteration,memory.peak"),
    "models": ("list", "models"),
    "strategies": ("list", "strategies"),
    "systems": ("list", "systems"),
    "library": ("list", "library"),
    "efficiencies": ("efficiency", "b200"),
}  # fmt: skip


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What a command prints, to standard output and, where the input is wrong, to standard error."""
    before, sys.argv = sys.argv, ["symsim", *arguments]
    try:
        with pytest.raises(SystemExit):
            main()
    finally:
        sys.argv = before
    return capsys.readouterr().out


def too_wide(text: str) -> list[str]:
    """Lines over the page's end, but for those of one word, which nothing can break."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return [line for line in plain.splitlines() if cell_len(line.rstrip()) > PAGE_WIDTH and len(line.split()) > 1]


def help_pages(group: click.Group, *path: str) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [path]
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        found += help_pages(command, *path, name) if isinstance(command, click.Group) else [(*path, name)]
    return found


HELP = help_pages(cli)  # type: ignore[arg-type]


def test_every_command_has_a_help_page() -> None:
    assert {path[0] for path in HELP if path} == set(COMMANDS)


@pytest.mark.parametrize("path", HELP, ids=" ".join)
def test_help_fits_the_page(capsys: pytest.CaptureFixture[str], path: tuple[str, ...]) -> None:
    text = printed(capsys, *path, "--help")
    assert "Usage:" in text and too_wide(text) == []


@pytest.mark.parametrize("name", OUTPUTS)
def test_an_answer_in_a_pipe_fits_the_page(capsys: pytest.CaptureFixture[str], name: str) -> None:
    text = printed(capsys, *OUTPUTS[name])
    assert text and too_wide(text) == []


@pytest.mark.parametrize("name", [n for n in OUTPUTS if n not in ("operators", "moments")])
def test_an_answer_on_a_narrow_terminal_fits_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setitem(os.environ, "COLUMNS", str(PAGE_WIDTH))
    monkeypatch.setitem(os.environ, "TERM", "dumb")
    text = printed(capsys, *OUTPUTS[name])
    assert text and too_wide(text) == []


def test_a_pipe_has_80_columns_whatever_the_terminal_has(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = printed(capsys, *OUTPUTS["memory"])
    monkeypatch.setitem(os.environ, "COLUMNS", "200")
    assert printed(capsys, *OUTPUTS["memory"]) == plain


def test_a_wide_terminal_is_used(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setitem(os.environ, "COLUMNS", "140")
    assert max(map(len, printed(capsys, *OUTPUTS["memory"]).splitlines())) > PAGE_WIDTH


def test_a_report_of_validation_fits_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    cases = Path(__file__).parents[2] / "accuracy" / "cases.json"
    text = printed(capsys, "validate", str(cases), "--only", "b200-megatron")
    assert text and too_wide(text) == []
