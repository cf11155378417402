"""A figure of matplotlib that is written as the kind of picture a path's ending says."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from symsim.diagnostics import error
from symsim.report.atomic_write import write_whole

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


def save_picture(figure: Any, path: Path, dpi: int) -> None:
    """Write a figure, whole or not at all; its texts are shown as they are, without the mathematics of matplotlib.

    Raises:
        InputError: it cannot be written there.
    """
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        text.set_parse_math(False)
    out = io.BytesIO()
    figure.savefig(out, format=path.suffix.removeprefix("."), dpi=dpi)
    write_whole(path, out.getvalue(), "--plot")
