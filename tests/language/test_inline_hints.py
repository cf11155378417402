"""Choices in another notation: what to type."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError
from symsim.language.inline_hints import retyped
from symsim.language.strategies import load_strategy


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("tp:1", "tp=1"),
        ("tp:8,pp:4", "tp=8,pp=4"),
        ("tp=8 pp=4 world=32", "tp=8,pp=4,world=32"),
        ("tp = 8; pp = 4", "tp=8,pp=4"),
        ("tp 8, pp 4", "tp=8,pp=4"),
        ("--tp 8 --pp 4", "tp=8,pp=4"),
        ("tp8,pp4", "tp=8,pp=4"),
        ("tp: {1, 2} pp=4", "tp={1, 2},pp=4"),
        ("recompute:{core_attn, mlp}", "recompute={core_attn, mlp}"),
        ("tp in {1, 2} pp=4", "tp in {1, 2},pp=4"),
        ("overlap_grad_reduce:true", "overlap_grad_reduce=true"),
    ],
)
def test_what_is_meant_is_said(text: str, meant: str) -> None:
    assert retyped(text) == meant


@pytest.mark.parametrize("text", ["my plan", "tp8_pp4", "tp=8,", "=8", "", "tp", "hidden:4096", "tp=8)", "x" * 5000])
def test_what_cannot_be_told_is_not_guessed(text: str) -> None:
    assert retyped(text) in (None, text.rstrip(","))


@pytest.mark.parametrize("text", ["tp:1,world:8", "tp=8 pp=4 world=32", "tp 8,pp 4", "tp8,world8"])
def test_the_hint_can_be_pasted(text: str) -> None:
    with pytest.raises(InputError) as caught:
        load_strategy(text)
    hint = caught.value.diagnostics[0].hint
    assert hint is not None
    assert hint == f"choices are NAME=VALUE with commas: -s {retyped(text)}"
    assert load_strategy(str(retyped(text))).values["tp"] in (1, 8)


@pytest.mark.parametrize(
    ("setting", "hint"),
    [("tp:8", "write --set tp=8"), ("tp 8", "write --set tp=8"), ("tp=8,pp=4", "write --set tp=8 --set pp=4")],
)
def test_a_setting_says_what_to_type(setting: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        load_strategy("world=8", (setting,))
    assert caught.value.diagnostics[0].hint == hint
