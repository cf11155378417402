"""Counts with a prefix: ``10T`` tokens, ``8Ki`` of a sequence, and what ``8k`` may have meant."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError
from symsim.language.strategies import load_strategy
from symsim.loading.question import question
from symsim.units import UNITS


@pytest.mark.parametrize(
    ("text", "number"),
    [
        *(("8k", 8000), ("8K", 8000), ("4M", 4_000_000), ("10T", 10**13), ("1.5T", 15 * 10**11), ("2 G", 2 * 10**9)),
        *(("8Ki", 8192), ("1Mi", 2**20), ("1Gi", 2**30), ("3P", 3 * 10**15)),
    ],
)
def test_a_prefix_alone_makes_a_count(text: str, number: int) -> None:
    assert load_strategy(f"tokens={text}").values["tokens"] == number
    assert load_strategy(None, (f"tokens={text}",)).values["tokens"] == number


def test_counts_stand_wherever_sizes_do() -> None:
    found = question("llama(hidden=4Ki, layers=8, heads=32, ffn=8Ki, vocab=128k)", "world=1k,gbs=1k,seq=8Ki", None)
    assert found.model.dimensions["vocab"] == 128_000
    assert found.plan.sizes["seq"] == 8192 and found.plan.sizes["world"] == 1000


def test_a_count_that_is_not_whole_is_refused() -> None:
    with pytest.raises(InputError, match="'gbs' must be a whole number"):
        load_strategy("gbs=0.0001k")


@pytest.mark.parametrize(
    ("text", "note"),
    [("8k", "seq = 8k is 8000; 8Ki is 8192"), ("1M", "seq = 1M is 1000000; 1Mi is 1048576")],
)
def test_a_decimal_sequence_is_taken_as_it_is_written_and_noted(text: str, note: str) -> None:
    found = load_strategy(f"world=8,seq={text}")
    assert found.notes == (note,)
    assert load_strategy(None, (f"seq={text}",)).notes == (note,)


def test_a_sequence_without_a_decimal_prefix_has_no_note() -> None:
    assert load_strategy("world=8,seq=8Ki").notes == ()
    assert load_strategy("world=8k,seq=8000").notes == ()


def test_a_setting_takes_the_note_of_what_it_replaces_with_it() -> None:
    assert load_strategy("world=8,seq=8k", ("seq=8Ki",)).notes == ()


def test_billions_are_not_bytes() -> None:
    with pytest.raises(InputError) as caught:
        load_strategy("tokens=10B")
    assert caught.value.diagnostics[0].hint == "B is bytes; ten billion are 10G"


def test_days_and_hours_are_seconds() -> None:
    assert UNITS["days"] == (86_400, "s") and UNITS["hours"] == (3600, "s") and UNITS["h"] == (3600, "s")


def test_watt_hours_are_joules() -> None:
    assert UNITS["MWh"] == (3_600_000_000, "J")


@pytest.mark.parametrize("value", ["0", "-1", "1.5"])
def test_tokens_are_a_whole_positive_number(value: str) -> None:
    with pytest.raises(InputError):
        load_strategy(f"tokens={value}")
