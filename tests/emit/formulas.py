"""Random formulas over the vocabulary, and what they are worth, to compare with what is read back."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import sympy
from hypothesis import assume
from hypothesis import strategies as st
from sympy import Add, Float, Integer, Mul, Pow, Rational, Symbol, ceiling, floor, nan, zoo

from symsim import functions
from symsim.symbols import symbol
from tests.readers.evaluation import Environment, Value, power

SIZES = ("tp", "cp", "pp", "dp", "mbs", "seq", "m", "i", "world", "zero_shard", "hidden", "n_dense", "A_moe", "T", "W")
FIGURES = ("hbm.bandwidth", "link.all_reduce.latency", "matmul.bf16", "qkv.forward")
OF_A_STAGE = ("F", "n", "weights")
TABLES = ("matmul.forward", "all_reduce")
STAGES = 3

_whole = st.integers(1, 64).map(Fraction)
_figures = st.floats(1e-6, 1e15).map(Fraction)


def _table(name: str, dimensions: tuple[Value, ...]) -> Fraction:
    """Any number that depends on the table, the dimensions and their order."""
    return Fraction(len(name), 7) + sum((Fraction(d) * (k + 2) for k, d in enumerate(dimensions)), Fraction(0))


environments = st.builds(
    lambda sizes, figures, stages: Environment({**sizes, **figures}, stages, _table),
    st.fixed_dictionaries(dict.fromkeys(SIZES, _whole)),
    st.fixed_dictionaries(dict.fromkeys(FIGURES, _figures)),
    st.tuples(
        *(
            st.fixed_dictionaries({"i": st.just(Fraction(k)), **dict.fromkeys(OF_A_STAGE, _whole)})
            for k in range(STAGES)
        )
    ),
)
"""Positive values for every name; those of a stage differ by stage."""

symbols = st.sampled_from(SIZES + FIGURES + OF_A_STAGE).map(symbol)
integers = st.one_of(st.integers(-12, 12), st.integers(-(10**19), 10**19)).map(Integer)
rationals = st.builds(Rational, st.integers(-99999, 99999), st.integers(1, 99999))
floats = st.floats(1e-9, 1e12).flatmap(lambda x: st.sampled_from([Float(x), Float(-x)]))
leaves = st.one_of(symbols, symbols, integers, rationals, floats)

_RELATIONS = (functions.equal, functions.less, functions.at_most)
_OPERATIONS = (
    *("sum", "sum", "product", "product", "quotient", "quotient", "difference", "negation", "power", "root"),
    *(
        "exponential",
        "extreme",
        "relation",
        "where",
        "guarded",
        "remainder",
        "rounded",
        "table",
        "measured",
        "stages",
        "pick",
        "scan",
    ),
)


@st.composite
def formulas(draw: st.DrawFn, depth: int = 4) -> Any:
    """Anything that a cost model may hold."""
    formula = _formula(draw, depth)
    assume(not formula.has(nan, zoo, sympy.oo, -sympy.oo, sympy.I))
    assume(all(_is_double(number) for number in formula.atoms(Float)))
    return formula


def _formula(draw: st.DrawFn, depth: int) -> Any:
    if depth == 0:
        return draw(leaves)

    def part() -> Any:
        return _formula(draw, max(0, depth - draw(st.sampled_from([1, 1, 2, 3]))))

    def several() -> list[Any]:
        return [part() for _ in range(draw(st.integers(2, 3)))]

    def as_written() -> dict[str, bool]:
        """Sympy orders and collects what it evaluates; a formula may also stay as it was written."""
        return {"evaluate": draw(st.booleans())}

    match draw(st.sampled_from(_OPERATIONS)):
        case "sum":
            return Add(*several(), **as_written())
        case "product":
            return Mul(*several(), **as_written())
        case "quotient":
            return Mul(part(), Pow(part(), -1, **as_written()), **as_written())
        case "difference":
            return Add(part(), Mul(-1, part(), **as_written()), **as_written())
        case "negation":
            return Mul(-1, part(), **as_written())
        case "power":
            return Pow(part(), draw(st.sampled_from([-3, -2, -1, 2, 3, 4])), **as_written())
        case "root":
            return Pow(draw(symbols) + draw(symbols), Rational(draw(st.sampled_from([-3, -1, 1, 3])), 2))
        case "exponential":
            return Pow(draw(st.sampled_from([2, 3])), draw(st.sampled_from([symbol("i"), -symbol("pp")])))
        case "extreme":
            return draw(st.sampled_from([functions.maximum, functions.minimum]))(*several())
        case "relation":
            return draw(st.sampled_from(_RELATIONS))(part(), part())
        case "where":
            return functions.where(part(), part(), part())
        case "guarded":
            return functions.where(draw(st.sampled_from(_RELATIONS))(draw(symbols), part()), part(), part())
        case "remainder":
            return functions.remainder(part(), part())
        case "rounded":
            return draw(st.sampled_from([floor, ceiling]))(part(), evaluate=False)
        case "table":
            return functions.table(Symbol(draw(st.sampled_from(TABLES))), *several())
        case "measured":
            return functions.measured(functions.table(Symbol(draw(st.sampled_from(TABLES))), *several()), part())
        case "stages":
            return draw(st.sampled_from([functions.stage_sum, functions.stage_max]))(part())
        case "scan":
            return draw(st.sampled_from(functions.SCANS))(part())
        case _:
            return functions.stage_pick(part(), part())


def _is_double(number: Float) -> bool:
    return math.isfinite(float(number)) and abs(float(number)) > 1e-300


class UndefinedError(ArithmeticError):
    """The formula has no real value here."""


def value(expr: Any, environment: Environment) -> Fraction:
    """What a formula is worth, straight from its sympy tree and in exact arithmetic."""
    try:
        return _value(expr, environment)
    except (ZeroDivisionError, ValueError, OverflowError) as fault:
        raise UndefinedError from fault


def _value(expr: Any, env: Environment) -> Fraction:
    if isinstance(expr, Symbol):
        return Fraction(env.values[expr.name])
    if isinstance(expr, Rational):
        return Fraction(expr.p, expr.q)
    if isinstance(expr, Float):
        return Fraction(float(expr))
    if isinstance(expr, functions.stage_sum | functions.stage_max | functions.stage_pick):
        columns = [[_value(arg, env.at_stage(k)) for k in range(STAGES)] for arg in expr.args]
        if isinstance(expr, functions.stage_pick):
            return columns[0][columns[1].index(max(columns[1]))]
        return sum(columns[0], Fraction(0)) if isinstance(expr, functions.stage_sum) else max(columns[0])
    if isinstance(expr, functions.SCANS):
        column = [_value(expr.args[0], env.at_stage(k)) for k in range(STAGES)]
        here = env.values["i"]
        if isinstance(expr, functions.sum_before):
            return sum((x for k, x in enumerate(column) if k < here), Fraction(0))
        upwards = isinstance(expr, functions.max_from)
        return max(x for k, x in enumerate(column) if k == here or (k > here) is upwards)
    if isinstance(expr, functions.table):
        return _table(expr.args[0].name, tuple(_value(arg, env) for arg in expr.args[1:]))
    if isinstance(expr, functions.where):
        condition, then, otherwise = expr.args
        return _value(then if _value(condition, env) != 0 else otherwise, env)
    if isinstance(expr, functions.measured):
        entry, otherwise = expr.args
        return _value(entry, env) or _value(otherwise, env)
    args = [_value(arg, env) for arg in expr.args]
    match expr:
        case Add():
            return sum(args, Fraction(0))
        case Mul():
            return math.prod(args, start=Fraction(1))
        case Pow():
            if abs(args[1]) > 200 or abs(args[0].numerator) > 10**300:
                raise UndefinedError
            return Fraction(power(*args))
        case floor():
            return Fraction(math.floor(args[0]))
        case ceiling():
            return Fraction(math.ceil(args[0]))
        case functions.maximum():
            return max(args)
        case functions.minimum():
            return min(args)
        case functions.equal():
            return Fraction(args[0] == args[1])
        case functions.less():
            return Fraction(args[0] < args[1])
        case functions.at_most():
            return Fraction(args[0] <= args[1])
        case functions.remainder():
            return args[0] % args[1]
    raise TypeError(f"no value for {expr!r}")
