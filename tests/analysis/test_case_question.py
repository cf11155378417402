"""A case of measurements says what its fields say, and nothing else: no value brings another choice, no key a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from symsim.analysis.fitting.case_question import question_of
from symsim.analysis.fitting.cases_file import QUANTITIES, faults_of
from symsim.analysis.fitting.validate import PREDICTIONS
from symsim.diagnostics import InputError
from tests.errors.case import run
from tests.errors.texts import PLAN, SYSTEM

STRATEGY: dict[str, Any] = {"world": 16, "tp": 8, "gbs": 16, "seq": 128}
CASE: dict[str, Any] = {
    "id": "a", "set": "s", "model": "llama3_8b", "strategy": STRATEGY, "system": "h100_sxm", "measured": {},
}  # fmt: skip


def values(**changed: Any) -> dict[str, Any]:
    """The choices of a case's plan, with something changed in it."""
    return dict(question_of({**CASE, **changed}).plan.values)


def test_values_of_every_kind_are_what_the_language_has() -> None:
    found = values(
        strategy={**STRATEGY, "zero": 1, "moe_imbalance": 1.25, "sequence_parallel": False, "precision": "bf16",
                  "recompute": ["mlp", "core_attn"], "te_version": "2.11.0", "schedule": "1f1b", "mbs": None},
        facts={"cp_comm": "ring", "source": "a page; tp = 1"},
    )  # fmt: skip
    assert found["recompute"] == frozenset({"mlp", "core_attn"})
    assert (found["zero"], found["tp"], found["te_version"], found["schedule"]) == (1, 8, "2.11.0", "1f1b")
    assert (found["moe_imbalance"], found["sequence_parallel"], found["cp_comm"]) == (1.25, False, "ring")


SMUGGLED = (
    "bf16; tp = 4", "bf16\ntp = 4", "bf16, tp = 4", "bf16 # the rest", "bf16; require tp == 4", "bf16)\ntp = (4",
    "x.sym", "./x.sym", "/etc/passwd", 'table("x.csv")', "in {1, 2}", "bf16\x00", "",
)  # fmt: skip


@pytest.mark.parametrize("text", SMUGGLED)
def test_value_brings_no_other_choice(text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.sym").write_text(PLAN.replace(",", "\n"))
    try:
        found = values(strategy={**STRATEGY, "precision": text})
    except InputError:
        return
    assert (found["tp"], found["precision"]) == (8, "bf16")


@pytest.mark.parametrize("text", ["mlp}; tp = 4; mbs in {1", "a b", "1", "", "mlp\n", 5, None, ["mlp"]])
def test_list_holds_words_alone(text: object) -> None:
    with pytest.raises(InputError, match="lists a value that is not a word"):
        values(strategy={**STRATEGY, "recompute": [text]})


@pytest.mark.parametrize(
    "text", ["4096, layers = 1", "4096)\nmodel b = gpt(hidden = 1", "heads * 2", "", [1], {"a": 1}]
)
def test_dimension_is_a_number_or_a_word(text: object) -> None:
    model = {"family": "llama", "hidden": text, "layers": 2, "heads": 2, "ffn": 8, "vocab": 8}
    with pytest.raises(InputError, match="'hidden' is neither a number nor a word"):
        values(model=model)


@pytest.mark.parametrize("family", ["llama(hidden = 1)", "x\nmodel y = llama", "", None, 5, "models/x.sym"])
def test_family_is_a_name(family: object) -> None:
    with pytest.raises(InputError, match="the model names no family"):
        values(model={"family": family, "hidden": 64})


@pytest.mark.parametrize(
    ("field", "name"),
    [("strategy", "layers"), ("strategy", "hbm.bandwidth"), ("model_set", "tp"), ("model_set", "hbm.bandwidth"),
     ("system_set", "tp"), ("system_set", "layers")],
)  # fmt: skip
def test_name_stands_in_its_own_field(field: str, name: str) -> None:
    given = {**STRATEGY, name: 1} if field == "strategy" else {name: 1}
    with pytest.raises(InputError, match=r"choice of a strategy|dimension of a model|figure of a machine"):
        values(**{field: given})


def test_validate_reads_no_file_that_a_case_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box.sym").write_text(SYSTEM)
    for field in ("model", "system"):
        (tmp_path / "cases.json").write_text(json.dumps([{**CASE, field: "./box.sym"}]))
        assert run("validate", "cases.json").status == 2


@given(st.dictionaries(st.text(max_size=8), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4,
), max_size=3), st.sampled_from(["strategy", "model", "model_set", "system_set", "facts", "measured"]))  # fmt: skip
def test_a_case_of_anything_is_an_answer_or_an_error(part: dict[str, Any], field: str) -> None:
    case = {**CASE, field: {**STRATEGY, **part} if field == "strategy" else part}
    if not list(faults_of(case)):
        try:
            question_of(case)
        except InputError:
            return


def test_what_is_predicted_is_what_a_case_may_have_measured() -> None:
    assert tuple(PREDICTIONS) == QUANTITIES
