"""Facts of a framework that were fitted to measured steps: each has the value that it had before."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import evaluator
from symsim.analysis.fitting.constants import facts_as_stated
from symsim.loading.question import question
from symsim.records.strategy import CHOICES


@pytest.mark.parametrize("framework", CHOICES["framework"].words)
def test_facts_that_were_fitted_are_figures_of_the_formulas_with_other_values(framework: str) -> None:
    asked = question("llama3_8b", f"world=8,gbs=64,seq=4096,framework={framework}", "h100_sxm")
    figures = evaluator(asked.model, asked.plan.structure).program.figures
    stated = facts_as_stated(framework)
    assert stated.keys() <= figures.keys()
    assert all(stated[name] != figures[name] for name in stated)


def test_facts_that_nobody_fitted_are_left_out() -> None:
    assert facts_as_stated("megatron") == {}
    assert facts_as_stated("nanotron")
