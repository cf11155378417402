"""What a whole run takes: definitions of the cost model that every command can ask for."""

from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import pytest

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.quantities import parsed, values_of
from symsim.analysis.searching.search import search
from symsim.analysis.searching.space import load_space, with_goals
from symsim.diagnostics import InputError
from symsim.loading.question import Question, question
from symsim.resources import shipped

PLAN = "world=64,tp=2,gbs=256,seq=4096,recompute=full"


def asked(*more: str, system: str | None = "h100_sxm") -> Question:
    return question("llama3_8b", PLAN, system, more)


def values(plan: Question) -> dict[str, float]:
    return dict(answer(plan.model, plan.plan, machine_of(plan)).values)


def test_a_run_follows_from_the_time_of_a_step() -> None:
    found = values(asked("tokens=1T", "price=2.5"))
    assert found["run.steps"] == Fraction(10**12, 256 * 4096)
    assert found["run.time"] == pytest.approx(found["run.steps"] * found["time.iteration"], rel=1e-12)
    assert found["run.days"] == pytest.approx(found["run.time"] / 86_400, rel=1e-12)
    assert found["run.gpu_hours"] == pytest.approx(found["run.time"] * 64 / 3600, rel=1e-12)
    assert found["run.cost"] == pytest.approx(2.5 * found["run.gpu_hours"], rel=1e-12)
    assert found["run.energy"] == pytest.approx(found["run.time"] * 64 * 700, rel=1e-12)


def test_gpu_hours_agree_with_those_of_a_billion_tokens() -> None:
    found = values(asked("tokens=1G"))
    assert found["run.gpu_hours"] == pytest.approx(found["cost.gpu_hours"], rel=1e-12)


def test_without_tokens_there_is_no_run() -> None:
    assert not any(name.startswith("run.") for name in values(asked()))
    plan = asked()
    assert document(plan, answer(plan.model, plan.plan, machine_of(plan)), machine_of(plan))["run"] is None


def test_without_a_price_there_is_no_cost() -> None:
    assert "run.cost" not in values(asked("tokens=1T"))


def test_a_machine_without_power_has_a_run_without_energy(tmp_path: Path) -> None:
    text = shipped("systems")["h100_sxm"].read_text(encoding="utf-8")
    own = tmp_path / "own.sym"
    own.write_text(text[: text.index("gpu {")] + text[text.index("memory {") :], encoding="utf-8")
    plan = asked("tokens=1T", system=str(own))
    machine = machine_of(plan)
    run = document(plan, answer(plan.model, plan.plan, machine), machine)["run"]
    assert run["energy_j"] is None and run["days"] > 0
    with pytest.raises(InputError, match=r"'run.energy' needs gpu.power"):
        values_of(plan, {"x": parsed("run.energy")})
    assert values(asked("tokens=1T", "gpu.power=300 W", system=str(own)))["run.energy"] > 0


@pytest.mark.parametrize("name", shipped("systems"))
def test_every_shipped_machine_states_its_power_or_that_it_is_not_public(name: str) -> None:
    machine = asked(system=name).system
    assert machine is not None
    power = machine.figures.get("gpu.power")
    if power is None:
        assert "power of" in " ".join(shipped("systems")[name].read_text(encoding="utf-8").split())
    else:
        assert power.unit == "W" and 200 <= power.value <= 2000 and power.source


@pytest.mark.parametrize(
    ("expression", "missing"), [("run.days", "tokens"), ("run.cost", "tokens and price"), ("run.energy", "tokens")]
)
def test_an_expression_says_what_it_needs(expression: str, missing: str) -> None:
    with pytest.raises(InputError, match=f"'{expression}' needs {missing}"):
        values_of(asked(), {"x": parsed(expression)})


def test_the_error_bar_is_that_of_the_step() -> None:
    plan = asked("tokens=1T")
    machine = machine_of(plan)
    found = document(plan, answer(plan.model, plan.plan, machine), machine)
    assert found["run"]["error_pct"] == found["time"]["error_pct"]


def test_what_a_run_leaves_out_is_assumed() -> None:
    plan = asked("tokens=1T")
    machine = machine_of(plan)
    said = " ".join(document(plan, answer(plan.model, plan.plan, machine), machine)["assumptions"])
    assert "no pauses" in said and "host, network and cooling are left out" in said


def test_days_and_hours_are_units_of_requirements() -> None:
    days = values(asked("tokens=1T"))["run.days"]
    for limit, holds in ((math.ceil(days), True), (math.floor(days), False)):
        for text in (f"run.time <= {limit} days", f"run.time <= {limit * 24} hours", f"run.days <= {limit}"):
            assert values_of(asked("tokens=1T"), {"held": parsed(text)})["held"] == holds, text


def test_a_search_takes_a_run_as_objective_requirement_and_front() -> None:
    space = load_space("llama3_8b", "world in {32, 64},gbs=256,seq=4096,tp in {1, 2, 4},tokens=1T,price=2", "h100_sxm")
    found = search(with_goals(space, "minimize", "run.cost", ("run.time <= 60 days",)), 3, ("run.days", "run.energy"))
    assert found.feasible and found.front
    best = found.plans[0]
    assert best.objective == best.answer.values["run.cost"]
    assert all(plan.answer.values["run.days"] <= 60 for plan in found.plans)


def test_tokens_can_be_searched() -> None:
    space = load_space("llama3_8b", "world=64,gbs=256,seq=4096,tp=2,tokens in {1T, 2T}", "h100_sxm")
    found = search(with_goals(space, "minimize", "run.days", ()), 2)
    first, second = (plan.answer.values["run.days"] for plan in found.plans)
    assert second == pytest.approx(2 * first)
