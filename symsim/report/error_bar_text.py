"""A step with its error bar, and in words what the bar comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from symsim.units import seconds_text


def error_bar_texts(time: Mapping[str, Any]) -> list[str]:
    """``9.4 s ± 19 % (nearest measured: …)``, and what is different there; nothing where nothing was measured."""
    if time["error_pct"] is None:
        return []
    step = f"{seconds_text(time['iteration_s'])} ± {time['error_pct']:.0f} %"
    near = ", ".join(case["id"] for case in time["nearest_cases"])
    if time["comparable"]:
        texts = [f"{step} (nearest measured: {near})"]
    else:
        texts = [f"{step}: no comparable case, {time['incomparable']}", f"nearest measured: {near}"]
    if time["widened_by"]:
        texts.append(f"different there: {'; '.join(time['widened_by'])}")
    return texts
