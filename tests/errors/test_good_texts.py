"""Texts that look odd and are right: line endings, byte order marks, brackets in texts and comments."""

from __future__ import annotations

import pytest

from tests.errors.case import Case, outcome
from tests.errors.texts import INLINE, MODEL, SMALL_PLAN, SYSTEM

TEXTS = {
    "CR LF": MODEL.replace(", ", ",\r\n    ").replace("\n", "\r\n").replace("\r\r", "\r"),
    "byte order mark": "\ufeff" + MODEL,
    "no end of line": MODEL.rstrip("\n"),
    "semicolons": MODEL.rstrip("\n") + ";;\n",
    "blank lines and comments": f"# (((\n\n\n{MODEL}\n# }}\n\n",
    "brackets in a text": MODEL.replace("small =", 'small "((( # {{{" ='),
    "comment in any alphabet": f"# модель – “small”\n{MODEL}",
    "brackets 90 deep": MODEL.replace("64", "(" * 90 + "64" + ")" * 90),
    "sum of 150 terms": MODEL.replace("128", "+".join("1" * 150)),
    "word of the language for a name": MODEL.replace("small", "model"),
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=[name.replace(" ", "-") for name in TEXTS])
def test_text_is_read(text: str) -> None:
    found = outcome(Case(text, "", ("check", "small.sym"), "", "", None, {"small.sym": text}))
    assert (found.status, found.err) == (0, "")


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_system_and_strategy_are_read(end: str) -> None:
    files = {
        "box.sym": SYSTEM.replace("\n", end),
        "plan.sym": f"strategy plan{end}" + SMALL_PLAN.replace(",", end) + end,
    }
    found = outcome(Case(end, "", ("eval", INLINE, "-s", "plan.sym", "-y", "box.sym"), "", "", None, files))
    assert (found.status, found.err) == (0, "")


def test_figure_may_be_computed() -> None:
    files = {"box.sym": SYSTEM.replace("= 50 GB/s", "= 400 Gbit/s * 8 / 8")}
    found = outcome(Case("", "", ("eval", INLINE, "-s", SMALL_PLAN, "-y", "box.sym"), "", "", None, files))
    assert (found.status, found.err) == (0, "")


def test_file_may_have_brackets_in_its_name() -> None:
    found = outcome(Case("", "", ("check", "small (1).sym"), "", "", None, {"small (1).sym": MODEL}))
    assert (found.status, found.err) == (0, "")
    evaluated = outcome(
        Case("", "", ("eval", "small (1).sym", "-s", SMALL_PLAN), "", "", None, {"small (1).sym": MODEL})
    )
    assert (evaluated.status, evaluated.err) == (0, "")


def test_all_errors_of_a_file_are_reported() -> None:
    text = "strategy s\ntp = 0\npp = x\nprecision = bf17\nzero = 4\n"
    found = outcome(Case("", "", ("check", "s.sym"), "", "", None, {"s.sym": text}))
    assert found.err.count("error[") == 4


def test_all_files_are_checked() -> None:
    files = {"a.sym": "model a = llama()\n", "b.sym": MODEL, "c.sym": "strategy c\ntp = 0\n"}
    found = outcome(Case("", "", ("check", "a.sym", "b.sym", "c.sym"), "", "", None, files))
    assert found.status == 2
    assert [line.split(":")[0] for line in found.err.split("\n") if "error[" in line] == ["a.sym", "c.sym"]


def test_more_errors_than_anyone_reads_are_counted() -> None:
    text = "".join("block b { }\n" for _ in range(100))
    found = outcome(Case("", "", ("check", "s.sym"), "", "", None, {"s.sym": text}))
    assert found.err.count("error[") == 20
    assert found.err.rstrip().endswith("… and 79 more errors")
