"""Hostile expressions take little work: numbers, sets and formulas stay small, or are refused."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import symsim
from symsim.diagnostics import InputError, Source
from symsim.language.expressions import MAX_BITS, MAX_ITEMS, Plain, evaluate
from symsim.language.parser import parse_expression

PACKAGE = Path(symsim.__file__).parent
SCOPE = Plain({"a": 7, "b": Fraction(3, 2), "huge": 10**39, "word": "rope", "flag": True})

atoms = st.sampled_from(
    ["2", "10", "0.5", "1e39", "1e-39", "0", "a", "b", "huge", "word", "flag", "missing", '"text"', "1..99999"]
)
operators = st.sampled_from(["**", "*", "/", "-", "+", "%", "in", "==", "<", "and"])
functions = st.sampled_from(["min", "max", "ceil", "floor", "divisors", "table", "eval"])
expressions = st.recursive(
    atoms,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, operators, inner),
        st.builds("(-{})".format, inner),
        st.builds("(not {})".format, inner),
        st.builds("({} if {} else {})".format, inner, inner, inner),
        st.builds("{}({})".format, functions, inner),
        st.builds("{}({}, {})".format, functions, inner, inner),
        st.builds("{{{}, {}}}".format, inner, inner),
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(expressions)
def test_value_is_small_or_refused(text: str) -> None:
    try:
        value = evaluate(parse_expression(Source("<test>", text)), SCOPE)
    except InputError as problem:
        assert all(d.hint and d.place for d in problem.diagnostics)
        return
    if isinstance(value, int | Fraction):
        assert max(value.numerator.bit_length(), value.denominator.bit_length()) <= MAX_BITS
    else:
        assert isinstance(value, str) or len(value) <= 2 * MAX_ITEMS


REFUSED = {
    "power of a power": "2**10**10",
    "power in parentheses": "2**(10**10)",
    "power of a large number": "(2**2000)**2000",
    "tower": "10**10**10**10",
    "power of a fraction": "(0.5)**100000",
    "huge exponent": "1e999999999",
    "tiny exponent": "1e-999999999",
    "digits": "9" * 100_000,
    "decimals": "0." + "9" * 100_000,
    "product": "*".join(["1e39"] * 100),
    "range": "1..1000000000000000",
    "divisors": "divisors(10**13)",
    "parentheses": "(" * 200 + "1" + ")" * 200,
    "sets": "{" * 101 + "}" * 101,
    "minus signs": "-" * 10_000 + "1",
    "sum": "+".join("1" * 9_000),
    "powers": "1**" * 9_000 + "1",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=[n.replace(" ", "-") for n in REFUSED])
def test_refused(text: str) -> None:
    with pytest.raises(InputError):
        evaluate(parse_expression(Source("<test>", text)), SCOPE)


def test_divisors_of_a_million_millions() -> None:
    found = evaluate(parse_expression(Source("<test>", "divisors(10**12)")), SCOPE)
    assert len(found) == 13 * 13


def nodes() -> Iterator[tuple[Path, ast.AST]]:
    """Everything that symsim's own source consists of."""
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            yield path, node


def test_nothing_of_the_source_evaluates_text() -> None:
    """``eval``, ``exec`` and their like stand in one place: where registers become a function."""
    refused = {"eval", "exec", "compile", "__import__", "parse_expr", "lambdify", "literal_eval"}
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path, node in nodes()
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in refused
    }
    assert found == {"emit/code.py"}


def test_nothing_of_the_source_starts_programs_or_unpickles() -> None:
    refused = {"pickle", "marshal", "shelve", "subprocess", "socket", "ctypes", "urllib", "http", "code", "pty"}
    found = {name.name.partition(".")[0] for _, node in nodes() if isinstance(node, ast.Import) for name in node.names}
    assert not found & refused
