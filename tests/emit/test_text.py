"""The text format: how formulas look, and that what is printed reads back as the same number."""

from __future__ import annotations

import sys
from fractions import Fraction
from typing import Any

import pytest
import sympy
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Add, Float, Integer, Mul, Pow, Rational, Symbol, ceiling, exp, floor, sqrt

from symsim import functions
from symsim.emit import text
from symsim.functions import (
    at_most,
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
from symsim.records.cost import Definition
from symsim.symbols import symbol
from tests.emit import samples
from tests.emit.formulas import STAGES, UndefinedError, environments, formulas, value
from tests.emit.golden_files import assert_golden
from tests.readers.evaluation import Environment, evaluate_page
from tests.readers.text_reader import read, read_page

tp, cp, pp, dp, mbs, seq, m, i, n, T, V, P, F, t = samples.names("tp cp pp dp mbs seq m i n T V P F t")
a, b, c = samples.names("a b c")


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        (n * (855638016 / tp + 16384), "n·(855 638 016/tp + 16 384)"),
        (8192 * V / tp * equal(i, pp - 1), "[i = pp − 1]·8192·V/tp"),
        (equal(i, 0) + 1, "[i = 0] + 1"),
        (12 * P / (dp * cp), "12·P/(dp·cp)"),
        (2 * a / (3 * b), "2·a/(3·b)"),
        (Rational(1, 3), "1/3"),
        (-Rational(1, 3) * a, "−a/3"),
        (1 / tp, "1/tp"),
        (seq**2 * mbs, "mbs·seq²"),
        (a**3 + a**4, "a^4 + a³"),
        (a / b**2, "a/b²"),
        (sqrt(a) + 1 / sqrt(b + c), "√a + 1/√(b + c)"),
        (a ** Rational(3, 2), "a^(3/2)"),
        (Integer(2) ** (i - pp), "2^(i − pp)"),
        (Integer(2) ** -pp, "1/2^pp"),
        ((a / b) ** Rational(1, 3), "(a/b)^(1/3)"),
        (-(a + b) * c, "−c·(a + b)"),
        (Mul(-1, a + b, evaluate=False), "−(a + b)"),
        (a / (b / c), "a·c/b"),
        (Pow(Mul(a, Pow(b, -1)), -1, evaluate=False), "b/a"),
        (a / (b + c), "a/(b + c)"),
        (Add(a, Mul(-1, Add(b, c), evaluate=False), evaluate=False), "a − (b + c)"),
        (Mul(2, Mul(3, a, evaluate=False), evaluate=False), "2·3·a"),
        (pp - i, "pp − i"),
        (pp - i - 1, "pp − i − 1"),
        (1 - a, "1 − a"),
        (-a - b, "−a − b"),
        (minimum(m, pp - i), "min(m, pp − i)"),
        (maximum(a, b / tp, 3), "max(a, b/tp, 3)"),
        (less(i, 3) * at_most(tp, 8), "[tp ≤ 8]·[i < 3]"),
        (ceiling(a / b) * floor(c / 2), "⌈a/b⌉·⌊c/2⌋"),
        (remainder(i + 1, 2 * pp), "(i + 1) mod (2·pp)"),
        (2 * remainder(i, 2) + 1, "2·(i mod 2) + 1"),
        (equal(remainder(i, 2), 0), "[i mod 2 = 0]"),
        (where(less(i, 3), a, b) * 2, "2·(a if i < 3 else b)"),
        (where(c, a, b - 1), "(a if c else b − 1)"),
        (measured(Symbol("matmul.forward"), T, 8192, 10240 / tp), "matmul.forward(T, 8192, 10 240/tp)"),
        (functions.measured(measured(Symbol("matmul.forward"), T), a / b), "measured(matmul.forward(T), a/b)"),
        (stage_sum(F) + stage_max(F + t), "max_i(F + t) + sum_i(F)"),
        (stage_pick(t, F), "at_max_i(F, t)"),
        (sum_before(F + t) + max_to(F) * max_from(t), "max_from_i(t)·max_to_i(F) + sum_before_i(F + t)"),
        (symbol("hbm.latency") + a / symbol("hbm.bandwidth"), "a/hbm.bandwidth + hbm.latency"),
    ],
    ids=str,
)
def test_a_formula_is_written_as_a_person_would(expression: Any, printed: str) -> None:
    assert text.expression(expression) == printed


