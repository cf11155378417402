"""Pairs of measured runs: what their errors share is found again, and each pair is of one model, machine and set."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from symsim.analysis.fitting.error_bar import Known
from symsim.analysis.fitting.faster_of_two import REPEATED_PCT
from symsim.analysis.fitting.pairs import PARTING, SHARED, Pair, learn_shared, pairs_of
from symsim.analysis.fitting.plan_traits import DIFFERENCES, Traits, traits_of
from symsim.analysis.fitting.widening import Held
from symsim.loading.question import question


def traits(settings: str = "") -> Traits:
    return traits_of(question("llama3_8b", f"world=8,gbs=64,seq=4096{settings}", "h100_sxm"))


def held(of: Traits, error_pct: float, bar_pct: float = 10.0, gpu_us: float = 100.0, model: str = "llama") -> Held:
    return Held(Known("", "set", "", 0.0, of, {}, model=model, gpu_us_per_token=gpu_us), bar_pct, error_pct)


@pytest.mark.parametrize(("shared", "parting"), [(0.9, 1.0), (0.5, 3.0)])
def test_what_pairs_share_is_found_again(shared: float, parting: float) -> None:
    """Errors of pairs whose plans are nearer are closer; the ratios are of Student's distribution."""
    draw = np.random.default_rng(1)
    one = held(traits(), 0.0)
    pairs = []
    for _ in range(20_000):
        a, b, far = draw.uniform(5, 20), draw.uniform(5, 20), draw.uniform(0, 3)
        square = a**2 + b**2 - 2 * shared * math.exp(-far / parting) * a * b + 2 * REPEATED_PCT**2
        off = math.sqrt(square) * draw.standard_t(4)
        pairs.append(Pair(replace(one, bar_pct=a), replace(one, bar_pct=b), far, off, 0.0, 1.0))
    found = learn_shared(pairs)
    assert abs(SHARED.index(found[0]) - SHARED.index(shared)) <= 1
    assert abs(PARTING.index(found[1]) - PARTING.index(parting)) <= 1


def test_a_pair_is_off_by_the_ratio_of_both_errors() -> None:
    (pair,) = pairs_of([held(traits(), 21.0, gpu_us=200), held(traits(",tp=2"), 10.0)], [1.0] * len(DIFFERENCES))
    assert pair.off_pct == pytest.approx(100 * math.log(1.1))
    assert pair.predicted_pct == pytest.approx(100 * math.log(2))
    assert pair.weight == 1


def test_pairs_are_of_one_model_and_of_plans_that_differ() -> None:
    plans = [traits(), traits(), traits(",tp=2"), traits(",tp=4")]
    runs = [*(held(t, 1.0) for t in plans), held(traits(",tp=8"), 1.0, model="other")]
    found = pairs_of(runs, [1.0] * len(DIFFERENCES))
    assert len(found) == 5
    assert {p.weight for p in found} == {1 / math.sqrt(5)}
