"""The way from one plan to the other as a chart: what each term, and each choice, adds. Needs matplotlib."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from symsim.analysis.comparing.compare_json import LETTERS, amount, quantity_text
from symsim.report.compare import TITLES, named_choices
from symsim.report.picture import new_figure, save_picture

WHOLE, MORE, LESS = "#4c78a8", "#e45756", "#54a24b"
UP, DOWN = "#b279a2", "#72b7b2"
"""Of a quantity of which nobody says whether more is worse."""
MOST_BARS = 10
"""The largest changes have a bar of their own, the rest one together."""

SCALES = {"s": (1.0, "seconds"), "bytes": (2.0**30, "GiB")}

Step = tuple[str, float]


def draw(result: dict[str, Any], path: Path) -> None:
    """Write the chart of a ``symsim.compare/1`` document, of the kind that the path's ending says.

    Raises:
        InputError: another kind of picture than :data:`symsim.report.picture.PICTURES`; matplotlib is not there.
    """
    rows = result["differences"]
    figure = new_figure(path, 15, 4.2 * len(rows))
    grid = figure.subplots(len(rows), 2, squeeze=False)
    for (by_term, by_choice), difference in zip(grid, rows, strict=True):
        title = TITLES.get(difference["name"], difference["name"])
        terms = [(t["name"].replace("_", " "), t["change"]) for t in difference["terms"]]
        choices = [(named_choices(c, result, "\n"), c["change"]) for c in difference["choices"]]
        for axes, steps, by in ((by_term, terms, "term"), (by_choice, choices, "choice")):
            if steps:
                _waterfall(axes, difference, steps)
                axes.set_title(f"{title}, by {by}", loc="left")
            else:
                axes.set_axis_off()
    names = (
        f"{k} = {p['name']} on {p['system'] or 'no machine'}" for k, p in zip(LETTERS, result["plans"], strict=True)
    )
    figure.suptitle(" · ".join(names))
    save_picture(figure, path, dpi=110)


def shown(steps: Sequence[Step]) -> list[Step]:
    """The steps that have a bar, the largest first."""
    ordered = sorted((s for s in steps if s[1]), key=lambda s: -abs(s[1]))
    if len(ordered) <= MOST_BARS + 1:
        return ordered
    rest = ordered[MOST_BARS:]
    return [*ordered[:MOST_BARS], (f"{len(rest)} smaller", sum(change for _, change in rest))]


def _waterfall(axes: Any, difference: dict[str, Any], steps: Sequence[Step]) -> None:
    unit = difference["unit"]
    scale, label = SCALES.get(unit, (1.0, difference["unit"]))
    bars = shown(steps)
    at, ends = difference["a"] / scale, [difference["a"] / scale]
    labels = [LETTERS[0], *(name for name, _ in bars), LETTERS[1]]
    last = len(labels) - 1
    up, down = (MORE, LESS) if unit in SCALES else (UP, DOWN)
    for k, (_, change) in enumerate(bars, 1):
        there = at + change / scale
        axes.barh(k, there - at, 0.7, left=at, color=up if change > 0 else down)
        axes.plot([there, there], [k - 0.35, k + 1.35], color="#888888", linewidth=0.7)
        axes.annotate(
            amount(change, unit), (max(at, there), k), (4, 0), textcoords="offset points", va="center", fontsize=8
        )
        at = there
        ends.append(there)
    for k, side in ((0, "a"), (last, "b")):
        axes.barh(k, difference[side] / scale, 0.7, color=WHOLE)
        text = quantity_text(difference[side], unit)
        axes.annotate(text, (difference[side] / scale, k), (4, 0), textcoords="offset points", va="center", fontsize=8)
    low, high = min(0.0, *ends), max(*ends, difference["b"] / scale)
    axes.set_xlim(low - 0.02 * (high - low) if low < 0 else 0, high + 0.14 * (high - low))
    axes.set_yticks(range(len(labels)), labels, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(label)
    axes.spines[["top", "right"]].set_visible(False)
