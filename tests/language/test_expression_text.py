"""Expressions as text: the file's own words, and one line of what stands on several."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from symsim.diagnostics import Place, Source
from symsim.language.expression_text import expression_text
from symsim.language.parser import parse_expression

LINES = (
    "memory.peak <= 0.95 * memory.capacity",
    "max(tp, pp) * 2 <= 16 and not (cp > 4)",
    "peak <= 60 GiB",
    "tp in {1, 2, 4}",
    "1.5 if pp > 4 else -tp ** 2",
    "tp",
    "8",
    "network.bandwidth >= 12.5 GB/s or time.iteration < 1/3 * 2 s",
    "mbs in 1..8",
)


def parsed(text: str) -> Any:
    return parse_expression(Source("<x>", text))


def meaning(node: Any) -> Any:
    """The tree without its places."""
    if is_dataclass(node) and not isinstance(node, Place):
        return (type(node).__name__, *(meaning(getattr(node, f.name)) for f in fields(node) if f.name != "place"))
    return tuple(map(meaning, node)) if isinstance(node, tuple) else node


@pytest.mark.parametrize("text", LINES)
def test_one_line_is_as_it_stands(text: str) -> None:
    assert expression_text(parsed(text)) == text


@pytest.mark.parametrize("text", LINES[:5] + LINES[7:])
def test_several_lines_become_one_that_reads_alike(text: str) -> None:
    """Inside brackets a line may end behind any word."""
    node = parsed("(" + text.replace(" ", "\n  ").replace("GiB", "GiB") + ")")
    line = expression_text(node)
    assert "\n" not in line
    assert meaning(parsed(line)) == meaning(node) == meaning(parsed(text))
