"""The Markdown section."""

from __future__ import annotations

from symsim.emit import markdown
from symsim.records.cost import Definition
from symsim.symbols import symbol
from tests.emit import samples
from tests.emit.golden_files import assert_golden


def test_section() -> None:
    assert_golden(
        "llama3_70b.md", markdown.definitions(samples.llama3_70b(), "llama3_70b · memory and time of one GPU")
    )


def test_markup_in_a_meaning_is_escaped() -> None:
    definition = Definition("a", symbol("tp"), "what | holds *all* of n_dense", "", "run", "sizes")
    assert r"what \| holds \*all\* of n\_dense" in markdown.definitions([definition], "title")
