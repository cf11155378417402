"""First commands of a new user: a model, a machine and a number of GPUs, and what the whole run takes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.running import run

pytestmark = pytest.mark.slow

MODEL = "llama(hidden=512, layers=8, heads=8, kv_heads=4, ffn=1024, vocab=32000)"
JOB = ("-y", "h100_sxm", "--gpus", "8", "--gbs", "64", "--seq", "4Ki")


def test_eval_names_the_plan_that_it_chose(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "eval", MODEL, *JOB, "--json")
    assert (status, err) == (0, "")
    chosen = json.loads(out)
    status, out, _ = run(capsys, "eval", MODEL, "-s", chosen["chosen"], "-y", "h100_sxm", "--json")
    assert status == 0
    assert json.loads(out)["time"]["iteration_s"] == chosen["time"]["iteration_s"]
    assert any(chosen["chosen"] in text for text in chosen["assumptions"])


def test_eval_without_a_plan_that_fits_has_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "eval", "llama3_70b", "-y", "h100_sxm", "--gpus", "1", "--gbs", "1", "--seq", "4096")
    assert status == 1
    assert "no simple plan fits" in out


def test_eval_without_a_legal_plan_says_what_would_be_one(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys, "eval", MODEL, "-y", "h100_sxm", "--gpus", "512", "--gbs", "3", "--seq", "4096")
    assert (status, out) == (1, "")
    assert "nothing feasible" in err and "gbs" in err


def test_show_space_prints_a_file_that_search_takes(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, text, _ = run(capsys, "search", MODEL, *JOB, "--show-space", "--require", "tp <= 2")
    assert status == 0 and "require tp <= 2" in text
    path = tmp_path / "space.sym"
    path.write_text(text, encoding="utf-8")
    derived = run(capsys, "search", MODEL, *JOB, "--json", "--top", "1", "--require", "tp <= 2")
    written = run(capsys, "search", MODEL, "-s", str(path), "-y", "h100_sxm", "--json", "--top", "1")
    first, second = (json.loads(out) for _, out, _ in (derived, written))
    assert first["plans"] == second["plans"]
    assert (first["points"], first["legal"]) == (second["points"], second["legal"])


def test_show_space_saves_the_space(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "space.sym"
    status, out, _ = run(capsys, "search", MODEL, *JOB, "--show-space", "--save", str(path))
    assert (status, out) == (0, "")
    assert path.read_text(encoding="utf-8").startswith("strategy derived")


def test_defaults_that_were_taken_are_noted(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "search", "llama3_8b", "-y", "h100_sxm", "--gpus", "8", "--set", "tp=8", "--set", "pp=1",
                    "--json", "--top", "1")  # fmt: skip
    assert json.loads(out)["notes"][:2] == [
        "seq was left out: 8,192, the model's own context",
        "gbs was left out: 512, about 4.2 M tokens a step",
    ]


def test_a_run_is_in_eval_search_and_compare(capsys: pytest.CaptureFixture[str]) -> None:
    plan = "world=8,gbs=64,seq=4096"
    rest = ("-y", "h100_sxm", "--tokens", "1T", "--price", "2.5", "--json")
    answered = json.loads(run(capsys, "eval", MODEL, "-s", plan, *rest)[1])["run"]
    searched = json.loads(run(capsys, "search", MODEL, "-s", f"{plan},tp in {{1}}", *rest)[1])["plans"][0]["run"]
    compared = json.loads(run(capsys, "compare", MODEL, "-s", plan, "-s", f"{plan},tp=2", *rest)[1])["plans"][0]["run"]
    assert answered == searched == compared
    assert answered["cost"] == pytest.approx(2.5 * answered["gpu_hours"])


def test_a_decimal_sequence_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "eval", MODEL, "-s", "world=8,gbs=64", "--seq", "8k", "-y", "h100_sxm", "--json")
    answered = json.loads(out)
    assert answered["strategy"]["seq"] == 8000
    assert "seq = 8k is 8000; 8Ki is 8192" in answered["warnings"]
