"""A requirement means in ``eval`` and ``explain`` what it means in a search."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.explaining.constraints import constraints
from symsim.analysis.load import question
from symsim.analysis.requirements import unmet
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space
from symsim.diagnostics import InputError

PLAN = "world=32,tp=8,pp=4,mbs=1,gbs=128,seq=8192"


@pytest.mark.parametrize(
    "text",
    [
        "peak <= 60 GiB",
        "peak <= 40 GiB",
        "mfu > 0.3",
        "microbatches >= 129",
        "nvlink.bandwidth >= 500 GB/s",
        "tp <= gpus_per_node and layers / pp == 20",
        "schedule == gpipe or recompute == none",
        "max_stages(F) > 2 * sum_stages(F) / pp",
    ],
)
def test_one_plan_and_a_space_of_one_plan_agree(text: str) -> None:
    strategy = f"{PLAN},require {text}"
    asked = question("llama3_70b", strategy, "h100_sxm")
    feasible = search(load_space("llama3_70b", strategy, "h100_sxm"), 1).feasible
    assert (unmet(asked) == []) is (feasible == 1)
    found = answer(asked.model, asked.plan, machine_of(asked))
    own = [c for c in constraints(asked, found) if c.of == "strategy"]
    assert all(c.holds for c in own) is (feasible == 1)


def test_what_asks_about_a_machine_is_left_out_without_one() -> None:
    strategy = f"{PLAN},require mfu > 0.99,require memory.capacity > 1 TiB,require tp == 1"
    assert unmet(question("llama3_70b", strategy, None)) == ["tp == 1"]


def test_a_number_is_no_requirement() -> None:
    with pytest.raises(InputError, match="expected a condition"):
        unmet(question("llama3_70b", f"{PLAN},require memory.peak", None))
