"""A user's expression over a plan means what it says, and what it cannot mean is refused."""

from __future__ import annotations

import pytest

from symsim.analysis.evaluate import Evaluator, evaluator
from symsim.analysis.quantities import asked_for, machine_for, parsed
from symsim.diagnostics import InputError
from symsim.emit.program import Program
from symsim.emit.quantity import is_condition
from symsim.loading.question import question

PLAN = "world=32,tp=8,pp=4,mbs=1,gbs=128,seq=8192"


def lowered(text: str, strategy: str = PLAN) -> Program:
    asked = question("llama3_70b", strategy, "h100_sxm")
    return asked_for(asked, evaluator(asked.model, asked.plan.structure).program, {"it": parsed(text)})


def value(text: str, strategy: str = PLAN) -> float:
    asked = question("llama3_70b", strategy, "h100_sxm")
    program = lowered(text, strategy)
    return Evaluator(program).scalar(asked.plan.sizes, machine_for(asked.system, program))["it"]  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("tp", 8),
        ("microbatches", 128),
        ("layers / pp", 20),
        ("pp ** 2", 16),
        ("-tp + 1 % 2", -7),
        ("max(tp, pp) * min(cp, 3)", 8),
        ("ceil(tp / 3) + floor(tp / 3)", 5),
        ("2 if tp > 4 else 3", 2),
        ("tp <= gpus_per_node", 1),
        ("tp != 8", 0),
        ("not (tp in {1, 2})", 1),
        ("tp == 8 and pp == 4 or cp == 7", 1),
        ("schedule == gpipe", 0),
        ("recompute == none", 1),
        ("vp == 1", 1),
        ("memory.capacity / 1 GiB", 80),
        ("nvlink.bandwidth / 1 GB/s", 450),
        ("cost.gpu_hours * 0 + 1", 1),
        ("memory.peak - max_stages(peak)", 0),
        ("peak <= memory.peak", 1),
        ("peak < memory.peak", 0),
        ("min(tp)", 8),
        ("max(tp) + several(pp) + several(cp)", 9),
        ("sum_stages(1)", 4),
        ("sms", 132),
        ("floor(256 if 32 <= sms else 1)", 256),
        ("tp in 1..100000", 1),
        ("tp in 9..100000", 0),
        ("tp / 3 in 1..4", 0),
        ("8 in {pp, tp}", 1),
        ("8 in {pp, cp, 2 * tp}", 0),
        ("memory.peak ** 16 > 1", 1),
    ],
)
def test_an_expression_has_the_value_that_it_reads_as(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "code", "named"),
    [
        ("memory.peek", "E203", "memory.peak"),
        ("tpp <= memory.peak", "E203", "tp"),
        ("memory.peak + true", "E207", "number"),
        ("not memory.peak", "E207", "condition"),
        ("peak", "E345", "max_stages"),
        ("memory.peak ** tp", "E209", "whole number"),
        ("memory.peak ** 0.5", "E209", "whole number"),
        ("memory.peak ** 17", "E209", "whole number up to 16"),
        ("memory.peak ** (-17)", "E209", "whole number up to 16"),
        ("biggest(memory.peak)", "E204", "biggest"),
        ("max_stages(peak, peak)", "E205", "1 argument"),
        ("memory.peak in {none}", "E207", "set of numbers"),
        ("memory.peak / (1 - 1)", "E208", "zero"),
        ("tokens", "E322", "--tokens 10T"),
        ("1 - price * 2", "E322", "--price 2.5"),
        ("tp in divisors(963761198400)", "E206", "at most 1,000"),
        ("(world ** 16) ** 16", "E107", "too large"),
        ("*".join(["memory.peak ** 4"] * 7), "E107", "too large"),
        ("tp * 2 ** 1001", "E107", "too large"),
    ],
)
def test_what_it_cannot_mean_is_refused(text: str, code: str, named: str) -> None:
    with pytest.raises(InputError) as caught:
        value(text)
    assert f"error[{code}]" in caught.value.render()
    assert named in caught.value.render()


@pytest.mark.parametrize("count", [1, 2, 3, 64])
@pytest.mark.parametrize("function", ["min", "max"])
def test_extremes_of_any_number_are_the_same_over_arrays(function: str, count: int) -> None:
    text = f"{function}({', '.join(f'tp + {k}' for k in range(count))})"
    asked = question("llama3_70b", "world=32,tp=8,pp=4,mbs=1,gbs=128,seq=8192", "h100_sxm")
    program = asked_for(asked, evaluator(asked.model, asked.plan.structure).program, {"it": parsed(text)})
    found = Evaluator(program).arrays(asked.plan.sizes, machine_for(asked.system, program))["it"]
    assert found == pytest.approx(value(text)) == pytest.approx(8 if function == "min" else 7 + count)


@pytest.mark.parametrize(
    "text", ["not (tp < 2)", "tp == 8", "tp != 8", "tp < 9 and pp == 4", "tp in {1, 8}", "tp >= 2"]
)
def test_a_condition_is_known_as_one(text: str) -> None:
    assert is_condition(lowered(text), "it") and value(f"2 if {text} else 1") == value(text) + 1


@pytest.mark.parametrize("text", ["-tp", "tp ** 2", "2 if tp > 4 else 3", "max(tp, 2)"])
def test_a_number_is_no_condition(text: str) -> None:
    assert not is_condition(lowered(text), "it")


@pytest.mark.parametrize("text", ["price", "tokens + 1", "max_stages(price)", "price < 3", "run.cost"])
def test_what_a_question_leaves_out_has_no_value(text: str) -> None:
    with pytest.raises(InputError) as raised:
        value(text)
    assert raised.value.diagnostics[0].code == "E322"


def test_what_a_question_gives_has_its_value() -> None:
    assert value("price * 2 + tokens", f"{PLAN},price=2.5,tokens=1000") == 1005
