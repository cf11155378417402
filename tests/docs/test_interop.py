"""docs/interop.md lists every tool, and the page of a tool every key of its files."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from symsim import resources
from symsim.interop.exports import TARGETS
from symsim.interop.formats import TOOLS

DOCS = Path(__file__).parents[2] / "docs"
INDEX = (DOCS / "interop.md").read_text(encoding="utf-8")
ROWS = [
    [cell.strip() for cell in row.split("|")[1:-1]] for row in re.findall(r"^\| [A-Z a-z].*\|$", INDEX, re.MULTILINE)
]
PAGES = sorted((DOCS / "interop").glob("*.md"))


def test_every_tool_that_is_read_is_listed() -> None:
    assert {row[2].strip("`") for row in ROWS} - {"", "import"} == set(TOOLS)


def test_every_tool_that_is_written_for_is_listed() -> None:
    assert {row[3].strip("`") for row in ROWS} - {"", "export"} == set(TARGETS)


def test_every_page_is_linked() -> None:
    assert set(re.findall(r"\(interop/(\w+\.md)\)", INDEX)) == {page.name for page in PAGES}


@pytest.mark.parametrize("tool", [page.stem for page in PAGES])
def test_every_key_is_on_the_page_of_its_tool(tool: str) -> None:
    page = (DOCS / "interop" / f"{tool}.md").read_text(encoding="utf-8")
    table = resources.class_table(tool)
    types = json.loads(table.read_text(encoding="utf-8"))["types"] if table.is_file() else {}
    keys = {key for facts in types.values() for key in (*facts["defaults"], *facts.get("inert", ()))}
    assert keys <= set(re.findall(r"`([\w.]+)`", page))
