"""The bounds of a plan, and the changes that fix one, as a person reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symsim.analysis.verdicts import per_cent
from symsim.report.tables import print_table
from symsim.report.terminal_text import print_wrapped, say
from symsim.units import bytes_text, decimal_text, seconds_text

SHOWN_REPAIRS = 8


def print_constraints(constraints: list[dict[str, Any]]) -> None:
    """What bounds the plan, the nearest to breaking first."""
    rows = [
        [
            c["constraint"],
            _amount(c["value"], c["unit"]),
            _amount(c["bound"], c["unit"]),
            f"{c['slack_pct']:.1f}%" if c["slack_pct"] is not None else "",
            "" if c["holds"] else "broken",
        ]
        for c in constraints
    ]
    headings = ["bound, the nearest first", "now", "limit", "left", ""]
    if all(c["holds"] for c in constraints):
        headings, rows = headings[:-1], [row[:-1] for row in rows]
    print_table(headings, rows)


def _amount(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    match unit:
        case "bytes":
            return bytes_text(value)
        case "s":
            return seconds_text(value)
        case "B/s":
            return decimal_text(value, "B/s")
    return f"{value:.4g}"


def print_repairs(repairs: dict[str, Any]) -> None:
    """The cheapest change in a line, then all of them; where there is none, what comes nearest."""
    found = repairs["single"] or repairs["pairs"]
    lacking = "; ".join(repairs["lacking"])
    if not found:
        say("repair", f"no single change and no pair of those tried fixes it ({lacking}; {repairs['tried']} plans)")
        if repairs["closest"] is not None:
            closest = repairs["closest"]
            still = "; ".join(closest["lacking"])
            say("", f"closest: {change_text(closest['change'])}, {_costs(closest)}, with {still} still broken")
        return
    count = "one change" if repairs["single"] else "no single change fixes it; two"
    cheapest = found[0]
    say("repair", f"cheapest: {change_text(cheapest['change'])} ({_costs(cheapest)})")
    alike = next((r for r in found if not r["changes_numbers"]), None)
    if alike is not None and alike is not cheapest:
        say("", f"and training as it is: {change_text(alike['change'])} ({_costs(alike)})")
    timed = cheapest["slower"] is not None
    shown = found[:SHOWN_REPAIRS] if len(found) > SHOWN_REPAIRS + 1 else found
    held = all(r["device_bytes"] is not None for r in shown)
    marked = any(marks(r) for r in shown)
    rows = [
        [
            change_text(r["change"]),
            bytes_text(r["peak_bytes"]),
            *([bytes_text(r["device_bytes"])] if held else []),
            *([_percent(r["slower"])] if timed else []),
            *([", ".join(marks(r))] if marked else []),
        ]
        for r in shown
    ]
    print()
    print_table([f"{count}: fixed by", "peak", *["device"] * held, *["step time"] * timed, *[""] * marked], rows)
    print_near_limit(shown)
    if len(shown) < len(found):
        print(f"and {len(found) - len(shown)} more, slower")


def marks(repair: dict[str, Any]) -> list[str]:
    """What is to say of a plan with a change besides its numbers."""
    return ["other numbers"] * repair["changes_numbers"] + [NEAR_LIMIT] * repair["near_limit"]


NEAR_LIMIT = "near limit"
"""Marks a plan whose device is within the error of the peak of the machine's memory."""


def fit_words(plan: Mapping[str, Any]) -> str:
    """Whether one of several plans fits."""
    said = "fits" if plan["fits"] else "does not fit"
    return f"{said}, {NEAR_LIMIT}" if plan["near_limit"] else said


def print_near_limit(plans: Sequence[Mapping[str, Any]]) -> None:
    """What the mark means, where a plan of a table has it."""
    errors = [plan["memory_error_pct"] for plan in plans if plan["near_limit"]]
    if errors:
        print_wrapped(f"{NEAR_LIMIT}: within the error of the peak, ± {per_cent(max(errors))}, of the machine's memory")


def _costs(repair: dict[str, Any]) -> str:
    peak = f"peak {bytes_text(repair['peak_bytes'])}"
    return peak if repair["slower"] is None else f"step time {_percent(repair['slower'])}, {peak}"


def _percent(slower: float) -> str:
    return f"{round(slower, 3) + 0.0:+.1%}"


def change_text(change: dict[str, Any]) -> str:
    """Changes as ``--set`` takes them."""
    return ", ".join(_choice(n, v) for n, v in change.items())


def _choice(name: str, value: Any) -> str:
    if value is None:
        return f"no {name}"
    written = str(value).lower() if isinstance(value, bool) else value
    return f"{name}={{{', '.join(value)}}}" if isinstance(value, list) else f"{name}={written}"
