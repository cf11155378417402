"""Symbolic sizes are bounded in each of the ways in which they can grow."""

from __future__ import annotations

import pytest
import sympy

from symsim.diagnostics import InputError, Place, Source
from symsim.functions import maximum
from symsim.language.expression_growth_limit import MAX_DEPTH, MAX_NODES, MAX_TERMS, check_growth

PLACE = Place(Source("x", "x"), 1, 1)
SYMBOLS = sympy.symbols(f"a0:{MAX_NODES}", positive=True)


def is_refused(value: object) -> bool:
    try:
        check_growth(value, PLACE)
    except InputError as problem:
        assert problem.diagnostics[0].code == "E110"
        return True
    return False


def test_terms_of_a_sum_are_bounded() -> None:
    assert not is_refused(sympy.Add(*SYMBOLS[:MAX_TERMS]))
    assert is_refused(sympy.Add(*SYMBOLS[: MAX_TERMS + 1]))


def test_terms_of_a_product_of_sums_are_those_when_it_is_multiplied_out() -> None:
    sums = [sympy.Add(*SYMBOLS[k : k + 11]) for k in (0, 11)]
    assert not is_refused(sums[0])
    assert is_refused(sympy.Mul(*sums, evaluate=False))


def test_terms_of_a_power_are_those_when_it_is_multiplied_out() -> None:
    """(a + b + c)¹⁶ has 153 terms, (a + b)¹⁶ has 17."""
    assert is_refused(sympy.Add(*SYMBOLS[:3]) ** 16)
    assert not is_refused(sympy.Add(*SYMBOLS[:2]) ** 16)


def test_nodes_are_bounded_where_there_is_one_term_that_nests_little() -> None:
    """A function is one term, whatever it is of; sums inside of it are counted as nodes alone."""
    sums = [sympy.Add(*SYMBOLS[k : k + 20]) for k in range(0, MAX_NODES, 20)]
    assert is_refused(maximum(*sums))
    assert not is_refused(maximum(*sums[: len(sums) // 2]))


def test_depth_is_bounded() -> None:
    def nested(depth: int) -> sympy.Expr:
        found: sympy.Expr = SYMBOLS[0]
        for k in range((depth - 1) // 2):
            found = maximum(sympy.Add(found, 1), SYMBOLS[k + 1])
        return found

    assert not is_refused(nested(MAX_DEPTH - 1))
    assert is_refused(nested(MAX_DEPTH + 3))


@pytest.mark.parametrize("value", [2, 2**2000, True, "word"])
def test_plain_values_pass(value: object) -> None:
    assert not is_refused(value)
