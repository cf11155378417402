r"""The LaTeX format: how formulas look, and that what is printed reads back as the same number."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sympy import Float, Integer, Mul, Rational, Symbol, ceiling, floor, sqrt

from symsim import functions
from symsim.emit import latex
from symsim.emit.arrangement import Sum, arrange
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
from symsim.symbols import VOCABULARY, symbol
from tests.emit import samples
from tests.emit.formulas import UndefinedError, environments, formulas, value
from tests.emit.golden_files import assert_golden
from tests.readers.evaluation import Environment
from tests.readers.latex_reader import read, read_name, read_page

tp, pp, seq, m, i, n, T, V, F, t = samples.names("tp pp seq m i n T V F t")
a, b, c = samples.names("a b c")


@pytest.mark.parametrize(
    ("expression", "printed"),
    [
        (855638016 * n / tp, r"\frac{855\,638\,016 \cdot n}{\mathit{tp}}"),
        (8192 * V / tp * equal(i, pp - 1), r"[i = \mathit{pp} - 1] \cdot \frac{8192 \cdot V}{\mathit{tp}}"),
        ((8 / tp + 2) / m, r"\frac{1}{m} \cdot \left( \frac{8}{\mathit{tp}} + 2 \right)"),
        (n * (8 / tp + 2) / m, r"\frac{n}{m} \cdot \left( \frac{8}{\mathit{tp}} + 2 \right)"),
        ((m + pp - 1) / m, r"\frac{m + \mathit{pp} - 1}{m}"),
        (-(Rational(1, 3)) * a, r"-\frac{a}{3}"),
        (Mul(-1, a - b, evaluate=False), "-(a - b)"),
        (seq**2, r"\mathit{seq}^{2}"),
        ((a / b) ** c, r"\left( \frac{a}{b} \right)^{c}"),
        (((a + 1) ** b) ** c, r"((a + 1)^{b})^{c}"),
        (sqrt(a + b), r"\sqrt{a + b}"),
        (Float(989e12) * a, r"989 \times 10^{12} \cdot a"),
        (Float(0.5) * a, r"0.5 \cdot a"),
        (at_most(tp, 8) + less(i, a), r"[\mathit{tp} \le 8] + [i < a]"),
        (ceiling(a / b), r"\left\lceil \frac{a}{b} \right\rceil"),
        (floor(a + b / 2 + c, evaluate=False), r"\left\lfloor a + \frac{b}{2} + c \right\rfloor"),
        (minimum(m, pp - i), r"\min(m, \mathit{pp} - i)"),
        (maximum(a, b / 2), r"\max\left( a, \frac{b}{2} \right)"),
        (1 + remainder(a, b), r"(a \bmod b) + 1"),
        (where(less(i, 3), a, b), r"\begin{cases} a & \text{if } i < 3 \\ b & \text{otherwise} \end{cases}"),
        (measured(Symbol("all_reduce.link"), T), r"\mathrm{all\_reduce{.}link}(T)"),
        (
            functions.measured(measured(Symbol("matmul"), T), a + b),
            r"\operatorname{measured}(\mathrm{matmul}(T), a + b)",
        ),
        (stage_sum(F), r"\sum_{i} F"),
        (2 * stage_sum(F + 1), r"2 \cdot \left( \sum_{i} (F + 1) \right)"),
        (stage_max(F), r"\max_{i}(F)"),
        (2 * sum_before(F + 1), r"2 \cdot \left( \sum_{<i} (F + 1) \right)"),
        (max_to(F) + max_from(t), r"\max_{\ge i}(t) + \max_{\le i}(F)"),
        (stage_pick(t, F), r"\left. t \right|_{i = \arg\max F}"),
        (Integer(0), "0"),
    ],
    ids=str,
)
def test_a_formula_is_written_as_a_person_would(expression: Any, printed: str) -> None:
    assert latex.expression(expression) == printed


def test_a_long_sum_in_parentheses_is_stacked() -> None:
    terms = samples.names(" ".join(f"quantity_{k}" for k in range(9)))
    printed = latex.expression(2 * n * sum(terms))
    assert printed.startswith(r"2 \cdot n \cdot \left( \begin{aligned} & \mathrm{quantity\_0} \\ & + ")


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("tp", r"\mathit{tp}"),
        ("world", "W"),
        ("W", r"\mathrm{W}"),
        ("P", "P"),
        ("n_dense", r"n_{\text{dense}}"),
        ("weights", r"\mathrm{weights}"),
        ("rotated_dim", r"\mathrm{rotated\_dim}"),
        ("hbm.bandwidth", r"\mathrm{hbm{.}bandwidth}"),
    ],
)
def test_names(name: str, printed: str) -> None:
    assert latex.name(name) == printed


@given(
    st.one_of(
        st.sampled_from(sorted(VOCABULARY)), st.from_regex(r"[A-Za-z][A-Za-z0-9_]*(\.[a-z0-9_]+)?", fullmatch=True)
    )
)
@settings(max_examples=500)
def test_no_two_names_look_the_same(name: str) -> None:
    assert read_name(latex.name(name)) == name


def test_the_vocabulary_gives_every_name_its_own_latex() -> None:
    assert len({entry.latex for entry in VOCABULARY.values()}) == len(VOCABULARY)


def test_prose_never_opens_a_display() -> None:
    assert latex.escaped("a ≤× b") == r"a $\le \times$ b"


def test_prose_is_escaped_for_text() -> None:
    assert latex.escaped("50 % of a_b · c, ≤ {x}") == r"50 $\%$ of a$\_$b $\cdot$ c, $\le$ \{x\}"


@given(formulas(), environments)
@settings(max_examples=300, deadline=None)
def test_a_formula_reads_back_as_the_same_number(formula: Any, environment: Environment) -> None:
    environment = environment.at_stage(1)
    try:
        expected = value(formula, environment)
    except UndefinedError:
        assume(False)
    assert read(latex.expression(formula))(environment) == expected


def test_displays() -> None:
    assert_golden("llama3_70b.tex", latex.definitions(samples.llama3_70b(), "llama3_70b · memory and time of one GPU"))


def test_displays_read_back() -> None:
    definitions = samples.llama3_70b()
    page = read_page(latex.definitions(definitions, "llama3_70b"))
    assert [reading.name for reading in page] == [definition.name for definition in definitions]
    assert page[0].note == "layers on the stage"
    assert page[4].evaluate(Environment({"n": 20, "tp": 8, "V": 129024, "i": 0, "pp": 4})) == (
        20 * (855638016 // 8 + 16384) + 8192 * 129024 // 8
    )


@given(st.lists(formulas(), min_size=1, max_size=3), environments)
@settings(deadline=None)
def test_any_display_reads_back(bodies: list[Any], environment: Environment) -> None:
    environment = environment.at_stage(1)
    definitions = [Definition(f"d_{k}", body, "100 %", "B", "stage", "time") for k, body in enumerate(bodies)]
    page = read_page(latex.definitions(definitions, "any"))
    assert [reading.name for reading in page] == [definition.name for definition in definitions]
    for reading, body in zip(page, bodies, strict=True):
        try:
            expected = value(body, environment)
        except UndefinedError:
            continue
        assert reading.evaluate(environment) == expected


def test_a_symbol_of_the_vocabulary_is_not_confused_with_a_definition() -> None:
    world_and_w = symbol("world") - symbol("W")
    assert read(latex.expression(world_and_w))(Environment({"world": 5, "W": 3})) == 2


def test_a_long_sum_has_as_many_terms_on_a_line_as_fit_in_order() -> None:
    terms = [Symbol(letter * 7 + str(k)) for k, letter in enumerate("bdghknopqruvwyz")]
    node = arrange(sum(terms, Integer(0)))
    assert isinstance(node, Sum)
    lines = latex._lines(node)
    assert " ".join(lines) == " ".join(latex._terms(node.terms))
    assert len(lines) > 2
    for line, following in pairwise(lines):
        sign, name, *_ = following.split(" ")
        assert latex._length(line) <= latex._LINE < latex._length(line) + 1 + latex._length(f"{sign} {name}")
