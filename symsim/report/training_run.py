"""A whole training run as a person reads it: steps, days, GPU-hours, energy, money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symsim.analysis.verdicts import per_cent
from symsim.report.tables import print_table
from symsim.units import decimal_text

JOULES_OF_MWH = 3.6e9
SECONDS_OF_DAY = 86_400.0

Run = Mapping[str, Any]


def print_run(runs: Sequence[Run], names: Sequence[str] = ("",)) -> None:
    """A table with a column for each plan; ``names`` are what the plans are called."""
    first = runs[0]
    rows = [
        ["steps", *(_steps(run["steps"]) for run in runs)],
        ["time", *map(time_text, runs)],
        ["GPU-hours", *(amount_text(run["gpu_hours"]) for run in runs)],
    ]
    if any(run["energy_j"] is not None for run in runs):
        rows.append(["energy", *(_energy(run["energy_j"]) for run in runs)])
    if first["cost"] is not None:
        rows.append([f"cost at {first['price']:g} a GPU-hour", *(amount_text(run["cost"]) for run in runs)])
    print_table([f"run of {decimal_text(first['tokens'])} tokens", *names], rows)


def time_text(run: Run) -> str:
    """Days, or hours of a short run, with the error bar of the time of a step."""
    days = run["days"]
    text = f"{days:,.1f} days" if days >= 1 else f"{days * 24:.3g} hours"
    return text if run["error_pct"] is None else f"{text} ± {per_cent(run['error_pct'])}"


def amount_text(value: float) -> str:
    """Four figures: ``1,037,000``, ``12.35``."""
    return f"{float(f'{value:.4g}'):,.0f}" if value >= 1000 else f"{value:.4g}"


def _steps(steps: float) -> str:
    return f"{steps:,.0f}" if steps >= 1 else f"{steps:.3g}"


def _energy(joules: float | None) -> str:
    return "" if joules is None else f"{amount_text(joules / JOULES_OF_MWH)} MWh"
