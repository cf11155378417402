"""The first line of an answer, from its document."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis import verdicts

GIB = 2**30
MEMORY = {
    "peak_bytes": 60 * GIB,
    "peak_stage": 0,
    "device_bytes": 64 * GIB,
    "capacity_bytes": 80 * GIB,
    "fits": True,
    "fit": "device",
    "near_limit": False,
    "error_pct": 4.2,
}


@pytest.mark.parametrize(("other", "said"), [
    ({}, "Fits: peak 60.00 GiB of 80.00 GiB on stage 0 (device 64.00 GiB ± 4 %)."),
    ({"near_limit": True},
     "Fits, but near the limit: peak 60.00 GiB of 80.00 GiB on stage 0 (device 64.00 GiB ± 4 %)."),
    ({"fits": False}, "Does not fit: the device needs 64.00 GiB ± 4 % of 80.00 GiB on stage 0 (peak 60.00 GiB)."),
    ({"fits": False, "fit": "peak"}, "Does not fit: the peak needs 60.00 GiB ± 4 % of 80.00 GiB on stage 0."),
    ({"fits": None, "fit": "none"},
     "Not asked to fit: peak 60.00 GiB of 80.00 GiB on stage 0 (device 64.00 GiB ± 4 %)."),
    ({"capacity_bytes": None, "fits": None, "error_pct": None}, "The peak is 60.00 GiB, on stage 0."),
])  # fmt: skip
def test_memory_in_a_sentence(other: dict[str, Any], said: str) -> None:
    assert verdicts.of_plan({**MEMORY, **other}) == said


def test_the_step_and_what_is_required_follow() -> None:
    said = verdicts.of_plan(MEMORY, {"iteration_s": 9.31, "error_pct": 4.0}, ("tp <= 4",))
    assert said.endswith(" One step takes 9.31 s ± 4 %. A requirement is broken: tp <= 4.")


def side(iteration_s: float | None, peak: int, fits: bool | None, near: bool = False) -> dict[str, Any]:
    return {"iteration_s": iteration_s, "peak_bytes": peak * GIB, "fits": fits, "near_limit": near}


@pytest.mark.parametrize(("a", "b", "said"), [
    (side(4.0, 10, True), side(3.0, 20, False),
     "B is faster by 25.0%: 3 s against 4 s a step. B's peak is higher: 20.00 GiB against 10.00 GiB. "
     "A fits, B does not."),
    (side(2.0, 10, True), side(2.0, 10, True, near=True),
     "A and B take the same time: 2 s a step. Both have the same peak, 10.00 GiB. Both fit, B near the limit."),
    (side(None, 10, None), side(None, 5, None), "B's peak is lower: 5.00 GiB against 10.00 GiB."),
    (side(1.0, 90, False), side(2.0, 95, False),
     "A is faster by 50.0%: 1 s against 2 s a step. B's peak is higher: 95.00 GiB against 90.00 GiB. Neither fits."),
])  # fmt: skip
def test_two_plans_in_a_sentence(a: dict[str, Any], b: dict[str, Any], said: str) -> None:
    assert verdicts.of_comparison((a, b)) == said


def test_the_least_error_has_a_decimal() -> None:
    assert [verdicts.per_cent(p) for p in (0.5, 4.2, 23.4)] == ["0.5 %", "4 %", "23 %"]
