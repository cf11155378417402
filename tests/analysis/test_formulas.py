"""Which formulas are shown: those of the parts that were asked for, and all that these are made of."""

from __future__ import annotations

from functools import cache

import pytest

from symsim.analysis.formulas import DEPTHS, SHOWN, formulas
from symsim.loading.question import question
from symsim.records.cost import RUN_PARTS, Definition

PARTS = tuple(part for part in SHOWN if part not in ("run", "all"))
PLAN = "world=16,tp=2,pp=2,gbs=64,seq=4096"
RUN = f"{PLAN},tokens=1T"


@cache
def shown(show: str, per: str | None = None, plan: str = PLAN, whole: bool = True) -> dict[str, Definition]:
    found = formulas(question("llama3_8b", plan, "h100_sxm"), show, per, whole=whole)
    return {d.name: d for d in found}


def test_all_is_every_part_and_a_run_where_its_tokens_are_known() -> None:
    assert all(shown(part, "stage").keys() <= shown("all", "stage").keys() for part in PARTS)
    assert not any(d.part in RUN_PARTS for d in shown("all", "stage").values())
    of_run = {n for n, d in shown("run", "stage", RUN).items() if d.part in RUN_PARTS}
    assert of_run and of_run <= shown("all", "stage", RUN).keys()


@pytest.mark.parametrize("part", PARTS)
def test_what_a_formula_is_made_of_is_shown_with_it(part: str) -> None:
    everything = shown("all", "operator")
    found = shown(part, "operator")
    made_of = {str(s) for d in found.values() for s in d.expression.free_symbols}
    assert made_of & everything.keys() <= found.keys()


@pytest.mark.parametrize("per", DEPTHS[:3])
def test_a_depth_names_what_the_next_one_opens_up(per: str) -> None:
    names = shown("time", per, whole=False)
    assert not any(d.part == "time.operator" for d in names.values())
    assert any(d.part == "time.operator" for d in shown("time", "operator", whole=False).values())
