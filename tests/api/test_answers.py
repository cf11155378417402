"""The functions answer what the commands print."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

import symsim
from symsim.cli.main import main

MODEL, STRATEGY, SYSTEM = "llama3_70b", "tp8_pp4", "h100_sxm"
QUESTION = (MODEL, "-s", STRATEGY, "-y", SYSTEM)


def printed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str) -> str:
    monkeypatch.setattr(sys, "argv", ["symsim", *arguments])
    with pytest.raises(SystemExit):
        main()
    return capsys.readouterr().out


@pytest.fixture(scope="module")
def plan() -> symsim.Plan:
    return symsim.load(MODEL, STRATEGY, SYSTEM)


@pytest.mark.parametrize("command", ["eval", "sensitivity", "compare", "solve", "search", "formula"])
def test_documents_and_texts_are_those_of_the_commands(
    command: str, plan: symsim.Plan, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other = "world=128,tp=4,pp=4,gbs=128,seq=8192"
    space = {"world": 64, "gbs": 512, "seq": 4096, "tp": [2, 4, 8], "mbs": range(1, 4)}
    asked: dict[str, tuple[Any, tuple[str, ...]]] = {
        "eval": (symsim.evaluate(plan), QUESTION),
        "sensitivity": (symsim.sensitivity(plan, "memory.peak", "sizes"),
                        (*QUESTION, "--of", "memory.peak", "--with-respect-to", "sizes")),
        "compare": (symsim.compare(plan, symsim.load(MODEL, other, SYSTEM)), (*QUESTION, "-s", other)),
        "solve": (symsim.solve(plan, "mbs"), (*QUESTION, "--for", "mbs")),
        "search": (symsim.search("llama3_8b", space, SYSTEM, top=3),
                   ("llama3_8b", "-y", SYSTEM, "--top", "3", "--set", "world=64", "--set", "gbs=512",
                    "--set", "seq=4096",                    "--set", "tp in {2, 4, 8}", "--set", "mbs in {1, 2, 3}")),
        "formula": (symsim.formula(MODEL, show="params"), (MODEL, "--show", "params")),
    }  # fmt: skip
    answer, arguments = asked[command]
    as_json = ("--format", "json") if command == "formula" else ("--json",)
    document = json.loads(printed(capsys, monkeypatch, command, *arguments, *as_json))
    mine = json.loads(json.dumps(answer.to_dict()))
    for one in (document, mine):
        one.pop("elapsed_s", None)
    assert mine == document
    if command != "search":
        assert str(answer).rstrip() == printed(capsys, monkeypatch, command, *arguments).rstrip()


def test_a_plan_of_a_search_is_a_plan() -> None:
    found = symsim.search("llama3_8b", {"world": 64, "gbs": 512, "seq": 4096, "tp": [2, 4], "zero": [1, 2]}, SYSTEM)
    best = found[0]
    assert best.answer.to_dict()["memory"] == symsim.evaluate(best.plan).to_dict()["memory"]
    assert best.plan.changed(mbs=2).choices["tp"] == best.choices["tp"]
    assert best.objective == best.answer.iteration_s


def test_a_search_ranks_and_requires() -> None:
    space = {"world": 64, "gbs": 512, "seq": 4096, "tp": [1, 2, 4, 8], "pp": [1, 2]}
    found = symsim.search("llama3_8b", space, SYSTEM, minimize="memory.peak", require="tp <= 4")
    assert (found.goal, found.objective) == ("minimize", "memory.peak")
    assert [f.choices["tp"] for f in found] == [4, 4, 2, 2, 1, 1]


def test_the_answer_of_a_name_solved_for_is_a_plan(plan: symsim.Plan) -> None:
    found = symsim.solve(plan, "nvlink.bandwidth", subject_to="time.iteration <= 9.9 s")
    assert found.changed is not None and found.value is not None
    assert symsim.evaluate(found.changed).iteration_s == pytest.approx(9.9, rel=1e-9)


def test_stages_are_tuples(plan: symsim.Plan) -> None:
    answer = symsim.evaluate(plan)
    peaks = answer["peak"]
    assert isinstance(peaks, tuple) and len(peaks) == answer.stages == 4
    assert max(peaks) == answer.peak_bytes == answer["memory.peak"]


def test_requirements_that_are_not_met_are_said(plan: symsim.Plan) -> None:
    strategy = "world=128\ntp=8\ngbs=128\nseq=8192\npp=4\nrequire memory.peak <= 1 GiB"
    answer = symsim.evaluate(symsim.load(MODEL, strategy, SYSTEM))
    assert answer.unmet == ("memory.peak <= 1 GiB",)
    assert any("requirement" in w and "is more than 1 GiB" in w for w in answer.warnings)


def test_values_of_python_are_values_of_the_language() -> None:
    plan = symsim.load(
        "llama3_8b",
        {"world": 8, "gbs": 16.0, "seq": 1024, "zero": 2, "dropout": True, "te_version": "2.11.0"},
        recompute={"core_attn", "mlp"},
        recompute_layers=None,
        layout="Et*16|t*16L",
    )
    choices = plan.choices
    assert (choices["gbs"], choices["zero"], choices["dropout"]) == (16, 2, True)
    assert (choices["te_version"], choices["recompute"]) == ("2.11.0", frozenset({"core_attn", "mlp"}))
    assert (choices["layout"], choices["pp"], choices["recompute_layers"]) == ("Et*16|t*16L", 2, None)


def test_everything_shows_in_a_notebook(plan: symsim.Plan) -> None:
    shown: list[Any] = [
        plan,
        plan.compiled,
        symsim.evaluate(plan),
        symsim.evaluate(plan, {"tp": [8, 3]}),
        symsim.sensitivity(plan, with_respect_to="sizes"),
        symsim.compare(plan, plan.changed(mbs=2)),
        symsim.solve(plan, "mbs"),
        symsim.search("llama3_8b", {"world": 64, "gbs": 512, "seq": 4096, "tp": [2, 4]}, SYSTEM),
    ]
    for one in shown:
        html = one._repr_html_()
        assert html.startswith("<table>") and html.count("<tr>") == html.count("</tr>") > 1
        assert "<b>" not in symsim.load("llama3_8b", {"world": 8, "gbs": 8, "seq": 64})._repr_html_()
    assert symsim.formula(MODEL, format="latex")._repr_latex_().startswith("$$")  # type: ignore[union-attr]


IMPORTS = """
import sys
import symsim
assert not {"numpy", "sympy", "lark", "dataclasses", "symsim.api"} & set(sys.modules), "import"
plan = symsim.load("llama3_70b", "tp8_pp4", "h100_sxm")
assert "sympy" not in sys.modules, "load"
symsim.evaluate(plan)
known = set(sys.modules)
assert symsim.evaluate(plan).to_dict() and not {"numpy", "matplotlib", "rich", "click"} & set(sys.modules), "evaluate"
"""


def test_importing_is_light() -> None:
    """In a process of its own, where nothing is imported yet."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_what_was_compiled_needs_no_sympy() -> None:
    code = IMPORTS + "assert 'sympy' not in sys.modules, 'compiled before'\n"
    done = [
        subprocess.run([sys.executable, "-c", c], capture_output=True, text=True, check=False) for c in (IMPORTS, code)
    ]
    assert done[1].returncode == 0, done[1].stderr


def test_names_are_listed_and_others_are_none() -> None:
    assert set(symsim.__all__) <= set(dir(symsim))
    with pytest.raises(AttributeError, match="lod"):
        symsim.lod  # type: ignore[attr-defined]  # noqa: B018


def test_a_condition_without_sides_is_a_row_of_a_table() -> None:
    plan = symsim.load("llama3_8b", "world=8,gbs=64,seq=2048,tp=8", "h100_sxm")
    found = symsim.solve(plan, "mbs", subject_to=["dropout != true"])
    assert "<td" in found._repr_html_() and "dropout != true" in found._repr_html_()
