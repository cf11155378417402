"""Layers as repeating patterns: every cut gives the layers back, and regular orders are one pattern."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.compiler.layer_patterns import Stretch, stretches

KINDS = {letter: object() for letter in "abcd"}


def cut(word: str) -> list[Stretch]:
    return stretches([KINDS[letter] for letter in word])


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("aaaa", [Stretch(0, 1, 4)]),
        ("abab", [Stretch(0, 2, 2)]),
        ("aaabbb", [Stretch(0, 1, 3), Stretch(3, 1, 3)]),
        ("aabaabaa", [Stretch(0, 3, 2), Stretch(6, 1, 2)]),
        ("abc", [Stretch(0, 3, 1)]),
        ("", []),
    ],
)
def test_order_becomes_patterns(word: str, parts: list[Stretch]) -> None:
    assert cut(word) == parts


@given(st.text("abcd", max_size=30))
def test_patterns_give_the_order_back(word: str) -> None:
    assert "".join(word[s.start : s.start + s.period] * s.turns for s in cut(word)) == word
