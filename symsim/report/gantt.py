"""A simulated step as a chart: one row for each rank, and what it holds below. Needs matplotlib."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from symsim.analysis.timeline import Timeline
from symsim.report.picture import new_figure, save_picture

COLOURS = {"F": "#4c78a8", "B": "#54a24b", "W": "#b5cf6b", "recompute": "#f2cf5b", "send": "#9d9d9d"}
SECOND_CHUNK = {"F": "#2b4f77", "B": "#2f6b2b", "W": "#8ca252", "recompute": "#d8a83c", "send": "#9d9d9d"}
"""Chunks behind the first are darker."""
NAMES = {"F": "forward", "B": "backward", "W": "weight gradient", "recompute": "recompute"}
TAIL = {"data parallel": "#e45756", "optimizer": "#b279a2"}
MOST_NUMBERED = 600
"""Passes in whose bars the micro-batch is written; more would not be read."""


def draw(line: Timeline, title: str, path: Path) -> None:
    """Write the chart as a picture, of the kind that the path's ending says.

    Raises:
        InputError: a kind of picture that is not known; matplotlib is not there.
    """
    figure = new_figure(path, 16, 2.5 + 0.75 * len(line.ranks))
    rows, memory = figure.subplots(2, 1, sharex=True, height_ratios=[max(2, len(line.ranks)), 2])
    _passes(rows, line)
    _memory(memory, line)
    rows.set_title(title)
    save_picture(figure, path, dpi=110)


def _passes(axes: Any, line: Timeline) -> None:
    from matplotlib.patches import Patch

    shown = [span for span in line.spans if span.kind != "send"]
    for i in range(len(line.ranks)):
        own = [span for span in shown if span.rank == i]
        axes.broken_barh(
            [(span.start_s, span.end_s - span.start_s) for span in own],
            (i - 0.4, 0.8),
            facecolors=[(SECOND_CHUNK if span.chunk else COLOURS)[span.kind] for span in own],
            edgecolor="white",
            linewidth=0.4,
        )
    if len(shown) <= MOST_NUMBERED:
        for span in shown:
            middle = (span.start_s + span.end_s) / 2
            if span.kind != "recompute":
                axes.text(middle, span.rank, str(span.micro_batch), ha="center", va="center", fontsize=6, color="white")
    for i, rank in enumerate(line.ranks):
        axes.barh(i, rank.exposed_s, 0.8, left=rank.tail_s, color=TAIL["data parallel"])
        axes.barh(i, rank.optimizer_s, 0.8, left=rank.tail_s + rank.exposed_s, color=TAIL["optimizer"])
    axes.set_yticks(range(len(line.ranks)), [f"rank {i}" for i in range(len(line.ranks))])
    axes.invert_yaxis()
    kinds = [k for k in NAMES if any(span.kind == k for span in shown)]
    handles = [Patch(color=COLOURS[k], label=NAMES[k]) for k in kinds]
    handles += [Patch(color=colour, label=name) for name, colour in TAIL.items()]
    axes.legend(handles=handles, ncols=len(handles), loc="upper center", bbox_to_anchor=(0.5, -0.02), frameon=False)


def _memory(axes: Any, line: Timeline) -> None:
    for i, rank in enumerate(line.ranks):
        seconds, held = zip(*rank.held, strict=True)
        axes.step(seconds, [h / 2**30 for h in held], where="post", linewidth=0.9, label=f"rank {i}")
    axes.set_ylabel("GiB held")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds")
    if len(line.ranks) <= 16:
        axes.legend(ncols=8, fontsize=7, frameon=False)
