"""The emitted function: how it looks, that it runs alone, and that it computes the same numbers."""

from __future__ import annotations

import ast
import inspect
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Float, Mul, Symbol, ceiling, floor, sqrt

from symsim import functions
from symsim.emit import python, text
from symsim.functions import (
    equal,
    less,
    max_from,
    max_to,
    maximum,
    minimum,
    remainder,
    stage_max,
    stage_pick,
    stage_sum,
    sum_before,
    where,
)
from symsim.functions import table as measured
from symsim.records.cost import Definition, Scope
from symsim.symbols import symbol
from tests.emit import samples
from tests.emit.formulas import FIGURES, OF_A_STAGE, SIZES, STAGES, UndefinedError, environments, formulas, value
from tests.emit.golden_files import assert_golden
from tests.readers.evaluation import Environment, Value, evaluate_page, power
from tests.readers.text_reader import read_page

tp, pp, m, i, n, T, F, t = samples.names("tp pp m i n T F t")
a, b, c, d = samples.names("a b c d")


def define(name: str, expression: Any, scope: Scope = "run", meaning: str = "") -> Definition:
    return Definition(name, expression, meaning, "", scope, "sizes")


def compiled(definitions: Sequence[Definition], **options: Any) -> Callable[..., dict[str, Any]]:
    namespace: dict[str, Any] = {}
    exec(python.module(definitions, "test", "formulas", **options), namespace)
    return namespace["formulas"]  # type: ignore[no-any-return]


def evaluated(expression: Any, **values: Any) -> Any:
    return compiled([define("result", expression)])(**values)["result"]


def printed(expression: Any, *others: Definition) -> str:
    source = python.module([*others, define("result", expression)], "test", "formulas")
    return source.split("    result = ")[1].split("\n")[0]


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        (855638016 * n / tp, "855_638_016 * n / tp"),
        (12 * a / (b * c), "12 * a / (b * c)"),
        (Mul(-1, a - b, evaluate=False), "-(a - b)"),
        (a**2 - sqrt(b), "a ** 2 - b ** 0.5"),
        (Float(989e12) * a, "989e12 * a"),
        (ceiling(a / b), "-(-a // b)"),
        (ceiling(-2 * a / b), "-(2 * a // b)"),
        (floor(-2 * a / b), "-2 * a // b"),
        (-floor(a / b), "-(a // b)"),
        (-remainder(a, b), "-(a % b)"),
        (floor(a / 2 + b / 3), "(3 * a + 2 * b) // 6"),
        (floor(c * (a / b + 2), evaluate=False), "c * (a + 2 * b) // b"),
        (ceiling(a), "ceil(a)"),
        (equal(a, 1) * b, "(a == 1) * b"),
        (equal(a, 1), "int(a == 1)"),
        (equal(remainder(a, 2), 0) + 1, "(a % 2 == 0) + 1"),
        (where(less(a, 3), b, c), "(b if a < 3 else c)"),
        (maximum(a, minimum(b, 3)), "max(a, min(b, 3))"),
        (measured(Symbol("matmul.forward"), T, 4096), 'table("matmul.forward", T, 4096)'),
        (functions.measured(measured(Symbol("matmul"), T), a + b), '(table("matmul", T) or a + b)'),
        (symbol("hbm.bandwidth") * a, "a * hbm_bandwidth"),
    ],
    ids=str,
)
def test_an_expression_is_plain_python(expression: Any, source: str) -> None:
    assert printed(expression) == source


@pytest.mark.parametrize(
    ("expression", "source"),
    [
        (stage_sum(F), "sum(F)"),
        (stage_max(F + t), "max(F[i] + t[i] for i in stages)"),
        (stage_pick(t, F), "t[F.index(max(F))]"),
        (stage_sum(sum_before(F)), "sum(sum(F[:i]) for i in stages)"),
        (
            stage_max(max_to(F + t) * max_from(t)),
            "max(max(t[i:]) * max(F[i] + t[i] for i in stages[:i + 1]) for i in stages)",
        ),
        (stage_pick(t + 1, F - t), "[t[i] + 1 for i in stages][max(stages, key=lambda i: F[i] - t[i])]"),
    ],
    ids=str,
)
def test_reductions_are_over_lists(expression: Any, source: str) -> None:
    assert printed(expression, define("F", pp - i, "stage"), define("t", i, "stage")) == source


def test_a_stage_definition_is_a_list_over_the_stages() -> None:
    results = compiled([define("f", minimum(m, pp - i), "stage"), define("all", stage_sum(symbol("f")))])
    assert results(m=2, pp=4) == {"f": [2, 2, 2, 1], "all": 7}


def test_the_first_of_equal_stages_is_picked() -> None:
    definitions = [define("F", minimum(i, 2), "stage"), define("picked", stage_pick(i, F))]
    assert compiled(definitions)(pp=5)["picked"] == 2


def test_a_stage_count_that_is_defined_is_not_asked_for() -> None:
    definitions = [define("pp", a / tp), define("f", pp - i, "stage")]
    assert compiled(definitions)(a=6, tp=2)["f"] == [3, 2, 1]


def test_a_stage_count_may_be_a_number() -> None:
    assert compiled([define("f", i * tp, "stage")], stage_count=3)(tp=2)["f"] == [0, 2, 4]


def test_a_run_definition_may_not_use_a_stage_outside_a_reduction() -> None:
    with pytest.raises(ValueError, match=r"'total' .* 'F'"):
        python.module([define("F", i, "stage"), define("total", F + stage_max(F))], "test", "formulas")


