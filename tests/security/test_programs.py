"""Programs read from outside: refused, or nothing but arithmetic."""

from __future__ import annotations

import ast
import copy
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from symsim.analysis.evaluate import evaluator
from symsim.emit.code import compile_array, compile_scalar
from symsim.emit.program import OPERATIONS, Program, from_json, to_json
from symsim.loading.question import question
from tests.errors.texts import INLINE, SMALL_PLAN

HOSTILE = [
    "__import__",
    "__import__('os')",
    "r0",
    "add\n",
    "'",
    '"',
    "x)\nimport os\n(",
    "\0",
    "\ud800",
    "lookup",
    "eval",
]

names = st.one_of(st.sampled_from([*OPERATIONS, "const", "table", *HOSTILE]), st.text(max_size=8))
numbers = st.one_of(st.integers(-3, 60), st.integers(), st.floats(), st.booleans())
junk = st.recursive(
    st.one_of(st.none(), names, numbers),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(names, inner, max_size=4)),
    max_leaves=12,
)
instructions = st.lists(st.lists(st.one_of(names, numbers), max_size=4), max_size=6)
programs = st.fixed_dictionaries(
    {
        "title": st.one_of(names, junk),
        "inputs": st.one_of(st.lists(names, max_size=3), junk),
        "instructions": st.one_of(instructions, junk),
        "outputs": st.one_of(st.dictionaries(names, st.lists(st.one_of(names, numbers), max_size=4), max_size=3), junk),
        "rules": st.one_of(st.lists(junk, max_size=3), junk),
    }
)


@cache
def shipped() -> dict[str, Any]:
    asked = question(INLINE, SMALL_PLAN, None)
    return to_json(evaluator(asked.model, asked.plan.structure).program)


@st.composite
def mutated(draw: st.DrawFn) -> Any:
    """A real program with a few of its parts replaced."""
    data = copy.deepcopy(shipped())
    for _ in range(draw(st.integers(1, 4))):
        part = draw(
            st.sampled_from(["instructions", "instructions", "instructions", "outputs", "rules", "inputs", "title"])
        )
        value = draw(st.one_of(junk, names, numbers))
        if part == "title":
            data["title"] = value
            continue
        items = data[part]
        key: Any = draw(st.sampled_from(sorted(items)) if isinstance(items, dict) else st.integers(0, len(items) - 1))
        if draw(st.booleans()) and isinstance(items[key], list) and items[key]:
            items[key][draw(st.integers(0, len(items[key]) - 1))] = value
        else:
            items[key] = value
    return data


def read(data: Any) -> Program | None:
    """The program, or nothing where it is refused: ValueError is the only way to refuse."""
    try:
        return from_json(data)
    except ValueError:
        return None


@settings(deadline=None)
@given(st.one_of(junk, programs))
def test_junk_is_refused_with_a_value_error_or_is_arithmetic(data: Any) -> None:
    program = read(data)
    if program is not None:
        assert_arithmetic(program)


@settings(max_examples=60, deadline=None)
@given(mutated())
def test_changed_program_is_refused_or_is_arithmetic(data: Any) -> None:
    program = read(data)
    if program is not None:
        assert_arithmetic(program)


def test_real_program_is_read_and_is_arithmetic() -> None:
    program = read(shipped())
    assert program is not None
    assert to_json(program) == shipped()
    assert_arithmetic(program)


CALLED = {
    *("range", "int", "sum", "min", "max", "floor", "ceil", "pick", "lookup"),
    *("array", "stages", "maximum", "minimum", "where", "masked", "last", "total", "largest", "picked"),
    *("before", "highest_to", "highest_from", "pick_to", "pick_from", "picked_to", "picked_from", "log", "power"),
}
NAMES = CALLED | {"run", "v", "x", "names", "held"}


def assert_arithmetic(program: Program) -> None:
    """The function made of a program: registers, numbers, operators and the functions of formulas."""
    if "pp" not in program.inputs:
        return
    wanted = sorted({o.register for o in program.outputs.values()} | {r.register for r in program.rules})
    for make in (compile_scalar, compile_array):
        for node in ast.walk(ast.parse(make(program, wanted).source)):
            _check(node)


def _check(node: ast.AST) -> None:
    match node:
        case ast.Name(id=name):
            assert name in NAMES or (name[0] in "rc" and name[1:].isdigit()), name
        case ast.Call(func=ast.Attribute(value=ast.Name(id=collected), attr="append")):
            assert collected[0] == "c" and collected[1:].isdigit()
        case ast.Call(func=function):
            assert isinstance(function, ast.Name) and function.id in CALLED
        case ast.Attribute(attr=attribute):
            assert attribute == "append"
        case ast.Constant(value=value):
            assert value is None or value is ... or isinstance(value, int | float)
        case ast.Import() | ast.ImportFrom() | ast.Global() | ast.Lambda() | ast.JoinedStr() | ast.Await():
            raise AssertionError(ast.dump(node))


@pytest.mark.parametrize(
    ("instruction", "of_run"), [(["add", 0, 1], False), (["add", 0, 0], True), (["stage_sum", 1], True)]
)
def test_what_any_part_of_differs_between_stages_is_no_number_of_the_run(instruction: list[Any], of_run: bool) -> None:
    """Register 0 is pp, 1 the stage."""
    outputs = {"x": [2, "run", "", ""]}
    data = {
        "title": "",
        "inputs": ["pp"],
        "instructions": [instruction],
        "outputs": outputs,
        "rules": [],
        "figures": {},
    }
    if of_run:
        assert from_json(data).outputs["x"].scope == "run"
    else:
        with pytest.raises(ValueError):
            from_json(data)
