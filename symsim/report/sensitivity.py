"""The document of ``sensitivity`` as a person reads it."""

from __future__ import annotations

import math
from typing import Any

from symsim.analysis.sensitivities.steps import LESS, MORE
from symsim.language.figures import is_whole
from symsim.report.bar_table import print_with_bars
from symsim.report.tables import print_notes, print_question, print_table, print_verdict
from symsim.report.terminal_text import say
from symsim.units import bytes_text, decimal_text, seconds_text

SHOWN = 20
"""Figures that are listed; the document has all."""

SHOWN_SWITCHES = 2
"""Operations that are named at a kink."""

SHOWN_GAINS = 10

BETTER, WORSE = "green", "red"
"""Bars of what lowers the answer when it grows, and of what raises it."""

Item = dict[str, Any]


def print_sensitivity(result: Item) -> None:
    """What is asked, the figures, the sizes and dimensions, kinks, and what is worth buying."""
    print_verdict(result)
    print_question(result)
    print()
    say("of", f"{result['of']} = {amount(result['value'], result['unit'])}")
    if result["sum_of_rate_elasticities"]:
        say("rates", f"elasticities of all FLOP/s and B/s add up to {result['sum_of_rate_elasticities']:.4f}")
    figures = [p for p in result["partials"] if p["kind"] not in ("size", "dimension")]
    sizes = [p for p in result["partials"] if p["kind"] in ("size", "dimension")]
    if figures:
        print()
        _figures(result, figures)
    if sizes:
        print()
        _sizes(result, sizes)
    kinks = [p for p in result["partials"] if p["switches"]]
    if kinks:
        print()
        _kinks(result, kinks)
    if result["buying"]:
        print()
        _buying(result)
    print_notes(result)


def amount(value: float, unit: str) -> str:
    """A number as people write it, in its unit."""
    if unit in ("B", "bytes"):
        return ("-" if value < 0 else "") + bytes_text(abs(value))
    if unit == "s":
        return ("-" if value < 0 else "") + seconds_text(abs(value))
    if unit in ("", "quantity"):
        return f"{value:.6g}"
    return decimal_text(value, unit)


def elasticity(result: Item, partial: Item) -> str:
    """Per cent for each per cent; at a kink below and above."""
    if not result["value"]:
        return "none"
    left, right = (partial[side] * partial["value"] / result["value"] for side in ("left", "right"))
    return f"{left:+.4f}" if left == right else f"{left:+.4f} | {right:+.4f}"


def steepness(partial: Item) -> float:
    """How far the answer follows, for the length of a bar."""
    return float(max(abs(partial["value"] * partial[side]) for side in ("left", "right")))


def _figures(result: Item, figures: list[Item]) -> None:
    rows = [
        [p["name"], amount(p["value"], p["unit"]), elasticity(result, p), *_steps(p)]
        for p in figures[: SHOWN if len(figures) > SHOWN + 1 else None]
    ]
    bars = _bars(figures[: len(rows)])
    if len(rows) < len(figures):
        rows.append([f"and {len(figures) - len(rows)} that matter less", "", "", "", ""])
    print_with_bars(["figure", "now", "elasticity", "a tenth less", "a tenth more"], rows, bars)


def _steps(partial: Item) -> list[str]:
    """A tenth less and more; what counts something has its next values, and what is full has no tenth more."""
    out = []
    for side, factor in (("below", LESS), ("above", MORE)):
        step = partial["next"][side]
        if step is None or math.isclose(step["value"], partial["value"] * factor):
            out.append(_change(step))
        else:
            out.append(f"{step['value']:g}: {_change(step)}" if is_whole(partial["name"]) else "")
    return out


def _change(step: Item | None) -> str:
    if step is None:
        return ""
    return f"{step['difference']:+.4g}" if step["change"] is None else _per_cent(step["change"])


def _per_cent(change: float) -> str:
    return f"{round(change, 4) + 0.0:+.2%}"


def _bars(partials: list[Item]) -> list[tuple[float, str]]:
    largest = max((steepness(p) for p in partials), default=0.0) or 1.0
    return [(steepness(p) / largest, WORSE if p["derivative"] > 0 else BETTER) for p in partials]


def _sizes(result: Item, sizes: list[Item]) -> None:
    rows = []
    for p in sizes:
        row = [
            p["name"],
            f"{p['value']:g}" if isinstance(p["value"], float) else str(p["value"]),
            elasticity(result, p),
        ]
        for side in ("below", "above"):
            step = p["next"][side]
            row += ["", ""] if step is None else [_to(step), _change(step)]
        rows.append(row)
    print_with_bars(["size", "now", "elasticity", "next below", "", "next above", ""], rows, _bars(sizes))


def _to(step: Item) -> str:
    """The next legal value; a mark where the plan does not fit into memory."""
    return f"{step['value']}{'' if step['fits'] is not False else ' (too large)'}"


def _kinks(result: Item, kinks: list[Item]) -> None:
    for p in kinks:
        say("kink", f"{p['name']} = {amount(p['value'], p['unit'])}: elasticity {_sided(result, p)}")
        for switch in p["switches"][:SHOWN_SWITCHES]:
            say("", f"{switch['definition']} follows {switch['below']} below, {switch['above']} above")
        if len(p["switches"]) > SHOWN_SWITCHES:
            say("", f"and {len(p['switches']) - SHOWN_SWITCHES} more switch")


def _sided(result: Item, partial: Item) -> str:
    below, _, above = elasticity(result, partial).partition(" | ")
    return f"{below} below, {above} above"


def _buying(result: Item) -> None:
    gains = result["buying"]
    shown = gains[:SHOWN_GAINS]
    rows = [
        [
            "a tenth more" if gain["factor"] > 1 else "a tenth less",
            gain["name"],
            amount(gain["value"], gain["unit"]),
            amount(gain["of"], result["unit"]),
            _difference(gain["difference"], result["unit"]),
            "" if gain["change"] is None else _per_cent(gain["change"]),
        ]
        for gain in shown
    ]
    if len(shown) < len(gains):
        rows.append([f"and {len(gains) - len(shown)} smaller", "", "", "", "", ""])
    print_table(["buying", "of", "now", "makes it", "difference", "change"], rows)


def _difference(value: float, unit: str) -> str:
    text = amount(abs(value), unit)
    return text if not value else f"{'+' if value > 0 else '-'}{text}"