def test_division_is_true_division() -> None:
    assert evaluated(a / b, a=1, b=4) == 0.25


@given(st.integers(1, 10**30), st.integers(1, 10**15), st.integers(1, 10**15))
def test_rounding_is_exact_on_integers_of_any_size(first: int, second: int, third: int) -> None:
    numbers = {"a": first, "b": second, "c": third, "d": 7}
    exact = Fraction(first, second) + Fraction(third, 6 * second) - Fraction(3, 7)
    formula = a / b + c / (6 * b) - 3 / d
    assert evaluated(floor(formula, evaluate=False), **numbers) == math.floor(exact)
    assert evaluated(ceiling(formula, evaluate=False), **numbers) == math.ceil(exact)
    assert evaluated(ceiling(-formula * b, evaluate=False), **numbers) == math.ceil(-exact * second)


@given(st.lists(st.from_regex(r"[a-z][a-z_]{0,2}(\.[a-z_]{1,2})?", fullmatch=True), min_size=1, max_size=30))
def test_no_two_names_share_an_identifier(names: list[str]) -> None:
    identifiers = python.identifiers(names)
    assert len(set(identifiers.values())) == len(set(names))
    assert all(identifier.isidentifier() for identifier in identifiers.values())


def test_a_name_that_is_taken_gets_an_underscore() -> None:
    names = ["hbm.bandwidth", "hbm_bandwidth", "lambda", "max", "sum", "table"]
    assert list(python.identifiers(names).values()) == [
        "hbm_bandwidth",
        "lambda_",
        "max_",
        "sum_",
        "table_",
        "hbm_bandwidth_",
    ]


def test_module() -> None:
    assert_golden(
        "llama3_70b.py.txt", python.module(samples.llama3_70b(), "llama3_70b · memory and time", "llama3_70b")
    )


def test_module_computes_what_the_text_says() -> None:
    definitions = samples.llama3_70b()
    inputs = {"tp": 8, "cp": 2, "pp": 4, "dp": 2, "mbs": 1, "seq": 8192, "m": 16}
    figures = {"matmul.bf16": 989e12, "hbm.bandwidth": 3.35e12, "hbm.latency": 3e-6, "hbm.efficiency": 0.88}
    figures["link.all_reduce.latency"] = 1e-5
    names = {name.replace(".", "_"): number for name, number in {**inputs, **figures}.items()}
    computed = compiled(definitions)(**names, table=lambda name, *dimensions: 1 / sum(dimensions))

    environment = Environment(
        {name: Fraction(number) for name, number in {**inputs, **figures}.items()},
        table=lambda name, dimensions: 1 / Fraction(sum(dimensions)),
    )
    read = evaluate_page(read_page(text.definitions(definitions, "llama3_70b")), environment, stage_count=4)
    for name, values in read.items():
        on_stages = computed[name] if isinstance(computed[name], list) else [computed[name]] * 4
        assert on_stages == pytest.approx([float(number) for number in values], rel=1e-12)


class _Exact(ast.NodeTransformer):
    """Has a function compute in Fractions, so that its results can be compared for equality."""

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        return _called("exact", node) if isinstance(node.value, int | float) else node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        return _called("exact", node) if node.id == "i" and isinstance(node.ctx, ast.Load) else node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        node.value = self.visit(node.value)
        # An index stays an integer, and so do the ends of a slice.
        node.slice = node.slice if isinstance(node.slice, ast.Name | ast.Slice) else self.visit(node.slice)
        return node

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        return _called("exact", self.generic_visit(node))

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.op, ast.Pow):
            return _called("power", node.left, node.right)
        return _called("exact", node) if isinstance(node.op, ast.FloorDiv) else node

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        return _called("exact", node) if isinstance(node.func, ast.Name) and node.func.id in ("ceil", "floor") else node


def _called(function: str, *arguments: Any) -> ast.AST:
    return ast.Call(ast.Name(function, ast.Load()), list(arguments), [])


@given(formulas(), environments)
@settings(max_examples=300, deadline=None)
def test_any_formula_computes_the_same_number(formula: Any, environment: Environment) -> None:
    try:
        expected = [value(formula, environment.at_stage(stage)) for stage in range(STAGES)]
    except UndefinedError:
        assume(False)
    given_on_stages = [define(name, measured(Symbol(name), i), "stage") for name in OF_A_STAGE]
    source = python.module(
        [*given_on_stages, define("result", formula, "stage")], "test", "formulas", stage_count=STAGES
    )
    exact = ast.fix_missing_locations(_Exact().visit(ast.parse(source)))
    namespace: dict[str, Any] = {"exact": Fraction, "power": lambda x, y: power(Fraction(x), Fraction(y))}
    namespace["range"] = lambda count: range(int(count))
    exec(compile(exact, "<emitted>", "exec"), namespace)

    def table(name: str, *dimensions: Value) -> Value:
        if name in OF_A_STAGE:
            return environment.stages[int(dimensions[0])][name]
        return environment.table(name, dimensions)

    asked = inspect.signature(namespace["formulas"]).parameters
    identifiers = python.identifiers((*SIZES, *FIGURES))
    free = {identifiers[name]: environment.values[name] for name in (*SIZES, *FIGURES) if identifiers[name] in asked}
    assert namespace["formulas"](**free, table=table)["result"] == expected
