"""The compiled code of a plan that was accepted: one number for each output, whichever way it is evaluated."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from symsim.analysis.evaluate import evaluator, machine_of
from symsim.analysis.quantities import parsed, values_of
from symsim.api.compiled import compiled_of
from symsim.diagnostics import InputError
from symsim.loading.question import Question, question

RELATIVE = 1e-9
"""Sums of doubles in another order differ by less."""


class DifferentError(Exception):
    """Two ways to evaluate one formula give different numbers."""


def compare_ways(model: str, strategy: str | None, system: str | None, settings: tuple[str, ...]) -> int:
    """Evaluate every output as numbers, as arrays and as rows of a sheet; the count of numbers that were compared.

    Raises:
        DifferentError: two of them differ.
    """
    asked = question(model, strategy, system, settings)
    machine = machine_of(asked)
    compiled = evaluator(asked.model, asked.plan.structure)
    sizes = asked.plan.sizes
    if compiled.broken(sizes):
        return 0
    try:
        one = compiled.scalar(sizes, machine)
    except ArithmeticError:
        return 0
    twice = {n: np.array([float(v), float(v)]) for n, v in sizes.items()}
    with np.errstate(all="ignore"):
        many = compiled.arrays(twice, machine)
    count = sum(_same(n, v, np.asarray(many[n]), "arrays") for n, v in one.items())
    return count + _sheet(asked, one)


def _sheet(asked: Question, one: Mapping[str, Any]) -> int:
    """The same outputs from the programs over grids that searches and tables of plans use."""
    formulas = compiled_of(asked)
    wanted = [n for n in formulas.names if n in one][::7]
    sizes = {n: float(asked.plan.sizes[n]) for n in ("mbs", "tp", "world") if n in formulas.inputs}
    if not wanted or not sizes:
        return 0
    found = formulas.evaluate({n: [v, v] for n, v in sizes.items()}, wanted=wanted)
    if not found.legal.all():
        raise DifferentError(f"a legal plan is not legal in a table: {found.illegal}")
    return sum(_same(n, one[n], np.asarray(found[n]), "rows") for n in wanted)


def compare_quantities(asked: Question, expressions: Iterable[str], arrays: bool) -> int:
    """Evaluate expressions about a plan as numbers and, where asked, as arrays.

    Raises:
        InputError: an expression that means nothing.
        DifferentError: the numbers differ.
    """
    count, problems = 0, []
    for text in expressions:
        try:
            (value,) = values_of(asked, {"quantity": parsed(text)}).values()
            if arrays:
                found = compiled_of(asked).evaluate({"tp": [2, 2]}, wanted=[text])
                count += _same(text, value, np.asarray(found[text]), "rows")
        except InputError as problem:
            problems.append(problem)
    if problems:
        raise problems[0]
    return count


def _same(name: str, value: Any, arrays: Any, way: str) -> int:
    """Of two equal points both must be what the scalar is; a stage's list is the last axis."""
    expected = np.asarray(value, dtype=float)
    for found in (arrays[0], arrays[-1]) if arrays.ndim and arrays.shape[0] == 2 else (arrays,):
        row = np.asarray(found, dtype=float)
        if (
            expected.ndim == 0
            and row.ndim == 0
            and not math.isfinite(float(expected))
            and not math.isfinite(float(row))
        ):
            continue
        if row.ndim and expected.ndim == 0:
            row = row.reshape(-1)[:1].reshape(())
        if row.ndim:
            row = row[: expected.shape[0]] if expected.ndim else row
        finite = np.isfinite(expected) & np.isfinite(row)
        if not np.allclose(np.where(finite, row, 0), np.where(finite, expected, 0), rtol=RELATIVE, atol=1e-12):
            raise DifferentError(f"{name} is {value} as a number and {found} in {way}")
    return 1
