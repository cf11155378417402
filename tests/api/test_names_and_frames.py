"""Names that are none say which was meant; rows become data frames."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

import symsim


@pytest.fixture(scope="module")
def plan() -> symsim.Plan:
    return symsim.load("llama3_8b", "world=8,tp=2,pp=2,gbs=16,seq=4096", "h100_sxm")


def said(caught: pytest.ExceptionInfo[BaseException]) -> str:
    return str(caught.value.args[0])


def test_an_unknown_output_names_the_near_one(plan: symsim.Plan) -> None:
    with pytest.raises(KeyError) as caught:
        symsim.evaluate(plan)["memory.paek"]
    assert said(caught) == "no output is called 'memory.paek': did you mean 'memory.peak'?"


def test_time_without_a_machine_says_so() -> None:
    answer = symsim.evaluate(symsim.load("llama3_8b", "world=8,tp=8,gbs=16,seq=4096"))
    with pytest.raises(KeyError) as caught:
        _ = answer.iteration_s
    assert said(caught) == "output 'time.iteration' needs a machine: symsim.load(model, strategy, system)"


def test_an_unknown_column_names_the_near_one(plan: symsim.Plan) -> None:
    found = plan.compiled.evaluate(tp=[1, 2], wanted=["memory.peak"])
    with pytest.raises(KeyError) as caught:
        found["memory.peek"]
    assert "did you mean 'memory.peak'?" in said(caught)
    assert "memory.peek" not in found and found.get("memory.peek") is None


def test_an_unknown_definition_names_the_near_one() -> None:
    with pytest.raises(KeyError) as caught:
        symsim.formula("llama3_8b", show="memory")["weihgts"]
    assert "did you mean 'weights'?" in said(caught)


@pytest.mark.parametrize(("name", "call"), [("eval", "evaluate(plan)"), ("export", "formula("), ("import_hf", "load(")])
def test_a_word_for_a_function_names_it(name: str, call: str) -> None:
    with pytest.raises(AttributeError) as caught:
        getattr(symsim, name)
    assert f"did you mean symsim.{call}" in str(caught.value)


class Pandas(ModuleType):
    """What is asked of pandas: a data frame of columns."""

    DataFrame = dict


@pytest.fixture
def pandas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", Pandas("pandas"))


def frame(thing: Any) -> dict[str, Any]:
    return {name: list(column) for name, column in thing.to_frame().items()}


@pytest.mark.usefixtures("pandas")
def test_stages_are_rows(plan: symsim.Plan) -> None:
    answer = symsim.evaluate(plan)
    found = frame(answer)
    assert found["stage"] == [0, 1]
    assert found["peak"] == [stage["peak"] for stage in answer.memory["stages"]]
    assert found["forward_s"] == [stage["forward_s"] for stage in answer.time["stages"]]  # type: ignore[index]


@pytest.mark.usefixtures("pandas")
def test_a_sweep_has_its_sizes_first(plan: symsim.Plan) -> None:
    found = frame(plan.compiled.evaluate(tp=[1, 2, 3], wanted=["memory.peak", "peak"]))
    assert list(found) == ["tp", "memory.peak", "legal"]
    assert found["tp"] == [1, 2, 3] and found["legal"] == [True, True, False]


@pytest.mark.usefixtures("pandas")
def test_a_sweep_over_two_axes_has_a_row_for_each_plan(plan: symsim.Plan) -> None:
    found = frame(plan.compiled.evaluate(tp=[[1], [2]], mbs=[1, 2], wanted=["memory.peak"]))
    assert (found["tp"], found["mbs"]) == ([1, 1, 2, 2], [1, 2, 1, 2])


@pytest.mark.usefixtures("pandas")
def test_plans_of_a_search_are_rows() -> None:
    space = {"world": 8, "gbs": 16, "seq": 4096, "tp": [2, 4, 8]}
    search = symsim.search("llama3_8b", space, "h100_sxm", top=2)
    found = frame(search)
    assert found["rank"] == [1, 2]
    assert found["tp"] == [plan.choices["tp"] for plan in search]
    assert found["iteration_s"] == [plan.answer.iteration_s for plan in search]


def test_without_pandas_an_error_says_what_to_install(plan: symsim.Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(symsim.InputError) as caught:
        symsim.evaluate(plan).to_frame()
    assert caught.value.diagnostics[0].code == "E386"
    assert "pip install pandas" in str(caught.value)


def test_an_explanation_offers_what_helps(plan: symsim.Plan) -> None:
    found = symsim.explain(plan, "time")
    assert found.possible and found.fixes == ()
    assert found.memory is None and found.time is not None
    assert [c["slower"] for c in found.speedups] == sorted(c["slower"] for c in found.speedups)
    assert found.to_dict()["schema"] == "symsim.explain/1"
    assert "not hidden" in str(found) and "<table" in found._repr_html_()


def test_an_explanation_of_a_plan_that_does_not_fit_has_fixes() -> None:
    found = symsim.explain(symsim.load("llama3_8b", "world=8,gbs=64,seq=8192", "h100_sxm"), "memory")
    assert not found.possible and found.fixes and found.speedups == ()
