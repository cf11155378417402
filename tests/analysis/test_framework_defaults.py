"""An answer says which choices it takes otherwise than the framework of the plan would, and what that changes."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest import mock

import pytest

from symsim.analysis import framework_defaults
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.framework_defaults import Difference, defaults_of, differences, left_out
from symsim.cli.main import main
from symsim.diagnostics import InputError
from symsim.language.library import library_of
from symsim.language.stored_expressions import from_json, to_json
from symsim.loading.question import Question, question
from symsim.records.strategy import CHOICES

MODEL = "llama(hidden=2048, layers=16, heads=32, kv_heads=8, ffn=8192, vocab=32000)"
EXPERTS = "moe(hidden=512, layers=4, heads=8, kv_heads=8, expert_ffn=1024, experts=8, topk=2, vocab=32000)"
SIZES = "world=16,gbs=32,seq=4096"
GIVEN = "sequence_parallel=true,zero=1,dropout=false"
"""What every plan of Megatron with replicas and tensor parallelism would hear about."""


def asked_of(choices: str, model: str = MODEL, machine: str | None = "h100_sxm") -> Question:
    return question(model, f"{SIZES},{choices}".rstrip(","), machine)


def all_of(asked: Question) -> dict[str, Difference]:
    machine = machine_of(asked)
    return {d.name: d for d in differences(asked, answer(asked.model, asked.plan, machine), machine)}


def said(asked: Question) -> list[str]:
    machine = machine_of(asked)
    return left_out(asked, answer(asked.model, asked.plan, machine), machine)


def peak_and_step(choices: str, model: str = MODEL) -> tuple[float, float]:
    asked = asked_of(choices, model)
    values = answer(asked.model, asked.plan, machine_of(asked)).values
    return values["memory.peak"], values["time.iteration"]


def test_what_megatron_takes_otherwise_for_a_dense_model() -> None:
    found = {name: d.otherwise for name, d in all_of(asked_of("tp=2")).items()}
    assert found == {"sequence_parallel": False, "zero": 0, "dropout": True}


def test_what_it_takes_otherwise_for_experts_and_long_sequences() -> None:
    found = {n: d.otherwise for n, d in all_of(asked_of(f"tp=2,ep=4,cp=2,{GIVEN}", EXPERTS)).items()}
    assert found == {
        "etp": 2,
        "cp_comm": "ring",
        "moe_dispatch": "all_gather",
        "moe_probs_in_activation": True,
    }


@pytest.mark.parametrize(("name", "choice"), [
    ("sequence_parallel", "sequence_parallel=false"), ("zero", "zero=0"), ("dropout", "dropout=true"),
])  # fmt: skip
def test_a_figure_is_the_difference_of_two_answers(name: str, choice: str) -> None:
    (peak, step), (other_peak, other_step) = peak_and_step("tp=2"), peak_and_step(f"tp=2,{choice}")
    found = all_of(asked_of("tp=2"))[name]
    assert found.peak == other_peak / peak - 1
    assert found.step == other_step / step - 1


def test_the_sentence_has_the_figures() -> None:
    asked = asked_of("tp=2,sequence_parallel=true,dropout=false")
    found = all_of(asked)["zero"]
    assert said(asked) == [
        f"zero is left out: 1 is taken, megatron's own default is 0 (peak {found.peak:+.1%}, step {found.step:+.1%})"
    ]


def test_what_is_given_is_not_said() -> None:
    assert said(asked_of(f"tp=2,{GIVEN}")) == []


def test_what_changes_less_than_a_hundredth_is_not_said() -> None:
    found = Difference("dropout", False, "megatron", True, 0.009, -0.01)
    assert not framework_defaults.worth_saying(found)
    assert framework_defaults.worth_saying(Difference("dropout", False, "megatron", True, 0.0, -0.011))


def test_a_default_with_which_the_plan_is_not_possible_is_said() -> None:
    """16 ranks of expert parallelism leave none for two of expert-tensor parallelism."""
    plan = "world=16,gbs=32,seq=4096,tp=2,ep=16,moe_dispatch=all_to_all,moe_probs_in_activation=true"
    asked = question(EXPERTS.replace("experts=8", "experts=16"), f"{plan},{GIVEN}", "h100_sxm")
    (sentence,) = said(asked)
    assert sentence == "etp is left out: 1 is taken, megatron's own default is 2 (this plan is not possible then)"


def test_without_a_machine_only_the_peak_is_said() -> None:
    asked = asked_of("tp=2,sequence_parallel=true,dropout=false", machine=None)
    (sentence,) = said(asked)
    assert "peak +" in sentence
    assert "step" not in sentence


def test_deepspeed_accumulates_in_bf16_from_zero_1_on() -> None:
    assert all_of(asked_of("framework=deepspeed,zero=2"))["grad_dtype"].otherwise == "bf16"
    assert "grad_dtype" not in all_of(asked_of("framework=deepspeed,zero=0"))
    assert all_of(asked_of("framework=deepspeed,zero=0,precision=fp16"))["grad_dtype"].otherwise == "fp16"


def test_fsdp_shards_weights() -> None:
    assert all_of(asked_of("framework=fsdp"))["zero"].otherwise == 3
    assert all_of(asked_of("framework=torchtitan,pp=2"))["zero"].otherwise == 2


def test_the_same_question_is_answered_from_the_disk(tmp_path: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SYMSIM_CACHE", str(tmp_path))
    asked = asked_of("tp=2")
    first = said(asked)
    with mock.patch.object(framework_defaults, "differences", side_effect=AssertionError):
        assert said(asked) == first
        assert said(asked_of(f"tp=2,{GIVEN}")) == []


@pytest.mark.parametrize("framework", CHOICES["framework"].words)
@pytest.mark.parametrize("plan", ["tp=2", "pp=2", "cp=2", "zero=3", "zero=0,precision=fp16", "pp=2,vp=2"])
def test_every_default_is_a_value_of_its_choice(framework: str, plan: str) -> None:
    asked = asked_of(f"framework={framework},{plan}")
    for name, found in all_of(asked).items():
        value = str(found.otherwise).lower() if isinstance(found.otherwise, bool) else found.otherwise
        given = ",".join(part for part in plan.split(",") if not part.startswith(f"{name}="))
        try:
            asked_of(f"framework={framework},{given},{name}={value}")
        except InputError as problem:
            assert problem.diagnostics[0].code == "E324"  # two choices that contradict each other


def test_every_default_names_its_source() -> None:
    items = library_of().defaults
    assert set(items) <= set(CHOICES["framework"].words)
    for item in items.values():
        assert all(fact.source and fact.name in CHOICES for fact in item.facts)


@pytest.mark.parametrize("framework", CHOICES["framework"].words)
def test_defaults_are_kept_as_they_are_written(framework: str) -> None:
    for node in defaults_of(framework).values():
        assert to_json(from_json(to_json(node))) == to_json(node)


@pytest.mark.parametrize("data", [None, [], ["name", 1], ["number", 1, 0], ["binary", "and then", ["name", "a"]], "x"])
def test_an_entry_that_is_no_expression_is_refused(data: object) -> None:
    with pytest.raises(ValueError, match="not an expression"):
        from_json(data)


def test_eval_lists_them_among_its_assumptions(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["symsim", "eval", MODEL, "-s", f"{SIZES},tp=2", "--json"]
    with mock.patch.object(sys, "argv", arguments), pytest.raises(SystemExit):
        main()
    assumptions = json.loads(capsys.readouterr().out)["assumptions"]
    assert any(text.startswith("zero is left out: 1 is taken, megatron's own default is 0") for text in assumptions)


def test_the_page_of_strategies_lists_them() -> None:
    page = (Path(__file__).parents[2] / "docs" / "strategy.md").read_text(encoding="utf-8")
    for framework, item in library_of().defaults.items():
        row = next(line for line in page.splitlines() if line.startswith(f"| {framework} | `"))
        assert all(f"`{fact.name}" in row for fact in item.facts), framework
