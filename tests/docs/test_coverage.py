"""docs/coverage.md: every option of the tools before symsim stands there once, and every spelling does something."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.cli.main import cli
from symsim.diagnostics import InputError
from symsim.language.library import library_of
from symsim.language.strategies import load_strategy
from symsim.loading.question import question
from symsim.records.strategy import CHOICES

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "coverage.md").read_text(encoding="utf-8")

OPTIONS = {"S": 90, "M": 55, "A": 34}
"""The last number of each tool's options."""
UNUSED = {"S-69", "M-39", "M-49"}
"""Numbers that no option has."""
STATES = ("here", "in part", "not here")


def _rows() -> list[tuple[str, str, str]]:
    """(option, spelling, state) of every row."""
    lines = re.findall(r"^\| [SMA]-\d+ \|.*\|$", PAGE, re.MULTILINE)
    cells = [[c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    return [(option, spelling.replace("\\|", "|"), state) for option, _, spelling, state in cells]


ROWS = _rows()


def _code(spelling: str) -> list[str]:
    """The code of a cell, outside of italics."""
    found = re.findall(r"`[^`]+`|\*(?:`[^`]+`|[^*`])+\*", spelling)
    return [code.strip("`") for code in found if code.startswith("`")]


CODE = list(dict.fromkeys(code for _, spelling, _ in ROWS for code in _code(spelling)))
COMMANDS = [code for code in CODE if code.startswith("symsim ")]
CHOSEN = [code for code in CODE if "=" in code and code not in COMMANDS]
FIELDS = [code for code in CODE if code not in COMMANDS and code not in CHOSEN]


def test_every_option_has_one_row() -> None:
    wanted = {f"{tool}-{k}" for tool, last in OPTIONS.items() for k in range(1, last + 1)} - UNUSED
    assert Counter(option for option, _, _ in ROWS) == Counter(wanted)


def _state(text: str) -> str:
    found = re.match(r"\*\*(here|in part|not here)\*\*(: .|$)", text)
    assert found, text
    return found[1]


@pytest.mark.parametrize("tool", OPTIONS)
def test_the_page_counts_its_rows(tool: str) -> None:
    counted = Counter(_state(state) for option, _, state in ROWS if option.startswith(tool))
    stated = re.search(rf"^\| [^|]*: {tool}-1 … {tool}-\d+ \|(.*)\|$", PAGE, re.MULTILINE)
    assert stated
    assert [int(n) for n in stated[1].split("|")] == [*(counted[s] for s in STATES), counted.total()]


def test_what_is_not_here_has_no_spelling_and_the_rest_has_one_or_a_reason() -> None:
    for option, spelling, state in ROWS:
        assert bool(spelling) is (_state(state) != "not here") or (option, spelling) == ("S-18", ""), option
        assert _state(state) == "here" or ": " in state, option


# A plan for each kind of model: a spelling must change the answer of one of them.

PLANS = {
    "llama3_8b": "world=16,tp=2,pp=2,seq=4096,layers=8",
    "mixtral_8x7b": "world=16,tp=2,pp=2,ep=2,seq=4096,layers=8",
    "deepseek_v2_lite": "world=16,tp=2,pp=2,ep=2,seq=4096,layers=8",
}


def _parts(spelling: str) -> list[str]:
    """A spelling's choices, one by one."""
    return re.split(r",(?![^{]*\})", spelling)


@cache
def values(model: str, *settings: str) -> dict[str, Any]:
    step = "" if any(s.startswith("microbatches=") for s in settings) else ",gbs=64"
    asked = question(model, PLANS[model] + step, "b200", settings)
    assert asked.system is not None
    found = answer(asked.model, asked.plan, machine_of(asked)).values
    return {**found, "memory.capacity": asked.system.figures["memory.capacity"].value}


def _does_something(spelling: str) -> bool:
    dense = not re.search(r"moe|expert|\bep=|rank=", spelling)
    for model in list(PLANS)[0 if dense else 1 :]:
        try:
            if values(model, *_parts(spelling)) != values(model):
                return True
        except InputError:
            continue
    return False


SAME = {"precision=fp16"}
"""What changes no answer: as many bytes as bf16, and the same rate on this machine."""


@pytest.mark.parametrize("spelling", CHOSEN)
def test_a_spelling_changes_the_answer(spelling: str) -> None:
    if spelling in SAME:
        assert values("llama3_8b", spelling) == values("llama3_8b")
    else:
        assert _does_something(spelling)


def test_spellings_name_choices_dimensions_and_figures() -> None:
    dimensions = {p.name for family in library_of().families.values() for p in family.parameters}
    for spelling in CHOSEN:
        strategy = load_strategy(spelling)
        names = {part.partition("=")[0] for part in _parts(spelling)}
        assert names == {*strategy.values, *strategy.overrides}
        assert all(n in CHOICES or n in dimensions or "." in n for n in names), spelling


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_what_the_page_gives_it(command: str) -> None:
    _, *words = shlex.split(command)
    group: click.Command = cli
    while isinstance(group, click.Group):
        found = group.get_command(click.Context(group), words.pop(0))
        assert found is not None
        group = found
    group.make_context(command, words)


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_is_one_of_the_answer(field: str) -> None:
    assert f"| `{field}` |" in (DOCS / "eval.md").read_text(encoding="utf-8")
