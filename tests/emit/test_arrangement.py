"""What every emitter relies on: signs, fraction bars, order, and what a document says around formulas."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import assume, given, settings
from sympy import Add, Mul

from symsim.emit import document, text
from symsim.emit.arrangement import Name, Number, Product, Sum, arrange, over_one_denominator
from symsim.functions import equal
from symsim.records.cost import Definition
from symsim.symbols import VOCABULARY, symbol
from tests.emit import samples
from tests.emit.formulas import UndefinedError, environments, formulas, value
from tests.readers.evaluation import Environment
from tests.readers.text_reader import read

a, b, c, tp, i, n = samples.names("a b c tp i n")


def test_a_product_has_one_sign_and_one_fraction_bar() -> None:
    assert arrange(-2 * a / (3 * b)) == Product((Number(2), Name("a")), (Number(3), Name("b")), negative=True)


def test_a_sum_of_negative_terms_gives_its_sign_to_the_product() -> None:
    assert arrange(Mul(c, Add(-a, -b), evaluate=False)) == Product((Name("c"), Sum((Name("a"), Name("b")))), (), True)


def test_conditions_come_first_and_numbers_before_names() -> None:
    product = arrange(tp * n * 8 * equal(i, 0))
    assert isinstance(product, Product)
    assert [type(factor).__name__ for factor in product.numerator] == ["Call", "Number", "Name", "Name"]
    assert product.numerator[2:] == (Name("n"), Name("tp"))


def test_what_has_no_denominator_is_left_alone() -> None:
    node = arrange(a + b * c)
    assert over_one_denominator(node) is node


def test_a_common_denominator_is_as_small_as_the_given_ones_allow() -> None:
    assert text.render(over_one_denominator(arrange(a / (2 * b) + c / (3 * b) + 1))) == "(3·a + 2·c + 6·b)/(6·b)"


@given(formulas(), environments)
@settings(max_examples=300, deadline=None)
def test_one_denominator_changes_no_value(formula: Any, environment: Environment) -> None:
    environment = environment.at_stage(1)
    try:
        expected = value(formula, environment)
    except UndefinedError:
        assume(False)
    assert read(text.render(over_one_denominator(arrange(formula))))(environment) == expected


def define(name: str, unit: str, part: str = "memory") -> Definition:
    return Definition(name, symbol("tp") * symbol("bandwidth"), "", unit, "run", part)


@pytest.mark.parametrize(
    ("units", "unit"), [(["bytes", "bytes", ""], "bytes"), (["bytes", "", ""], ""), (["bytes", "tokens", "s"], "")]
)
def test_the_unit_of_a_part_is_that_of_at_least_half_of_it(units: list[str], unit: str) -> None:
    formulas_of_part = document.arranged([define(f"d_{k}", each) for k, each in enumerate(units)])
    assert [part.unit for part in document.parts(formulas_of_part)] == [unit]


def test_inputs_are_in_the_order_of_the_vocabulary_then_as_they_appear() -> None:
    first = Definition("x", symbol("b") + symbol("a") * symbol("seq"), "", "", "run", "sizes")
    second = Definition("y", symbol("x") * symbol("tp"), "", "", "run", "sizes")
    free = document.inputs(document.arranged([first, second]))
    assert [entry.name for entry in free] == ["tp", "seq", "a", "b"]
    assert free[0].meaning == VOCABULARY["tp"].meaning


def test_a_unit_that_the_meaning_says_is_not_repeated() -> None:
    assert document.noted("tokens of one sequence", "tokens") == "tokens of one sequence"
    assert document.noted("held by  one rank", "bytes") == "held by one rank (bytes)"
