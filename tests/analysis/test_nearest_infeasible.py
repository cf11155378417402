"""Where nothing is feasible: the plan that misses by least, and changes that fix it."""

from __future__ import annotations

from functools import cache

import pytest

from symsim.analysis.searching.nearest_infeasible import Closest, closest
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space


@cache
def of(strategy: str, model: str = "llama3_70b", system: str | None = "h100_sxm") -> Closest | None:
    result = search(load_space(model, strategy, system))
    assert not result.feasible
    return closest(result)


def test_the_plan_that_needs_least_memory_is_closest() -> None:
    found = of("world=8,gbs=64,seq=8192,tp in {1,2,4,8},mbs in {1,2,4}")
    assert found is not None
    assert found.found.choices == {"tp": 8, "mbs": 1}
    (broken,) = found.broken
    assert broken.text == "memory.device <= memory.capacity"
    device = found.found.answer.values["memory.device"]
    assert (broken.value, broken.bound) == (device, 80 * 2**30)
    assert broken.excess == pytest.approx(device / (80 * 2**30) - 1)


def test_more_memory_and_more_gpus_mend_what_does_not_fit() -> None:
    found = of("world=8,gbs=64,seq=8192,tp in {1,2,4,8},mbs in {1,2,4}")
    assert found is not None
    memory, gpus, *_ = found.fixes
    assert list(memory.change) == ["memory.capacity"]
    assert memory.change["memory.capacity"] >= found.found.answer.values["memory.device"]  # type: ignore[operator]
    assert gpus.change == {"world": 256}
    assert gpus.fit.fits and gpus.fit.device is not None and gpus.fit.device <= 80 * 2**30


def test_a_mended_plan_is_feasible() -> None:
    found = of("world=16,gbs=64,seq=8192,tp=8,mbs in {2,4}")
    assert found is not None
    for fix in found.fixes:
        value = fix.change.get("memory.capacity")
        setting = f"{value} B" if value is not None else None
        text = "world=16,gbs=64,seq=8192,tp=8,mbs=2"
        settings = (f"memory.capacity={setting}",) if setting else tuple(_setting(n, v) for n, v in fix.change.items())
        again = search(load_space("llama3_70b", text, "h100_sxm", settings))
        assert again.feasible == 1
        assert again.plans[0].objective == fix.objective


def _setting(name: str, value: object) -> str:
    if isinstance(value, frozenset):
        return f"{name}={{{', '.join(sorted(value))}}}"
    return f"{name}={str(value).lower() if isinstance(value, bool) else value}"


def test_of_several_requirements_the_largest_miss_is_made_small() -> None:
    found = of(
        "world=64,gbs=256,seq=4096,tp in {1,2,4,8},pp in {1,2,4},require pp >= 8,require time.bubble_share < 0.5",
        "llama3_8b",
    )
    assert found is not None
    assert found.found.choices["pp"] == 4
    assert [b.text for b in found.broken] == ["pp >= 8"]
    assert {"pp": 8} in [dict(m.change) for m in found.fixes]


def test_requirements_of_every_stage_have_a_distance() -> None:
    found = of("world=64,gbs=256,seq=4096,tp=8,pp in {1,2,4},require peak <= 4 GiB and pp < 4", "llama3_8b")
    assert found is not None
    assert found.found.choices["pp"] in (2, 4)


def test_a_condition_without_a_distance_is_kept() -> None:
    """The closest plan is among those that meet what no number measures."""
    strategy = "world=8,gbs=64,seq=8192,tp=8,mbs in {1,2,4},require mbs in {2, 4}"
    found = of(strategy)
    assert found is not None
    assert found.found.choices == {"mbs": 2}
    assert [b.text for b in found.broken] == ["memory.device <= memory.capacity"]


def test_nothing_is_said_where_no_requirement_is_a_number() -> None:
    assert of("world=8,gbs=64,seq=512,tp in {1,2},require tp in {16}", "llama3_8b", None) is None
