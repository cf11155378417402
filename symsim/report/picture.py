"""A figure of matplotlib that is written as the kind of picture a path's ending says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from symsim.diagnostics import error

PICTURES = (".png", ".pdf", ".svg")


def new_figure(path: Path, width: float, height: float) -> Any:
    """An empty figure, its size in inches.

    Raises:
        InputError: another kind of picture than :data:`PICTURES`; matplotlib is not there.
    """
    if path.suffix not in PICTURES:
        message = f"--plot: cannot write a picture as '{path.name}'"
        raise error("E007", message, hint="known here: " + ", ".join(PICTURES))
    try:
        from matplotlib.figure import Figure
    except ImportError:
        hint = "pip install 'symsim[plot]'"
        raise error("E006", "--plot needs matplotlib, which is not installed", hint=hint) from None
    return Figure(figsize=(width, height), layout="constrained")
