"""What is printed is what is computed: every formula, read back from text, LaTeX and Python."""

from __future__ import annotations

import math
from typing import Any

import pytest

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import Answer, unanswered
from symsim.analysis.formulas import formulas
from symsim.emit import latex, python, text
from tests.properties.points import CASES, Case, legal_sizes, load
from tests.readers import latex_reader, text_reader
from tests.readers.evaluation import Environment, Reading, evaluate_page

pytestmark = pytest.mark.slow

POINTS = 100
"""Random legal plans of each case; ten cases make a thousand."""

READ = {"text": 20, "latex": 10}
"""Of them, those at which a form is evaluated that a reader of the tests has to walk."""

SYSTEMS = ("h100_sxm", "a100_pcie")


def numbers(page: list[Reading], sizes: dict[str, int], machine: Any, stages: int) -> dict[str, list[Any]]:
    environment = Environment({**sizes, **machine.values}, table=lambda n, d: machine.lookup(n, *d), number=float)
    return evaluate_page(page, environment, stages)


def differences(expected: Any, actual: Any, where: str = "") -> list[str]:
    """Places where two JSON documents differ by more than 1e-9."""
    if isinstance(expected, dict):
        return [d for k in expected for d in differences(expected[k], actual[k], f"{where}.{k}")]
    if isinstance(expected, list):
        pairs = zip(expected, actual, strict=True)
        return [d for k, (e, a) in enumerate(pairs) for d in differences(e, a, f"{where}[{k}]")]
    if isinstance(expected, int | float) and not isinstance(expected, bool):
        return (
            [] if math.isclose(expected, actual, rel_tol=1e-9, abs_tol=1e-12) else [f"{where}: {expected} ≠ {actual}"]
        )
    return [] if expected == actual else [f"{where}: {expected} ≠ {actual}"]


FORMS = [*((form, case) for form in ("text", "python") for case in CASES), *(("latex", case) for case in CASES[::2])]
"""Formulas are the same in every form; reading LaTeX takes longest."""


@pytest.mark.parametrize(("form", "case"), FORMS, ids=[f"{form}-{case.model}" for form, case in FORMS])
def test_every_number_of_eval_is_its_printed_formula(case: Case, form: str) -> None:
    asked, compiled, machine = load(case, SYSTEMS[CASES.index(case) % 2 if "fp8" not in case.choices else 0])
    assert machine is not None
    printed = [d for d in formulas(asked, "all", "operator") if d.part != "machine"]
    names = compiled.names(unanswered(asked.plan.sizes, machine.values))
    assert {d.name for d in printed} >= set(names)
    page: Any
    if form == "python":
        scope: dict[str, Any] = {}
        exec(python.module(printed, "t", "cost"), scope)
        identifiers = python.identifiers(
            [*sorted({str(s) for d in printed for s in d.expression.free_symbols}), *(d.name for d in printed)]
        )
    elif form == "text":
        page = text_reader.read_page(text.definitions(printed, "t"))
    else:
        page = latex_reader.read_page(latex.definitions(printed, "t"))
    for sizes in legal_sizes(compiled, dict(asked.plan.sizes), READ.get(form, POINTS), seed=CASES.index(case)):
        values = compiled.scalar(sizes, machine)
        stages = sizes["pp"]
        if form == "python":
            known = {identifiers.get(n, n): v for n, v in {**sizes, **machine.values}.items()}
            accepted = scope["cost"].__code__.co_varnames[: scope["cost"].__code__.co_kwonlyargcount]
            given = {k: known[k] for k in accepted if k in known}
            found = scope["cost"](**given, table=machine.lookup)
            read = {n: v if isinstance(v, list) else [v] * stages for n, v in found.items()}
        else:
            read = numbers(page, sizes, machine, stages)
        expected = Answer({**values}, stages)
        back = {n: read[n] if isinstance(values[n], list) else read[n][0] for n in names if n in read}
        assert set(back) == set(names)
        actual = Answer({**values, **back}, stages)
        assert not differences(document(asked, expected, machine), document(asked, actual, machine))
        assert not differences({n: expected.of_stage(n) for n in back}, {n: actual.of_stage(n) for n in back})
