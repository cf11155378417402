"""The time of every schedule by its closed form, beside a run of all its passes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.properties.pipeline_times import Form, alike, drawn, simulated

pytestmark = pytest.mark.slow

EXACT = 1e-9
"""Relative difference between a closed form that claims exactness and a run."""

SIZES = [(1, 1), (1, 5), (2, 1), (2, 3), (3, 2), (3, 8), (4, 3), (4, 4), (4, 5), (4, 13), (5, 2), (6, 7), (8, 20)]
"""Ranks, and micro-batches: fewer, as many, and more."""

INTERLEAVINGS = [(2, 2, 2, 2), (2, 2, 2, 8), (3, 2, 3, 3), (3, 2, 3, 6), (4, 2, 4, 8), (4, 3, 4, 12), (8, 2, 8, 16)]
"""Ranks, chunks, the size of a group, micro-batches."""

GROUPED = [(4, 2, 5, 14), (3, 2, 9, 9), (4, 2, 8, 16), (2, 3, 3, 8)]


def off(form: Any, ran: Any) -> Any:
    return form / ran - 1


def exact(form: Any, ran: Any) -> bool:
    return bool(np.abs(off(form, ran)).max() < EXACT)


@pytest.mark.parametrize(("blocking", "hop"), [(False, 0.0), (True, 0.0), (True, 0.05), (True, 2.0)])
def test_1f1b_of_any_stages_is_exact_where_messages_block_or_take_no_time(blocking: bool, hop: float) -> None:
    form = Form("1f1b", blocking)
    for p, m in SIZES:
        profiles = drawn(p, 100 * p + m, hop=hop)
        ran, _ = simulated("1f1b", profiles, m, blocking)
        assert exact(form.time(profiles, m), ran), (p, m)


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("hop", [0.0, 0.3])
def test_gpipe_of_any_stages_is_exact(blocking: bool, hop: float) -> None:
    form = Form("gpipe", blocking)
    for p, m in SIZES:
        profiles = drawn(p, 100 * p + m, hop=hop)
        ran, _ = simulated("gpipe", profiles, m, blocking)
        assert exact(form.time(profiles, m), ran), (p, m)


@pytest.mark.parametrize("hop", [0.05, 1.0])
def test_overlapped_1f1b_is_exact_for_equal_stages(hop: float) -> None:
    form = Form("1f1b", blocking=False)
    for p, m in SIZES:
        profiles = alike(p, 100 * p + m, hop)
        ran, _ = simulated("1f1b", profiles, m, blocking=False)
        assert exact(form.time(profiles, m), ran), (p, m)


@pytest.mark.parametrize("hop", [0.05, 1.0])
def test_overlapped_1f1b_is_between_its_form_and_that_of_blocking_messages(hop: float) -> None:
    form, blocks = Form("1f1b", blocking=False), Form("1f1b", blocking=True)
    for p, m in SIZES:
        profiles = drawn(p, 100 * p + m, hop=hop)
        ran, _ = simulated("1f1b", profiles, m, blocking=False)
        assert off(form.time(profiles, m), ran).max() < EXACT, (p, m)
        assert off(blocks.time(profiles, m), ran).min() > -EXACT, (p, m)


@pytest.mark.parametrize(("blocking", "hop"), [(False, 0.0), (True, 0.05), (True, 2.0)])
def test_interleaving_of_equal_ranks_is_exact(blocking: bool, hop: float) -> None:
    for p, v, group, m in (*INTERLEAVINGS, *GROUPED):
        profiles = alike(p, 100 * p + m, hop)
        ran, _ = simulated("interleaved", profiles, m, blocking, v, group)
        assert exact(Form("interleaved", blocking, v, group).time(profiles, m), ran), (p, v, group, m)


@pytest.mark.parametrize("blocking", [False, True])
@pytest.mark.parametrize("hidden", [0.0, 0.25, 0.5])
def test_pairs_of_passes_of_equal_ranks_are_exact_where_messages_take_no_time(blocking: bool, hidden: float) -> None:
    """A pass that is alone takes longer. What a pair hides is at most what the shorter of its passes takes alone."""
    for p, v, group, m in ((1, 1, 1, 1), (1, 1, 1, 6), *INTERLEAVINGS, *GROUPED):
        schedule = "interleaved" if v > 1 else "1f1b"
        profiles = alike(p, 100 * p + m)
        profiles = replace(profiles, backward=[2 * f for f in profiles.forward])
        ran, _ = simulated(schedule, profiles, m, blocking, v, group, hidden)
        form = Form(schedule, blocking, v, group if v > 1 else None, hidden)
        assert exact(form.time(profiles, m), ran), (p, v, group, m)


def test_interleaving_of_equal_ranks_is_exact_where_short_messages_overlap() -> None:
    """In whole groups of p, no message longer than a pass."""
    for p, v, group, m in INTERLEAVINGS:
        profiles = alike(p, 100 * p + m, hop=1.0)
        shortest = np.minimum(profiles.forward[0], profiles.backward[0]) / v
        profiles = replace(profiles, hop=profiles.hop * shortest)
        ran, _ = simulated("interleaved", profiles, m, False, v, group)
        assert exact(Form("interleaved", False, v).time(profiles, m), ran), (p, v, group, m)


@pytest.mark.parametrize(("blocking", "hop"), [(False, 0.0), (False, 0.3), (True, 0.05), (True, 0.3)])
@pytest.mark.parametrize("spread", [0.1, 1.0])
def test_interleaving_is_between_its_form_and_that_of_the_longest_rank(
    blocking: bool, hop: float, spread: float
) -> None:
    for p, v, group, m in (*INTERLEAVINGS, *GROUPED):
        profiles = drawn(p, 100 * p + m, spread, hop)
        form = Form("interleaved", blocking, v, group)
        ran, _ = simulated("interleaved", profiles, m, blocking, v, group)
        assert off(form.time(profiles, m), ran).max() < EXACT, (p, v, group, m)
        if blocking or hop == 0:
            assert off(form.time(profiles.largest(), m), ran).min() > -EXACT, (p, v, group, m)


def test_interleaving_without_messages_is_mostly_exact_and_little_too_fast_else() -> None:
    """Ranks that differ by up to 10 %."""
    for p, v, group, m in (*INTERLEAVINGS, *GROUPED):
        profiles = drawn(p, 100 * p + m, 0.1)
        ran, _ = simulated("interleaved", profiles, m, False, v, group)
        found = off(Form("interleaved", False, v, group).time(profiles, m), ran)
        assert found.min() > -0.035, (p, v, group, m)
        assert np.mean(np.abs(found) < EXACT) > 0.6, (p, v, group, m)


@pytest.mark.parametrize("schedule", ["zb_h1", "zb_h2"])
def test_weight_gradients_fill_the_bubble_of_equal_stages(schedule: str) -> None:
    form = Form(schedule, blocking=False)
    for p, m in SIZES:
        profiles = alike(p, 100 * p + m)
        _, ran = simulated(schedule, profiles, m, blocking=False)
        assert exact(form.time(profiles, m), ran), (p, m)


def test_zb_v_of_equal_stages() -> None:
    """Exact for one micro-batch, and for 2p − 1 and more where B is not shorter than F; else not below."""
    form = Form("zb_v", blocking=False, vp=2)
    for p, m in SIZES:
        profiles = alike(p, 100 * p + m)
        _, ran = simulated("zb_v", profiles, m, blocking=False)
        found = off(form.time(profiles, m), ran)
        assert found.min() > -EXACT, (p, m)
        if m == 1 or m >= 2 * p - 1:
            longer = profiles.backward[0] - profiles.weights[0] >= profiles.forward[0]
            assert np.abs(found[longer]).max() < EXACT, (p, m)


@pytest.mark.parametrize("schedule", ["zb_h1", "zb_h2", "zb_v"])
@pytest.mark.parametrize("spread", [0.1, 0.3])
def test_unequal_stages_that_run_weight_gradients_late(schedule: str, spread: float) -> None:
    """Between m·max t and the form of the longest stage where that is exact; the estimate within a few per cent."""
    form = Form(schedule, blocking=False, vp=2 if schedule == "zb_v" else 1)
    for p, m in [(2, 4), (3, 7), (4, 8), (4, 16), (6, 12), (8, 16)]:
        profiles = drawn(p, 100 * p + m, spread)
        _, ran = simulated(schedule, profiles, m, blocking=False)
        whole = [f + b for f, b in zip(profiles.forward, profiles.backward, strict=True)]
        assert off(m * np.max(whole, axis=0), ran).max() < EXACT, (p, m)
        longest = profiles.largest()
        forward, weights = longest.forward[0], longest.weights[0]
        inputs = longest.backward[0] - weights
        holds = (weights <= np.minimum(forward, inputs)) & ((inputs >= forward) | (schedule != "zb_v"))
        assert off(form.time(longest, m), ran)[holds].min() > -EXACT, (p, m)
        found = off(form.time(profiles, m), ran)
        assert np.abs(found).max() < (0.07 if spread == 0.1 else 0.13), (p, m)
        assert np.abs(np.mean(found)) < 0.02, (p, m)


@pytest.mark.parametrize("p", [2, 4, 8])
def test_dualpipe_of_equal_stages_is_not_faster_than_published(p: int) -> None:
    """A forward and a backward pass at once take as long as one after the other; F is at most twice B without W."""
    form = Form("dualpipe", blocking=False)
    for m in (2 * p, 4 * p):
        profiles = alike(p, 100 * p + m)
        _, ran = simulated("dualpipe", profiles, m, blocking=False)
        usual = profiles.forward[0] <= 2 * (profiles.backward[0] - profiles.weights[0])
        assert off(form.time(profiles, m), ran)[usual].min() > -EXACT, m


@pytest.mark.parametrize("schedule", ["1f1b", "interleaved", "gpipe", "zb_h1", "zb_v", "dualpipe"])
@pytest.mark.parametrize("blocking", [False, True])
def test_arrays_and_numbers_give_the_same_time(schedule: str, blocking: bool) -> None:
    vp = {"interleaved": 2, "zb_v": 2}.get(schedule, 1)
    form = Form(schedule, blocking, vp)
    for p, m in [(2, 4), (4, 8)]:
        profiles = drawn(p, p + m, hop=0.1)
        times = form.time(profiles, m)
        for one in range(0, 2000, 400):
            assert form.number(profiles, m, one) == pytest.approx(times[one], rel=1e-12)


@pytest.mark.parametrize(
    ("schedule", "vp"),
    [("1f1b", 1), ("gpipe", 1), ("interleaved", 2), ("zb_h1", 1), ("zb_h2", 1), ("zb_v", 2), ("dualpipe", 1)],
)
@pytest.mark.parametrize("blocking", [False, True])
def test_a_bubble_is_never_negative(schedule: str, vp: int, blocking: bool) -> None:
    """A search leaves it out of its bounds."""
    form = Form(schedule, blocking, vp)
    for p, m in SIZES:
        for spread, hop in ((0.1, 0.0), (1.0, 0.3)):
            profiles = drawn(p, 100 * p + m, spread, hop)
            assert (form.bubble(profiles, m) / form.time(profiles, m)).min() > -EXACT, (p, m)
