"""The tables that come with symsim are those of its grammar, and parsers made of them read and refuse the same."""

from __future__ import annotations

from pathlib import Path

import lark
import pytest

from symsim import resources
from symsim.language import grammar_tables
from symsim.language.grammar_tables import STARTS, compiled, parser_of, stamp
from symsim.language.parser import Separators

TEXTS = {
    "model": resources.library_files(),
    "strategy": tuple(resources.shipped("strategies").values()),
    "system": tuple(resources.shipped("systems").values()),
    "config": resources.rule_files("huggingface"),
}
WRONG = {
    "model": "model a = b(\n",
    "strategy": "tp = = 2\n",
    "system": "system x\nhbm { bandwidth }\n",
    "config": "config = \n",
}


@pytest.mark.parametrize("kind", STARTS)
def test_the_tables_are_those_of_the_grammar(kind: str) -> None:
    assert grammar_tables._tables()[kind]["of"] == stamp(kind), (
        "the grammar changed: python -m symsim.language.grammar_tables"
    )


made_by_this_lark = pytest.mark.skipif(
    any(entry["lark"] != lark.__version__ for entry in grammar_tables._tables().values()),
    reason="another release of lark made the tables",
)


@made_by_this_lark
@pytest.mark.parametrize("kind", STARTS)
def test_a_parser_made_of_tables_gives_the_trees_of_one_made_of_the_grammar(kind: str) -> None:
    read, made = parser_of(kind, Separators), compiled(kind, Separators)
    assert read.source_path == "<deserialized>"
    for path in TEXTS[kind]:
        text = path.read_text(encoding="utf-8") + "\n"
        assert read.parse(text, start="start") == made.parse(text, start="start")


@pytest.mark.parametrize("kind", STARTS)
def test_and_expects_the_same_where_a_text_is_wrong(kind: str) -> None:
    found = []
    for parser in (parser_of(kind, Separators), compiled(kind, Separators)):
        with pytest.raises(lark.UnexpectedToken) as problem:
            parser.parse(WRONG[kind], start="start")
        found.append((problem.value.token, problem.value.token.start_pos, set(problem.value.accepts)))
    assert found[0] == found[1]


@pytest.mark.parametrize("kind", STARTS)
def test_tables_of_another_grammar_are_not_used(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(grammar_tables, "_tables", lambda: {kind: {"lark": lark.__version__, "of": "another"}})
    assert parser_of(kind, Separators).source_path != "<deserialized>"


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00 cut off"])
def test_a_file_of_tables_that_cannot_be_read_counts_as_absent(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "grammar").mkdir()
    (tmp_path / "grammar" / grammar_tables.FILE).write_bytes(content)
    monkeypatch.setattr(resources, "root", lambda: tmp_path)
    assert grammar_tables._tables.__wrapped__() == {}
