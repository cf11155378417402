"""The documents of ``symsim solve --json``."""

from __future__ import annotations

from typing import Any

from symsim.analysis import verdicts
from symsim.analysis.answer_json import plain, strategy_of
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.memory_fit import memory_fit
from symsim.analysis.solving.break_even import BreakEven
from symsim.analysis.solving.inversion import Inverse
from symsim.analysis.solving.plan_at_value import Checked, PlanAt
from symsim.analysis.solving.solve import Solution


def document(found: Solution) -> dict[str, Any]:
    """``symsim.solve/1``: the answer, what binds it, and the plan."""
    asked, about = found.asked, found.about
    said = {
        "schema": "symsim.solve/1",
        "model": asked.model.name,
        "strategy": asked.strategy_name,
        "system": asked.system.name if asked.system is not None else None,
        "for": about.name,
        "of": about.of,
        "whole": about.whole,
        "sought": found.sought,
        "outcome": found.outcome,
        "value": plain(found.value),
        "unit": about.unit,
        "now": plain(about.now),
        "from": plain(about.low),
        "to": plain(about.high),
        "method": found.method if found.outcome == "found" else None,
        "closed_form": _closed_form(found.inverse),
        "constraints": [_checked(c) for c in found.at.checked] if found.at is not None else [],
        "next": _next(found.neighbour),
        "candidates": found.tried,
        "ranges_left_out": found.ruled_out,
        "depends": found.depends,
        "fails_within_at": plain(found.gap),
        "set": found.setting or None,
        "plan": _plan(found.at),
    }
    return {"schema": said["schema"], "verdict": verdicts.of_solution(said), **said}


def _closed_form(inverse: Inverse | None) -> dict[str, Any] | None:
    if inverse is None:
        return None
    return {
        "constraint": inverse.condition.text,
        "root": plain(inverse.root),
        "residual": inverse.residual,
        "left": {"above": list(inverse.left.above), "below": list(inverse.left.below)},
        "right": {"above": list(inverse.right.above), "below": list(inverse.right.below)},
    }


def _checked(checked: Checked) -> dict[str, Any]:
    return {
        "text": checked.text,
        "left": plain(checked.left),
        "right": plain(checked.right),
        "unit": checked.unit,
        "holds": checked.holds,
    }


def _next(neighbour: PlanAt | None) -> dict[str, Any] | None:
    """The next legal value; where nothing was found, the one that comes nearest."""
    if neighbour is None:
        return None
    return {
        "value": plain(neighbour.value),
        "holds": neighbour.satisfied,
        "broken": [c.text for c in neighbour.checked if not c.holds],
        "constraints": [_checked(c) for c in neighbour.checked],
    }


def _plan(at: PlanAt | None) -> dict[str, Any] | None:
    if at is None:
        return None
    there = answer(at.asked.model, at.asked.plan, machine_of(at.asked))
    out = strategy_of(at.asked, there)
    fit = memory_fit(at.asked, there.values)
    out["memory_peak_bytes"] = plain(fit.peak)
    out["memory_device_bytes"] = plain(fit.device)
    out["memory_error_pct"] = None if fit.error is None else fit.error.pct
    out["fits"] = fit.fits
    out["near_limit"] = fit.near_limit
    out["time_iteration_s"] = plain(there.values.get("time.iteration"))
    return out


def break_even_document(found: BreakEven) -> dict[str, Any]:
    """``symsim.break_even/1``: where the order of two strategies changes."""
    asked = found.first
    return {
        "schema": "symsim.break_even/1",
        "model": asked.model.name,
        "strategies": [found.first.strategy_name, found.second.strategy_name],
        "system": asked.system.name if asked.system is not None else None,
        "for": found.about.name,
        "unit": found.about.unit,
        "quantity": found.of,
        "quantity_unit": found.unit,
        "from": plain(found.about.low),
        "to": plain(found.about.high),
        "less_at_first": found.less,
        "crossings": [
            {
                "below": plain(c.below),
                "above": plain(c.above),
                "less_below": c.less_below,
                "less_above": c.less_above,
                "method": c.method,
            }
            for c in found.crossings
        ],
        "values": [{"value": plain(v), "first": a, "second": b} for v, a, b in found.values],
    }
