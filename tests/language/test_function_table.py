"""Every function of the language, with too few and too many arguments, wherever an expression is read."""

from __future__ import annotations

from pathlib import Path

import pytest

from symsim.diagnostics import InputError, Source
from symsim.language.expressions import Plain, evaluate
from symsim.language.function_table import FUNCTIONS, STAGE_FUNCTIONS
from symsim.language.parser import parse_expression
from tests.errors.case import Outcome, run, write
from tests.errors.texts import SMALL_PLAN, layers_of

EVERY = {**FUNCTIONS, **STAGE_FUNCTIONS}
PLAN = ("gpt2_xl", "-s", SMALL_PLAN, "-y", "h100_sxm")
SPACE = ("gpt2_xl", "-s", f"{SMALL_PLAN},tp in {{1, 2}}", "-y", "h100_sxm")


def wrong_calls() -> list[str]:
    """Each function with one argument too few and one too many: of a number, and of what a plan decides."""
    return [
        f"{name}({', '.join([argument] * count)})"
        for name, function in EVERY.items()
        for count in (function.least - 1, function.most + 1)
        for argument in (("1", "tp") if count else ("",))
    ]


def check(found: Outcome, call: str) -> None:
    name = call.partition("(")[0]
    assert found.status == 2
    assert found.out == ""
    assert f"error[E205]: {name}() takes " in found.err
    assert "  hint: for example " in found.err


@pytest.mark.parametrize("call", wrong_calls())
def test_of_a_sensitivity(call: str) -> None:
    check(run("sensitivity", *PLAN, "--of", call), call)


@pytest.mark.parametrize("call", wrong_calls())
def test_requirement_of_a_command(call: str) -> None:
    check(run("search", *SPACE, "--require", f"{call} <= 8"), call)


@pytest.mark.parametrize("call", wrong_calls())
def test_condition_of_solve(call: str) -> None:
    check(run("solve", *PLAN, "--for", "mbs", "--subject-to", f"{call} <= 8"), call)


@pytest.mark.parametrize("call", wrong_calls())
def test_requirement_of_a_file(call: str, tmp_path: Path) -> None:
    write(tmp_path, {"plan.sym": SMALL_PLAN.replace(",", "\n") + f"\nrequire {call} <= 8\n"})
    check(run("eval", "gpt2_xl", "-s", str(tmp_path / "plan.sym"), "-y", "h100_sxm"), call)


@pytest.mark.parametrize("call", [c for c in wrong_calls() if c.partition("(")[0] in FUNCTIONS])
def test_value_of_a_choice(call: str) -> None:
    check(run("eval", "gpt2_xl", "-s", f"{SMALL_PLAN.replace('tp=1,', '')},vp={call}"), call)


@pytest.mark.parametrize("call", [c for c in wrong_calls() if c.partition("(")[0] in FUNCTIONS])
def test_size_of_an_operator(call: str, tmp_path: Path) -> None:
    """In the library an argument may be a size that stays a symbol."""
    operator = f"operator op(x[rows, width]) -> y[rows, width] {{ forward {{ traffic x * {call} }} }}"
    write(tmp_path, {"odd.sym": layers_of("residual { op }", operator)})
    check(run("eval", str(tmp_path / "odd.sym"), "-s", SMALL_PLAN), call)


@pytest.mark.parametrize(("text", "value"), [("min(8)", 8), ("max(3)", 3), ("several(1)", 0), ("several(2)", 1)])
def test_fewest_arguments_have_a_value(text: str, value: int) -> None:
    assert evaluate(parse_expression(Source("<test>", text)), Plain({})) == value


@pytest.mark.parametrize("name", STAGE_FUNCTIONS)
def test_function_of_stages_is_refused_where_there_is_no_plan(name: str) -> None:
    with pytest.raises(InputError, match="needs a quantity that each pipeline stage has"):
        evaluate(parse_expression(Source("<test>", f"{name}(1)")), Plain({}))
