"""Sets that leave out what other choices need are told, with what to add."""

from __future__ import annotations

import pytest

from symsim.analysis.searching.contradictions import notes
from symsim.analysis.searching.no_legal_point import advice
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space
from symsim.diagnostics import InputError

PLAN = "world=8,gbs=64,seq=8192,"


def of(sets: str) -> list[str]:
    return notes(load_space("llama3_8b", PLAN + sets, "h100_sxm"))


def test_layers_of_full_recomputation_without_none() -> None:
    (said,) = of("tp in {2,4},recompute in {none,full},recompute_layers in {1,2}")
    assert said == (
        "recompute = none contradicts every value of recompute_layers, and no plan has it: "
        "add none to the set of recompute_layers"
    )


def test_chunks_without_one() -> None:
    (said,) = of("pp=2,vp in {2,4},schedule in {1f1b,gpipe,zb_h1}")
    assert said.startswith("schedule = gpipe or zb_h1 contradicts every value of vp")
    assert said.endswith("add 1 to the set of vp")


@pytest.mark.parametrize(
    "sets",
    [
        "tp in {2,4},recompute in {none,full},recompute_layers in {none,1,2}",
        "pp=2,vp in {1,2},schedule in {1f1b,gpipe}",
        "tp in {2,4}",
        "recompute in {none,full},zero in {1,2},precision in {bf16,fp8}",
    ],
)
def test_nothing_is_said_of_sets_that_agree(sets: str) -> None:
    assert of(sets) == []


def test_what_a_note_says_helps() -> None:
    before = search(load_space("llama3_8b", PLAN + "recompute in {none,full},recompute_layers in {1,2}", "h100_sxm"))
    after = search(
        load_space("llama3_8b", PLAN + "recompute in {none,full},recompute_layers in {none,1,2}", "h100_sxm")
    )
    assert {p.choices["recompute"] for p in before.plans} <= {"full"}
    assert after.legal > before.legal


def test_contradictions_count_as_removed() -> None:
    found = search(load_space("llama3_8b", PLAN + "recompute in {none,full},recompute_layers in {1,2}", "h100_sxm"))
    (text,) = found.contradictions
    assert found.removed[text] == 2
    assert found.points == found.legal + 2


def test_a_space_of_contradictions_alone_is_refused_where_they_are_written() -> None:
    with pytest.raises(InputError) as raised:
        search(load_space("llama3_8b", PLAN + "recompute_layers in {1,2}", "h100_sxm"))
    assert raised.value.diagnostics[0].code == "E324"


def test_no_legal_point_is_told_with_values_that_are_legal() -> None:
    found = search(load_space("llama3_8b", "world=1000,gbs=64,seq=8192,tp in {3,7}", "h100_sxm"))
    assert (found.legal, found.feasible) == (0, 0)
    assert any("tensor parallelism" in text and "; tp = 4 or 8" in text for text in advice(found))


def test_a_search_with_legal_points_needs_no_advice() -> None:
    assert advice(search(load_space("llama3_8b", PLAN + "tp in {2,3}", "h100_sxm"))) == []


def test_a_set_of_many_sizes_is_as_good_as_one_of_few() -> None:
    """All sizes but the default settle alike: only two are tried, so that the set may be of any length."""
    found = of("recompute in {none,full},recompute_layers in 1..2000")
    assert found == of("recompute in {none,full},recompute_layers in 1..2")
    assert "add none to the set of recompute_layers" in found[0]
