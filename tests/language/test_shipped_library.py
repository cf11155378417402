"""Items of the shipped library are parsed one by one, when something asks for them, and are what their files say."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim import resources
from symsim.compiler.pipeline import compile_cost
from symsim.diagnostics import InputError, Source
from symsim.language import shipped_library
from symsim.language.closed_words import unknown_words
from symsim.language.library import library_of
from symsim.language.parser import parse_model, parse_part
from symsim.language.shipped_library import parts_of, shipped_item, shipped_names, shipped_parts, shipped_words
from symsim.language.source_files import read_source
from symsim.loading.question import question


@pytest.mark.parametrize("path", resources.library_files(), ids=lambda path: path.stem)
def test_the_items_of_a_file_are_those_that_its_whole_text_has(path: Path) -> None:
    source = read_source(path, f"{path.parent.name}/{path.name}")
    parts = list(parts_of(source))
    items = [item for part in parts for item in parse_part(source, part.start, part.end)]
    assert tuple(items) == parse_model(source)
    assert [(part.name, part.place) for part in parts] == [(item.name, item.place) for item in items]
    assert "".join(source.text[p.start : p.end] for p in parts) == source.text


def test_every_item_of_the_library_compares_names_with_words_that_they_may_be() -> None:
    items = [shipped_item(shelf, name) for shelf, names in shipped_names().items() for name in names]
    assert len(items) == len(shipped_parts())
    assert not list(unknown_words(items, shipped_words()))


def test_a_model_parses_what_it_reaches() -> None:
    """A dense decoder needs no experts and no state space."""
    for cached in (shipped_library._parsed, shipped_library.shipped_item):
        cached.cache_clear()
    asked = question("llama3_8b", "world=8,gbs=8,seq=2048", None, ())
    compile_cost(asked.model, asked.plan.structure)
    assert shipped_library._parsed.cache_info().currsize < len(shipped_parts()) / 2


def laid(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    """A library of the shipped files and one more."""
    more = tmp_path / "more.sym"
    more.write_text(text)
    files = (*resources.library_files(), more)
    monkeypatch.setattr(resources, "library_files", lambda: files)
    for name in ("shipped_parts", "shipped_names", "shipped_words", "shipped_item"):
        fresh = getattr(shipped_library, name).__wrapped__
        monkeypatch.setattr(shipped_library, name, fresh)
    monkeypatch.setattr("symsim.language.library.shipped_parts", shipped_library.shipped_parts)
    monkeypatch.setattr("symsim.language.library.shipped_words", shipped_library.shipped_words)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("\nblock mlp { rmsnorm }\n", "E201", 2),
        ('define tp = 2 "a choice has this name"\n', "E202", 1),
        ("words norm.kind { a, b }\n", "E202", 1),
    ],
)
def test_names_that_are_taken_are_found_without_parsing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: str, line: int
) -> None:
    laid(tmp_path, monkeypatch, text)
    with pytest.raises(InputError) as problem:
        library_of()
    (found,) = problem.value.diagnostics
    assert (found.code, found.place and found.place.line) == (code, line)


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("\n\nblock mine { if norm == rmss { rmsnorm } }\n", "E252", 3),
        ("# a comment\nblock mine { rmsnorm( }\n", "E112", 2),
        ("block mine {\n    rmsnorm ]\n}\n", "E106", 2),
    ],
)
def test_an_item_that_is_wrong_says_so_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, code: str, line: int
) -> None:
    laid(tmp_path, monkeypatch, text)
    library = library_of()
    assert "mine" in library.blocks
    with pytest.raises(InputError) as problem:
        _ = library.blocks["mine"]
    assert problem.value.diagnostics[0].code == code
    place = problem.value.diagnostics[0].place
    assert place is not None
    assert (place.source.name.endswith("/more.sym"), place.line) == (True, line)


def test_what_a_user_writes_lies_over_the_library() -> None:
    own = parse_model(Source("own.sym", "block mlp(ffn) { rmsnorm }\nblock mine { rmsnorm }\n"))
    library = library_of(own)
    assert library.blocks["mlp"] is own[0]
    assert list(library.blocks)[-1] == "mine"
    assert len(library.blocks) == len(shipped_names()["blocks"]) + 1
    assert library.blocks.get("theirs") is None