@pytest.mark.parametrize(
    ("number", "printed"),
    [
        (Integer(8192), "8192"),
        (Integer(-16384), "−16 384"),
        (Integer(10) ** 18, "1 000 000 000 000 000 000"),
        (Float(0.88), "0.88"),
        (Float(2.0), "2.0"),
        (Float(0.1) + Float(0.2), "0.30000000000000004"),
        (Float(12345.5), "12 345.5"),
        (Float(989e12), "989e12"),
        (Float(3.35e12), "3.35e12"),
        (Float(6e-6), "6e-6"),
        (Float(-0.00025), "−250e-6"),
    ],
    ids=str,
)
def test_numbers_are_exact_and_short(number: Any, printed: str) -> None:
    assert text.expression(number) == printed


@given(st.floats(min_value=1e-300, max_value=1e300))
def test_every_float_reads_back_as_itself(number: float) -> None:
    assert read(text.expression(Float(number)))(Environment({}, number=float)) == number


def test_sizes_come_before_ranks_whatever_order_sympy_has_them_in() -> None:
    assert text.expression(tp * symbol("hidden") * seq * mbs) == "mbs·seq·hidden·tp"


def test_a_total_follows_the_order_in_which_its_parts_are_defined() -> None:
    parts = samples.names("weights gradients optimizer overhead")
    total = sum(parts) + (n - 1) * symbol("saved")
    order = ["n", "weights", "gradients", "saved", "optimizer", "overhead"]
    assert text.expression(total, order) == "weights + gradients + saved·(n − 1) + optimizer + overhead"


def test_what_is_not_in_the_vocabulary_of_functions_is_refused() -> None:
    with pytest.raises(TypeError, match="exp"):
        text.expression(exp(a))


def test_a_table_needs_a_name() -> None:
    with pytest.raises(TypeError, match="name"):
        text.expression(measured(Integer(3), a))


@given(formulas(), environments)
@settings(max_examples=300, deadline=None)
def test_a_formula_reads_back_as_the_same_number(formula: Any, environment: Environment) -> None:
    environment = environment.at_stage(1)
    try:
        expected = value(formula, environment)
    except UndefinedError:
        assume(False)
    assert read(text.expression(formula))(environment) == expected


def test_page() -> None:
    title = "llama3_70b · memory and time of one GPU on pipeline stage i"
    assert_golden("llama3_70b.txt", text.definitions(samples.llama3_70b(), title, inputs=True))


