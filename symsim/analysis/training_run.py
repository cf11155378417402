"""A whole training run in an answer: the values of ``run.…``, with the error bar of the time of a step."""

from __future__ import annotations

from typing import Any

from symsim.analysis.evaluate import Answer
from symsim.analysis.fitting.error_bar import error_bar
from symsim.loading.question import Question

POWER = "gpu.power"


def run_of(asked: Question, found: Answer) -> dict[str, Any] | None:
    """The part ``run`` of an answer; ``None`` where no tokens are given, or no machine.

    ``cost`` is in the currency of the price. Time, GPU-hours, energy and cost follow the time of a step, so each may
    be off by ``error_pct``.
    """
    values = found.values
    if "run.time" not in values:
        return None
    bar = error_bar(asked)
    tokens, price = asked.plan.sizes["tokens"], asked.plan.sizes.get("price")
    return {
        "tokens": int(tokens),
        "steps": _plain(values["run.steps"]),
        "time_s": float(values["run.time"]),
        "days": float(values["run.days"]),
        "gpu_hours": float(values["run.gpu_hours"]),
        "energy_j": float(values["run.energy"]) if "run.energy" in values else None,
        "price": None if price is None else float(price),
        "cost": float(values["run.cost"]) if "run.cost" in values else None,
        "error_pct": None if bar is None else bar.pct,
    }


def _plain(value: Any) -> int | float:
    number = float(value)
    return int(number) if number.is_integer() else number


def run_assumptions(asked: Question) -> list[str]:
    """What the figures of a run leave out."""
    if "tokens" not in asked.plan.sizes or asked.system is None:
        return []
    out = ["run: every step takes as long as this one; no pauses, failures, checkpoints or validation"]
    power = asked.system.figures.get(POWER)
    if power is None:
        return [*out, f"run: no energy, as {asked.system.name} does not state {POWER}"]
    return [*out, f"energy: each GPU draws {power.value:g} W all the time; host, network and cooling are left out"]
