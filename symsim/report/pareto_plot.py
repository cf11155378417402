"""The plans of a search by two or three values, the front drawn and labelled. Needs matplotlib."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from symsim.diagnostics import error
from symsim.report.picture import PICTURES

MOST_LABELS = 14
"""Plans of a front whose choices are written next to them; of more every second, third … one."""

SCALES = {"time.iteration": (1.0, "time of a step, s"), "memory.peak": (2.0**30, "peak of memory, GiB")}
"""Values that are drawn in another unit than their own."""

FRONT, OTHERS = "#d55e00", "#9aa5b1"


def check_plot(path: Path) -> None:
    """Raises InputError for another kind of picture, or where matplotlib is not installed."""
    if path.suffix not in PICTURES:
        message = f"--plot: cannot write a picture as '{path.name}'"
        raise error("E007", message, hint="known here: " + ", ".join(PICTURES))
    _figure_class()


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        hint = "pip install 'symsim[plot]'"
        raise error("E006", "--plot needs matplotlib, which is not installed", hint=hint) from None
    return Figure


def picture(result: Mapping[str, Any], suffix: str) -> bytes:
    """The picture of a document of ``search`` with a front, of the kind that a file's ending says."""
    figure = _figure_class()(figsize=(10, 6.5), layout="constrained")
    axes = figure.subplots()
    names = result["pareto_of"]
    plans, front = list(result["plans"]), sorted(result["pareto"], key=lambda plan: plan["pareto"][names[0]])
    across, up = (_scaled(plans, n) for n in names[:2])
    x, y = (_scaled(front, n) for n in names[:2])
    axes.scatter(across, up, s=34, color=OTHERS, label="best plans", zorder=2)
    if len(names) == 2:
        axes.plot(x, y, color=FRONT, linewidth=1.2, drawstyle="steps-post", zorder=3)
        axes.scatter(x, y, s=42, color=FRONT, label="Pareto front", zorder=4)
    else:
        shade = axes.scatter(x, y, s=46, c=_scaled(front, names[2]), cmap="viridis", label="Pareto front", zorder=4)
        figure.colorbar(shade, ax=axes, label=_label(names[2]))
    _labels(axes, front, x, y)
    axes.set_xlabel(_label(names[0]))
    axes.set_ylabel(_label(names[1]))
    axes.margins(0.12)
    axes.grid(color="#e3e6ea", linewidth=0.7, zorder=0)
    axes.set_title(f"{result['model']} · {result['space']} · {result['system'] or 'no machine'}")
    axes.legend(loc="upper right", frameon=False)
    out = io.BytesIO()
    figure.savefig(out, format=suffix.removeprefix("."), dpi=120)
    return out.getvalue()


def _scaled(plans: Sequence[Mapping[str, Any]], name: str) -> list[float]:
    scale = SCALES.get(name, (1.0, name))[0]
    return [plan["pareto"][name] / scale for plan in plans]


def _label(name: str) -> str:
    return SCALES.get(name, (1.0, name))[1]


def _labels(axes: Any, front: Sequence[Mapping[str, Any]], x: Sequence[float], y: Sequence[float]) -> None:
    """What tells the plans of the front apart, on the side of the front where nothing is."""
    names = [n for n in front[0]["searched"] if any(p["searched"][n] != front[0]["searched"][n] for p in front)]
    step = -(-len(front) // MOST_LABELS)
    for k in {*range(0, len(front), step), len(front) - 1}:
        text = " ".join(_short(n, front[k]["searched"][n]) for n in names)
        axes.annotate(
            text, (x[k], y[k]), xytext=(7, 7), textcoords="offset points", fontsize=7, rotation=18, color="#333333"
        )


def _short(name: str, value: Any) -> str:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    if isinstance(value, list):
        return "+".join(value)
    return f"{name}{value}" if isinstance(value, int) else f"{name} {'none' if value is None else value}"
