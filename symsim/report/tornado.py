"""The names that move an answer most, as a tornado chart: one bar to each side of the answer. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from symsim.report.picture import new_figure, save_picture
from symsim.report.sensitivity import amount

SHOWN = 15
"""Bars of each half; what moves the answer less is left out."""

COLOURS = {"below": "#4c78a8", "above": "#e45756"}
HALVES = (("figure", {"below": "a tenth less", "above": "a tenth more"}),
          ("size", {"below": "next legal value below", "above": "next legal value above"}))  # fmt: skip
"""Figures above sizes: a size that doubles would make all else look small."""

Item = dict[str, Any]


def draw(result: Item, path: Path) -> None:
    """Write the document of ``sensitivity`` as a picture, of the kind that the path's ending says.

    Bars are real evaluations: a figure with a tenth less and more, a size at its next legal values.

    Raises:
        InputError: a kind of picture that is not known; matplotlib is not there.
    """
    ranked = sorted((p for p in result["partials"] if reach(p)), key=reach, reverse=True)
    halves = [(words, [p for p in ranked if _half(p) == half][:SHOWN]) for half, words in HALVES]
    halves = [(words, bars) for words, bars in halves if bars] or [({}, [])]
    heights = [len(bars) + 2.2 for _, bars in halves]
    figure = new_figure(path, 11, 0.9 + 0.36 * sum(heights))
    rows = figure.subplots(len(halves), 1, height_ratios=heights, squeeze=False)[:, 0]
    for axes, (words, bars) in zip(rows, halves, strict=True):
        _tornado(axes, result, bars, words)
    rows[-1].set_xlabel(f"{result['of']}, now {amount(result['value'], result['unit'])}")
    title = f"{result['model']['name']} on {result['system'] or 'no machine'}: what moves {result['of']}"
    rows[0].set_title(title, loc="left")
    save_picture(figure, path, dpi=130)


def _half(partial: Item) -> str:
    return "size" if partial["kind"] in ("size", "dimension") else "figure"


def _tornado(axes: Any, result: Item, ranked: list[Item], words: dict[str, str]) -> None:
    _bars(axes, result, ranked, words)
    axes.axvline(result["value"], color="black", linewidth=0.8)
    axes.set_yticks(range(len(ranked)), [_label(p) for p in ranked])
    axes.invert_yaxis()
    axes.margins(x=0.14)
    axes.xaxis.set_major_formatter(lambda value, _: amount(value, result["unit"]))
    axes.spines[["top", "right"]].set_visible(False)


def reach(partial: Item) -> float:
    """How far the longer bar goes."""
    return max((abs(step["difference"]) for step in partial["next"].values() if step is not None), default=0.0)


def _bars(axes: Any, result: Item, ranked: list[Item], words: dict[str, str]) -> None:
    from matplotlib.patches import Patch

    here = result["value"]
    for side in words:
        for k, p in enumerate(ranked):
            step = p["next"][side]
            if step is None or not step["difference"]:
                continue
            at, height = _place(p, side)
            axes.barh(k + at, step["difference"], height, left=here, color=COLOURS[side])
            right = step["difference"] > 0
            axes.annotate(
                _at(p, step),
                (here + step["difference"], k + at),
                xytext=(3 if right else -3, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
                fontsize=7,
            )
    if ranked:
        handles = [Patch(color=COLOURS[side], label=said) for side, said in words.items()]
        axes.legend(handles=handles, frameon=False, fontsize=8, loc="lower right")


def _place(partial: Item, side: str) -> tuple[float, float]:
    """Where in its row a bar stands, and how thick it is: two that go the same way share the row."""
    both = [step["difference"] for step in partial["next"].values() if step is not None]
    if len(both) < 2 or both[0] * both[1] <= 0:
        return 0.0, 0.62
    return (-0.17 if side == "below" else 0.17), 0.3


def _label(partial: Item) -> str:
    return f"{partial['name']} = {_value(partial, partial['value'])}"


def _at(partial: Item, step: Item) -> str:
    """Where the bar ends: the other value, and what of it does not fit into memory."""
    return _value(partial, step["value"]) + ("" if step["fits"] is not False else " (too large)")


def _value(partial: Item, value: float) -> str:
    return str(value) if isinstance(value, int) else amount(value, partial["unit"])