def test_page_of_one_part_has_its_unit_in_the_headline() -> None:
    memory = [definition for definition in samples.llama3_70b() if definition.part == "memory"]
    assert_golden("memory.txt", text.definitions(memory, "llama3_70b · memory of one GPU on pipeline stage i"))


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_page_reads_back_at_every_width(width: int) -> None:
    definitions = samples.llama3_70b()
    page = read_page(text.definitions(definitions, "llama3_70b", width=width, inputs=True))
    assert [(reading.name, reading.note.split(" (")[0]) for reading in page] == [
        (definition.name, definition.meaning) for definition in definitions
    ]
    inputs = {"tp": 8, "cp": 2, "pp": 4, "dp": 2, "mbs": 1, "seq": 8192, "m": 16}
    figures = {"matmul.bf16": 989e12, "hbm.bandwidth": 3.35e12, "hbm.latency": 3e-6, "hbm.efficiency": 0.88}
    free = {**inputs, **figures, "link.all_reduce.latency": 1e-5}
    environment = Environment(
        {name: Fraction(number) for name, number in free.items()}, table=lambda name, dimensions: Fraction(3, 4)
    )
    values = evaluate_page(page, environment, stage_count=4)
    assert values["P"][0] == 20 * (855638016 // 8 + 16384) + 8192 * (128 * 8 * 126) // 8
    assert values["peak"][3] == sum(values[part][3] for part in ("weights", "gradients", "optimizer", "activations"))
    assert values["iteration"][0] == 19 * 3 * max(values["F"]) + 2 * max(values["F"]) + sum(values["F"]) / 4


@pytest.mark.parametrize("comparison", [equal, less, at_most])
def test_what_is_no_number_is_not_decided(comparison: Any) -> None:
    assert comparison(sympy.oo, sympy.oo).func is comparison


@given(
    st.lists(formulas(), min_size=1, max_size=4),
    st.lists(st.text("abc ·=", max_size=90).map("meaning {}".format), min_size=4, max_size=4),
    st.integers(30, 130),
    environments,
)
@settings(deadline=None)
def test_any_page_reads_back(bodies: list[Any], meanings: list[str], width: int, environment: Environment) -> None:
    definitions = [
        Definition(f"defined.as_number_{k}" * (1 + k % 2), body, meaning, "", "stage", "time")
        for k, (body, meaning) in enumerate(zip(bodies, meanings, strict=False))
    ]
    page = read_page(text.definitions(definitions, "any", width=width))
    assert [(reading.name, reading.note) for reading in page] == [
        (definition.name, " ".join(definition.meaning.split())) for definition in definitions
    ]
    environment = environment.at_stage(STAGES - 1)
    for reading, body in zip(page, bodies, strict=True):
        try:
            expected = value(body, environment)
        except UndefinedError:
            continue
        assert reading.evaluate(environment) == expected


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_wider_than_the_page(width: int) -> None:
    page = text.definitions(samples.llama3_70b(), "llama3_70b", width=width, inputs=True)
    assert max(map(len, page.split("\n"))) <= width


def test_a_meaning_without_room_stands_below_its_formula() -> None:
    long = Definition("P", tp + sum(samples.names("a b c d")), "what it means", "", "run", "sizes")
    short = Definition("n", 80 / pp, "layers on the stage", "", "run", "sizes")
    assert text.definitions([short, long], "page", width=34).split("\n")[2:] == [
        "  n = 80/pp   layers on the stage",
        "  P = a + b + c + d + tp",
        "              what it means",
        "",
    ]


def test_a_formula_without_room_stands_below_its_name() -> None:
    name = "w.recomputed.attention.context.backward"
    formula = sum(samples.names("weights gradients optimizer activations workspace"))
    page = text.definitions([Definition(name, formula, "", "", "run", "sizes")], "page", width=66)
    assert page.split("\n")[2:4] == [
        f"  {name} =",
        "      activations + gradients + optimizer + weights + workspace",
    ]


def test_a_meaning_that_repeats_the_name_is_left_out() -> None:
    found = [
        Definition("weights", 2 * P, "weights", "bytes", "stage", "memory"),
        Definition("sent_gradient", 4 * P, "sent gradient", "bytes", "stage", "memory"),
        Definition("optimizer", 6 * P, "optimizer states", "bytes", "stage", "memory"),
    ]
    assert [reading.note for reading in read_page(text.definitions(found, "page"))] == ["", "", "optimizer states"]


def test_printing_asks_no_assumptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deriving what sympy assumes of a long formula takes longer than printing it."""

    def asked(fact: object, of: object) -> None:
        raise AssertionError(f"asked whether {of} is {fact}")

    definitions = samples.llama3_70b()
    monkeypatch.setattr(sys.modules["sympy.core.assumptions"], "_ask", asked)
    text.definitions(definitions, "speed")


@pytest.mark.parametrize(("longest", "column"), [(14, 17), (15, 4)])
def test_equal_signs_are_in_one_column_for_names_of_up_to_14_letters(longest: int, column: int) -> None:
    made = [Definition(name, symbol("tp"), "", "", "run", "sizes") for name in ("a", "b" * longest)]
    lines = text.definitions(made, "title").splitlines()
    assert next(line for line in lines if line.startswith("  a ")).index("=") == column
