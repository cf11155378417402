"""The first line of ``sensitivity``: what the answer is, what moves it most, and whether the plan fits."""

from __future__ import annotations

from typing import Any

import pytest

from symsim.analysis.verdicts import of_sensitivity, quantity_words


def partial(name: str, elasticity: float | None, kind: str = "machine") -> dict[str, Any]:
    return {"name": name, "elasticity": elasticity, "kind": kind}


def said(*partials: dict[str, Any], fits: bool | None = True) -> str:
    return of_sensitivity("time.iteration", 2.0, "s", partials, fits)


def test_the_steepest_figure_is_named_with_its_way() -> None:
    found = said(partial("hbm.bandwidth", 0.2), partial("matmul.bf16", -0.5), partial("nothing", None))
    assert "time.iteration is 2 s" in found
    assert "matmul.bf16" in found and "0.50 % less" in found and "hbm.bandwidth" not in found


def test_what_makes_it_more_is_said_so() -> None:
    assert "0.20 % more" in said(partial("hbm.latency", 0.2))


def test_a_figure_comes_before_a_steeper_size() -> None:
    assert "hbm.bandwidth" in said(partial("seq", 3.0, "size"), partial("hbm.bandwidth", 0.2))
    assert "seq" in said(partial("seq", 3.0, "size"), partial("hidden", 1.0, "dimension"))


def test_where_nothing_moves_it_nothing_is_named() -> None:
    assert "%" not in said(partial("hbm.bandwidth", 0.0))


@pytest.mark.parametrize(("fits", "there"), [(True, False), (None, False), (False, True)])
def test_a_plan_that_does_not_fit_is_said_so(fits: bool | None, there: bool) -> None:
    assert ("does not fit" in said(partial("a", 0.1), fits=fits)) is there


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.5, "s", "500 ms"),
        (-0.5, "s", "-500 ms"),
        (2.0**30, "bytes", "1.00 GiB"),
        (-(2.0**30), "B", "-1.00 GiB"),
        (0.123456789, "", "0.123457"),
        (1234567.0, "quantity", "1.23457e+06"),
        (2e12, "FLOP/s", "2 TFLOP/s"),
    ],
)
def test_a_value_is_said_in_its_unit(value: float, unit: str, text: str) -> None:
    assert quantity_words(value, unit) == text
