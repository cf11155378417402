"""Layouts in Megatron's letters: what each means was asked of Megatron-Core 0.16.1's PipelineParallelLayerLayout."""

from __future__ import annotations

import pytest

from symsim.diagnostics import InputError
from symsim.language.layout import parse_layout

READ = {
    "Et*3|(tt|)*2,m|L": ([3, 2, 2, 0, 0], 1, 3),
    "Et,*2|t*1,0L": ([2, 10], 0, 1),
    "Et|(t|t*2)*3L": ([1, 1, 3, 3, 2], 0, 4),
    "E(|t)*2*3L": ([0, 1, 3], 0, 2),
    "E(t*2|)*3L": ([2, 2, 2, 0], 0, 3),
    "Ett|*2L": ([2, 0, 0], 0, 2),
    "Et|*0tL": ([2], 0, 0),
    "Et|t*0L": ([1, 0], 0, 1),
    "E(tt|)*0tL": ([1], 0, 0),
    "|Ett|tL|": ([0, 2, 1, 0], 0, 3),
    "Etmm|L": ([1, 0], 2, 0),
    "Et|mmL": ([1, 0], 2, 1),
    "Et*0(t)*2L": ([2], 0, 0),
}

REFUSED = ["", "t*8L", "Et*8", "EtLt", "tEtL", "EEtL", "EtLL", "Etm|tL", "Etm|mL", "()*3EtL", "(EtL", "E(t)L",
           "Et*L", "Et)L", "E((t)*2|)*3L", "Et*-1L", "E t|L", "Et*2*3L", "etL"]  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_a_layout_means_what_it_means_to_megatron(text: str) -> None:
    found = parse_layout(text)
    assert (list(found.layers), found.multi_token, found.multi_token_stage) == READ[text]


@pytest.mark.parametrize("text", REFUSED)
def test_what_megatron_refuses_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        parse_layout(text)


@pytest.mark.parametrize(
    "text", ["E(" + "t|" * 1000 + ")*999999999L", "E" + "(t)*99999" * 400 + "L", "Et" + "*9" * 2000]
)
def test_repeats_of_repeats_take_little_time(text: str) -> None:
    with pytest.raises(InputError):
        parse_layout(text)
