"""How far a peak may be off: from the nearest measured peaks, wider where nothing comparable was measured."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.fitting.memory_cases import coverage, learned_widening
from symsim.analysis.fitting.memory_error import (
    FACTOR,
    SIZES,
    SMALLEST_PCT,
    WORDS,
    MeasuredPeak,
    Traits,
    error_near,
    peak_error,
    shipped,
    traits_of,
    widening,
)
from symsim.loading.question import question

PLAN = "world=8,tp=2,pp=2,mbs=1,gbs=16,seq=4096"
HERE = Traits(("megatron", "stated", "bf16", "none", "dense", "1"), (3.0, *(0.0 for _ in SIZES[1:])))


def peak(error_pct: float, traits: Traits = HERE) -> MeasuredPeak:
    return MeasuredPeak("a", "one", error_pct, traits)


def with_word(name: str, word: str) -> Traits:
    words = dict(zip(WORDS, HERE.words, strict=True)) | {name: word}
    return replace(HERE, words=tuple(words.values()))


def pct(traits: Traits, peaks: list[MeasuredPeak], **wider: float) -> float:
    found = error_near(traits, peaks, wider)
    assert found is not None
    return found.pct


def test_two_thirds_of_the_nearest_errors_are_within() -> None:
    """One row that its source got wrong does not decide it."""
    assert pct(HERE, [peak(e) for e in (1, -2, 2, 30)]) == 2


def test_two_releases_of_one_software_differ_by_more_than_the_best_predictions() -> None:
    assert pct(HERE, [peak(0.01)]) == SMALLEST_PCT


def test_a_word_that_was_never_measured_widens_and_is_named() -> None:
    found = error_near(with_word("framework", "fsdp"), [peak(3)], {"framework": 4})
    assert found is not None
    assert (found.pct, dict(found.unmeasured)) == (5, {"framework": "fsdp"})


def test_sizes_far_away_widen_and_replicas_do_not() -> None:
    far = replace(HERE, sizes=(3.0, 6.0, *HERE.sizes[2:]))
    assert pct(far, [peak(3)]) == pytest.approx(3 * 2**0.5)
    assert pct(replace(HERE, sizes=(9.0, *HERE.sizes[1:])), [peak(3)]) == 3


def test_peaks_of_another_framework_count_only_where_there_are_none_of_its_own() -> None:
    others = [peak(20, with_word("framework", "nanotron")) for _ in range(8)]
    assert pct(replace(HERE, sizes=(3.0, 4.0, *HERE.sizes[2:])), [*others, peak(1)]) < 2


def test_the_factor_multiplies_every_error() -> None:
    assert pct(HERE, [peak(3)], **{FACTOR: 1.5}) == 4.5


def test_where_nothing_was_measured_there_is_no_error() -> None:
    assert error_near(HERE, [], {}) is None


def test_shipped_errors_hold_sets_that_are_left_out() -> None:
    one, two = coverage(shipped(), widening())
    assert 0.68 <= one <= 0.85
    assert two >= 0.92


def test_what_is_learned_is_what_is_shipped() -> None:
    assert {name: value for name, (value, _) in learned_widening(shipped()).items()} == dict(widening())


def test_a_plan_without_its_te_version_is_less_certain() -> None:
    asked = [question("llama3_8b", PLAN, None, s) for s in ((), ("te_version=2.11.0",))]
    without, stated = (peak_error(a) for a in asked)
    assert without is not None and stated is not None
    assert without.pct > 2 * stated.pct == 2 * SMALLEST_PCT


def test_an_answer_says_what_was_never_measured() -> None:
    asked = question("llama3_8b", PLAN, "h100_sxm", ("framework=fsdp", "zero=3"))
    machine = machine_of(asked)
    memory = document(asked, answer(asked.model, asked.plan, machine), machine)["memory"]
    assert "framework = fsdp" in memory["unmeasured"]
    assert memory["error_pct"] > 3 and len(memory["nearest_peaks"]) == 3


@pytest.mark.parametrize(("share", "near", "fits"), [(0.9, False, False), (0.995, True, False), (1.005, True, True)])
def test_a_plan_within_the_error_of_the_limit_is_marked(share: float, near: bool, fits: bool) -> None:
    asked = question("llama3_8b", PLAN, "h100_sxm")
    device = answer(asked.model, asked.plan, machine_of(asked)).values["memory.device"]
    asked = question("llama3_8b", PLAN, "h100_sxm", (f"memory.capacity={round(share * device)} B",))
    machine = machine_of(asked)
    result = document(asked, answer(asked.model, asked.plan, machine), machine)
    assert (result["memory"]["near_limit"], result["memory"]["fits"]) == (near, fits)
    assert ("near the limit" in result["verdict"]) is near


@pytest.mark.parametrize(("stages", "layers"), [(1, 32), (4, 8), (3, 11)])
def test_a_plan_is_near_by_the_layers_of_a_stage_rounded_up(stages: int, layers: int) -> None:
    traits = traits_of(question("llama3_8b", f"world={8 * stages},pp={stages},gbs=96,seq=4096", "h100_sxm"))
    sizes = dict(zip(SIZES, traits.sizes, strict=True))
    assert (sizes["pp"], sizes["stage_layers"]) == (math.log2(stages), math.log2(layers))
