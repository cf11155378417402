"""What ``symsim efficiency`` answers, as one document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from symsim.analysis.fitting.efficiency import Fit, Form, fits, forms, values_of
from symsim.emit import text
from symsim.records.system import System

SCHEMA = "symsim.efficiency/1"
WORST = 3
"""Entries that are named because the form misses them most."""


def document(system: System, fit: bool) -> dict[str, Any]:
    """Every table with its form, its coefficients and their errors; every other form with its coefficients."""
    tables = fits(system)
    fitted = {f.name for f in tables}
    others = [f for f in forms(system) if f.prefix not in fitted]
    return {
        "schema": SCHEMA,
        "system": system.name,
        "tables": [_table(f, fit) for f in tables],
        "transferred": [{"name": f.prefix, **_form(f), "coefficients": values_of(system, f)} for f in others],
    }


def _form(form: Form) -> dict[str, Any]:
    return {"form": form_text(form), "sizes": list(form.item.sizes)}


def form_text(form: Form) -> str:
    """The form in the names of its sizes and coefficients."""
    from symsim.compiler.efficiency import expression, put
    from symsim.symbols import symbol

    sizes, value = expression(form.item, form.prefix)
    short = {symbol(f"{form.prefix}.{c}"): symbol(c) for c in form.coefficients}
    short |= dict(zip(sizes, map(symbol, form.item.sizes), strict=True))
    return text.expression(put(value, short))


def _table(table: Fit, fit: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": table.name,
        **_form(table.form),
        "entries": len(table.entries),
        "coefficients": dict(table.values),
        "stated": "level" in table.stated,
        "error_pct": _errors(table.errors),
        "left_out_error_pct": _errors(table.left_out),
        "worst": _worst(table),
    }
    return {**found, "fitted": table.refitted} if fit else found


def _errors(errors: NDArray[np.float64]) -> Mapping[str, float]:
    size = 100 * np.abs(errors)
    return {"mean": float(size.mean()), "median": float(np.median(size)), "worst": float(size.max())}


def _worst(table: Fit) -> Sequence[Mapping[str, Any]]:
    errors = table.left_out
    order = np.argsort(-np.abs(errors))[:WORST]
    return [
        {
            "sizes": [int(s) for s in table.sizes[k]],
            "measured": float(table.entries[k]),
            "left_out_error_pct": float(100 * errors[k]),
        }
        for k in order
    ]
