"""What a reader sees is written in plain words: pages, help, messages, and the meanings of formulas."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
READ = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
SOURCES = sorted((ROOT / "symsim").rglob("*.py"))

INSTEAD = {
    r"mend(s|ed|ing)?": "fix",
    r"beside": "besides, next to, during",
    r"stands? (behind|above|below|for|in|on|before)": "is",
    r"hid(e|es|den|ing) behind": "overlap with",
    r"(is|are|be|was|were) (met|behind)\b": "keep, lower bound, slower",
    r"not met": "broken",
    r"told apart": "distinguished",
    r"whole only|make \w+ whole": "gathered",
    r"dearer": "slower",
    r"(?<!there )is no (number|text|size|table|list|letter|quantity)": "is not a",
}
"""Pattern → the word to write."""

_BANNED = re.compile("|".join(rf"\b({pattern})\b" for pattern in INSTEAD), re.IGNORECASE)


def banned(text: str) -> list[str]:
    return [match[0] for match in _BANNED.finditer(text)]


def said(source: Path) -> Iterator[str]:
    """Texts of a module that a reader may see: all but docstrings, and the docstrings of commands."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    unseen = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for k, statement in enumerate(body if isinstance(body, list) else []):
            if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant):
                decorators = node.decorator_list if isinstance(node, ast.FunctionDef) else []
                if k or not any("click.command" in ast.unparse(d) for d in decorators):
                    unseen.add(statement.value)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in unseen:
            yield node.value


@pytest.mark.parametrize("path", READ, ids=lambda p: p.name)
def test_pages_use_plain_words(path: Path) -> None:
    assert banned(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "symsim")))
def test_messages_and_help_use_plain_words(path: Path) -> None:
    assert [text for text in said(path) if banned(text)] == []


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT / "symsim")))
def test_docstrings_comments_and_names_use_plain_words(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.findall(r"\b_?(?:mend(?:s|ed|ing)?|beside|stands? behind|is met by)\b", text) == []


def test_a_banned_word_is_found_with_its_case_and_form() -> None:
    assert banned("Mended by; it stands behind the others; transfers hide behind compute") == [
        "Mended",
        "stands behind",
        "hide behind",
    ]
    assert banned("besides, commend, standing") == []
