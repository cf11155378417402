"""What the readers turn formulas into: functions from an environment to a number.

The grammars of the readers name their rules after the methods of :class:`Meaning`. By default every
literal is a Fraction, so that a formula over Fractions evaluates exactly and a reading can be
compared for equality; with ``number=float`` it is ordinary arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from lark import Transformer, v_args

Value = int | float | Fraction


def no_tables(name: str, dimensions: tuple[Value, ...]) -> Value:
    raise KeyError(name)


def exactly(value: Value) -> Value:
    return Fraction(value)


@dataclass(frozen=True)
class Environment:
    """Values of the free names; ``stages`` holds what differs by stage, for the reductions."""

    values: Mapping[str, Value]
    stages: Sequence[Mapping[str, Value]] = ()
    table: Callable[[str, tuple[Value, ...]], Value] = no_tables
    number: Callable[[Value], Value] = exactly

    def at_stage(self, stage: int) -> Environment:
        return replace(self, values={**self.values, **self.stages[stage]})

    def at_all_stages(self, quantity: Evaluator) -> list[Value]:
        return [quantity(self.at_stage(stage)) for stage in range(len(self.stages))]


Evaluator = Callable[[Environment], Value]


@dataclass(frozen=True)
class Reading:
    """One definition of a page that was read back."""

    name: str
    evaluate: Evaluator
    note: str


def evaluate_page(page: Sequence[Reading], environment: Environment, stage_count: int) -> dict[str, list[Value]]:
    """Each definition's values on the stages, computed in the page's order."""
    stages: list[dict[str, Value]] = [{"i": environment.number(stage)} for stage in range(stage_count)]
    environment = replace(environment, stages=stages)
    for reading in page:
        values = environment.at_all_stages(reading.evaluate)
        for stage, value in zip(stages, values, strict=True):
            stage[reading.name] = value
    return {reading.name: [stage[reading.name] for stage in stages] for reading in page}


def power(base: Value, exponent: Value) -> Value:
    """Exact for whole exponents; halves take one deterministic root, so equal bases give equal powers."""
    exponent = Fraction(exponent)
    if exponent.denominator == 1:
        return base ** int(exponent)
    if exponent.denominator == 2 and isinstance(base, Fraction):
        return square_root(base) ** exponent.numerator
    return math.pow(base, exponent)


def square_root(value: Fraction) -> Fraction:
    """To 60 digits."""
    scale = 10**60
    return Fraction(math.isqrt(value.numerator * value.denominator * scale**2), value.denominator * scale)


@v_args(inline=True)
class Meaning(Transformer[Any, Evaluator]):
    """A syntax tree's rules as functions. Subclasses say what the tokens stand for."""

    def literal(self, value: Value) -> Evaluator:
        return lambda env: env.number(value)

    def name(self, name: str) -> Evaluator:
        return lambda env: env.values[name]

    def add(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: a(env) + b(env)

    def subtract(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: a(env) - b(env)

    def negative(self, a: Evaluator) -> Evaluator:
        return lambda env: -a(env)

    def multiply(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: a(env) * b(env)

    def divide(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: a(env) / b(env)

    def raise_to(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: power(a(env), b(env))

    def root(self, a: Evaluator) -> Evaluator:
        return lambda env: power(a(env), Fraction(1, 2))

    def remainder(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: a(env) % b(env)

    def equal(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: env.number(a(env) == b(env))

    def less(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: env.number(a(env) < b(env))

    def at_most(self, a: Evaluator, b: Evaluator) -> Evaluator:
        return lambda env: env.number(a(env) <= b(env))

    def maximum(self, *several: Evaluator) -> Evaluator:
        return lambda env: max(each(env) for each in several)

    def minimum(self, *several: Evaluator) -> Evaluator:
        return lambda env: min(each(env) for each in several)

    def floor(self, a: Evaluator) -> Evaluator:
        return lambda env: env.number(math.floor(a(env)))

    def ceiling(self, a: Evaluator) -> Evaluator:
        return lambda env: env.number(math.ceil(a(env)))

    def where(self, condition: Evaluator, then: Evaluator, otherwise: Evaluator) -> Evaluator:
        return lambda env: then(env) if condition(env) != 0 else otherwise(env)

    def lookup(self, table: str, dimensions: Sequence[Evaluator]) -> Evaluator:
        return lambda env: env.table(table, tuple(dimension(env) for dimension in dimensions))

    def entry_or(self, entry: Evaluator, otherwise: Evaluator) -> Evaluator:
        return lambda env: entry(env) or otherwise(env)

    def stage_sum(self, quantity: Evaluator) -> Evaluator:
        return lambda env: sum(env.at_all_stages(quantity))

    def stage_max(self, quantity: Evaluator) -> Evaluator:
        return lambda env: max(env.at_all_stages(quantity))

    def stage_pick(self, quantity: Evaluator, key: Evaluator) -> Evaluator:
        def evaluate(env: Environment) -> Value:
            keys = env.at_all_stages(key)
            return env.at_all_stages(quantity)[keys.index(max(keys))]

        return evaluate
