"""Constants that made up measurements are found again; what a fit says of itself is so."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from symsim.analysis.fitting.calibrate import calibrate, document
from symsim.analysis.fitting.case_question import question_of
from symsim.analysis.fitting.constants import Constant, constants
from symsim.analysis.fitting.recorded_fits import RecordedFit, recorded_fits
from symsim.analysis.fitting.timed_cases import Predictions, TimedCase, timed_cases
from symsim.analysis.fitting.validate import validate
from symsim.diagnostics import InputError, Source
from symsim.language.expressions import Plain, evaluate
from symsim.language.parser import parse_model
from symsim.language.systems import load_system
from tests.errors.case import run

MACHINE = "h200_sxm"
"""Nothing of it is fitted, so that it starts from what it states."""
PLANS = [
    {"world": world, "tp": tp, "pp": pp, "gbs": gbs, "seq": seq, "recompute": recompute}
    for world, tp, pp, gbs, seq in (
        (8, 1, 1, 64, 4096), (8, 1, 1, 16, 2048), (8, 2, 2, 32, 4096), (8, 4, 1, 32, 8192), (8, 8, 1, 16, 2048),
        (16, 4, 2, 64, 4096), (32, 4, 4, 64, 4096), (64, 8, 2, 128, 8192),
    )
    for recompute in ("none", "full")
]  # fmt: skip


@cache
def made_up(*settings: str, machine: str = MACHINE) -> tuple[dict[str, Any], ...]:
    """Cases as a machine with these figures would have been measured."""
    overrides = dict(s.split("=") for s in settings)
    cases = []
    for k, plan in enumerate(PLANS):
        case = {"id": f"case-{k}", "set": "even" if k % 4 < 2 else "odd", "model": "llama3_8b", "system": machine,
                "strategy": plan, "measured": {"iteration_s": 1.0}, "system_set": overrides}  # fmt: skip
        predicted = validate([case])["cases"][0]["predicted"]["iteration_s"]
        cases.append({**case, "system_set": None, "measured": {"iteration_s": predicted}})
    return tuple(cases)


def timed(cases: tuple[dict[str, Any], ...], group: str = "layout") -> list[TimedCase]:
    found, failed = timed_cases(cases, None, group)
    assert failed == []
    return found


def named(*names: str, width: float = 0.3) -> tuple[Constant, ...]:
    return constants(load_system(MACHINE), names, width)


def test_predictions_are_those_of_validate_and_their_derivatives_finite_differences() -> None:
    cases = made_up()
    names = ("hbm.*", "matmul.sustained", "attention.forward.level", "nvlink.*.*", "network.*.efficiency:together")
    predictions = Predictions(timed(cases), named(*names))
    residual, exact = predictions(np.zeros((1, len(predictions.factors))))
    assert residual == pytest.approx(0, abs=1e-12)
    step = 1e-6
    around = np.concatenate([step * np.eye(len(predictions.factors)), -step * np.eye(len(predictions.factors))])
    above, below = np.split(predictions(around)[0], 2)
    differences = (above - below) / (2 * step)
    assert differences == pytest.approx(exact[0].T, abs=1e-7)


def test_constants_that_made_the_measurements_are_found_again() -> None:
    cases = timed(made_up("hbm.efficiency=0.6", "matmul.sustained=0.85", "nvlink.bandwidth=300 GB/s"))
    found = calibrate(cases, named("hbm.efficiency", "matmul.sustained", "nvlink.bandwidth", width=10.0))
    values = {c["name"]: c["after"] for c in document(found, MACHINE, [])["constants"]}
    assert values["hbm.efficiency"] == pytest.approx(0.6, rel=1e-3)
    assert values["matmul.sustained"] == pytest.approx(0.85, rel=1e-3)
    assert values["link.bandwidth"] == pytest.approx(300e9, rel=1e-3)
    assert np.abs(found.before).max() > 0.05
    assert np.abs(found.held_out).max() < 1e-3


def test_leaving_a_group_out_is_fitting_without_it() -> None:
    cases = timed(made_up("hbm.efficiency=0.6", "matmul.sustained=0.85"))
    fitted = named("hbm.efficiency", "attention.forward.level")
    # So large an expected error that no case is an outlier of either fit: their weights are the same.
    whole = calibrate(cases, fitted, 1.0)
    left_out = cases[3]
    rest = [c for c in cases if c.group != left_out.group]
    alone = calibrate(rest, fitted, 1.0)
    predicted, _ = Predictions([left_out], fitted)(alone.x[None, :])
    assert whole.held_out[3] == pytest.approx(predicted[0, 0], abs=1e-6)


def test_further_groupings_are_left_out_like_groups() -> None:
    cases = timed(made_up("hbm.efficiency=0.6", "matmul.sustained=0.85"))
    fitted = named("hbm.efficiency", "attention.forward.level")
    halves = ["even" if k % 2 else "odd" for k in range(len(cases))]
    found = calibrate(cases, fitted, 1.0, [[c.group for c in cases], halves])
    assert found.without[0] == pytest.approx(found.held_out)
    alone = calibrate([c for c, half in zip(cases, halves, strict=True) if half == "even"], fitted, 1.0)
    predicted, _ = Predictions([cases[0]], fitted)(alone.x[None, :])
    assert found.without[1][0] == pytest.approx(predicted[0, 0], abs=1e-6)


def test_groups() -> None:
    cases = made_up()
    other_batch = ({**cases[0], "id": "other", "strategy": {**cases[0]["strategy"], "gbs": 128}}, *cases)
    assert len({c.group for c in timed(other_batch)}) == len(cases)
    assert len({c.group for c in timed(other_batch, "id")}) == len(cases) + 1
    assert len({c.group for c in timed(other_batch, "set")}) == 2
    assert len({c.group for c in timed(other_batch, "model")}) == 1


def test_a_figure_that_no_case_feels_is_said_to_be_unknown() -> None:
    single_node = tuple(c for c in made_up("hbm.efficiency=0.6") if c["strategy"]["world"] == 8)
    found = document(calibrate(timed(single_node), named("network.bandwidth", "hbm.efficiency")), MACHINE, [])
    assert [c["informed"] for c in found["constants"]] == [False, True]
    assert found["constants"][0]["after"] == found["constants"][0]["before"]


def test_constants_that_act_alike_are_said_to_be_confounded() -> None:
    found = document(calibrate(timed(made_up()), named("hbm.bandwidth", "hbm.efficiency"), 0.01), MACHINE, [])
    (pair,) = found["confounded"]
    assert pair["constants"] == ["hbm.bandwidth", "hbm.efficiency"]
    assert pair["r"] < -0.95


def test_an_efficiency_stays_possible() -> None:
    cases = timed(made_up("matmul.bf16=2000 TFLOP/s"))
    found = document(calibrate(cases, named("matmul.sustained", width=3.0)), MACHINE, [])
    assert found["constants"][0]["after"] == 1.0
    assert found["constants"][0]["at_limit"]


def test_a_case_that_states_a_figure_keeps_it() -> None:
    stated = tuple({**c, "system_set": {"network.bandwidth": "25 GB/s"}} for c in made_up())
    fitted = named("network.bandwidth")
    predictions = Predictions(timed(stated), fitted)
    assert not predictions(np.zeros((1, 1)))[1].any()


def test_a_figure_that_is_zero_may_be_given_a_start() -> None:
    cases = timed(made_up("framework.step=30 ms"))
    found = document(calibrate(cases, named("framework.megatron.step=10ms:100%"), 0.01), MACHINE, [])
    (step,) = found["constants"]
    assert (step["before"], step["start"], step["unit"]) == (0, 0.01, "s")
    assert step["after"] == pytest.approx(0.03, rel=0.02)
    assert found["sets"]["even"]["before"]["mean_abs_pct"] > 1 > found["sets"]["even"]["after"]["mean_abs_pct"]


def test_what_a_machine_does_not_state_is_put_behind_its_file(tmp_path: Path) -> None:
    machine = "a100_sxm_40g"
    (tmp_path / "cases.json").write_text(json.dumps(made_up("matmul.sustained=0.85", machine=machine)))
    written = tmp_path / "fitted.sym"
    arguments = ("calibrate", str(tmp_path / "cases.json"), "-y", machine, "--fit", "matmul.sustained")
    assert run(*arguments, "-o", str(written)).status == 0
    figure = load_system(str(written)).figures["matmul.sustained"]
    assert (figure.value, figure.before) == (pytest.approx(0.85, rel=0.01), 1.0)


def test_facts_of_a_framework_are_written_into_its_profile(tmp_path: Path) -> None:
    (tmp_path / "cases.json").write_text(json.dumps(made_up("framework.step=30 ms")))
    written = tmp_path / "frameworks.sym"
    names = "framework.megatron.step=10ms:100%"
    arguments = ("calibrate", str(tmp_path / "cases.json"), "-y", MACHINE, "--fit", names, "--error", "1")
    assert run(*arguments, "--profiles", str(written)).status == 0
    items = parse_model(Source("frameworks.sym", written.read_text()))
    facts = {f.name: f for item in items if getattr(item, "name", "") == "megatron" for f in item.facts}
    assert evaluate(facts["time.step"].value, Plain({})) == pytest.approx(0.03, rel=0.02)
    assert facts["time.step"].calibrated.fitted_to.endswith("fitted to 16 steps of even, odd")
    assert facts["time.turn"].calibrated is None


def test_a_file_tells_how_to_repeat_its_fit() -> None:
    fit = RecordedFit(
        "b200", ("hbm.efficiency:30%", "nvlink.*.fixed:together:20%"), ("a-b", "c"), "layout", "nanotron", 0.03
    )
    plain = RecordedFit("b200", ("hbm.efficiency:30%",), ("a",), "id")
    text = f"#: symsim calibrate x\n#: {fit}\n#: {plain}\nsystem b200\n"
    assert recorded_fits(text) == [fit, plain]
    case = {"set": "c", "system": "b200", "strategy": {"framework": "nanotron"}}
    assert fit.takes(case)
    assert not fit.takes({**case, "strategy": {}})
    assert not plain.takes(case)


def test_one_factor_moves_all_that_a_pattern_means_and_counts_once() -> None:
    cases = timed(made_up("nvlink.all_reduce.efficiency=0.485", "nvlink.all_gather.efficiency=0.4",
                          "nvlink.reduce_scatter.efficiency=0.4"))  # fmt: skip
    found = document(calibrate(cases, named("nvlink.*.efficiency:together", width=3.0)), MACHINE, [])
    ratios = [c["after"] / c["before"] for c in found["constants"]]
    assert found["fitted"] == 1
    assert ratios == pytest.approx([0.5] * len(ratios), rel=1e-2)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("hbm.eficiency", "hbm.efficiency"), ("network.all_reduce.latency", "logarithm"), ("host.*x", "")],
)
def test_what_cannot_be_fitted_is_refused(name: str, hint: str) -> None:
    with pytest.raises(InputError) as caught:
        named(name)
    assert caught.value.diagnostics[0].code == "E604"
    assert hint in (caught.value.diagnostics[0].hint or "")


def test_the_written_machine_is_the_fitted_one_and_remembers_what_it_was(tmp_path: Path) -> None:
    cases = made_up("hbm.efficiency=0.6", "nvlink.all_gather.latency=20 us")
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    written = tmp_path / "fitted.sym"
    names = "hbm.efficiency,nvlink.all_gather.latency:100%"
    arguments = ("calibrate", str(tmp_path / "cases.json"), "-y", MACHINE, "--fit", names, "--json")
    outcome = run(*arguments, "-o", str(written))
    assert outcome.status == 0, outcome.err
    before, after = load_system(MACHINE), load_system(str(written))
    values = {c["name"]: c["after"] for c in json.loads(outcome.out)["constants"]}
    for name, value in values.items():
        assert after.figures[name].value == pytest.approx(value, rel=1e-3)
        assert after.figures[name].before == before.figures[name].value
        assert after.figures[name].source == before.figures[name].source
        assert "16 steps of even, odd" in after.figures[name].fitted_to
    assert set(after.fitted) == set(values)
    assert after.as_stated().figures["hbm.efficiency"].value == before.figures["hbm.efficiency"].value
    comments = [line for line in Path(f"systems/{MACHINE}.sym").read_text().splitlines() if line.startswith("#")]
    assert set(comments) < set(written.read_text().splitlines())
    assert "symsim calibrate" in written.read_text()
    again = run(*arguments[:3], str(written), *arguments[4:], "-o", str(tmp_path / "again.sym"))
    refitted = {c["name"]: c["after"] for c in json.loads(again.out)["constants"]}
    assert refitted == pytest.approx(values, rel=1e-6)
    lines = [line for line in (tmp_path / "again.sym").read_text().splitlines() if not line.startswith("#:")]
    assert lines == [line for line in written.read_text().splitlines() if not line.startswith("#:")]


def test_cases_that_cannot_be_computed_are_named() -> None:
    broken = {**made_up()[0], "id": "broken", "strategy": {"world": 8, "tp": 3, "gbs": 8, "seq": 4096}}
    found, failed = timed_cases([*made_up(), broken], None, "layout")
    assert [name for name, _ in failed] == ["broken"]
    assert len(found) == len(PLANS)


def test_asked_of_a_case_may_be_another_machine() -> None:
    system = question_of(made_up()[0], "b200").system
    assert system is not None and system.name == "b200"
