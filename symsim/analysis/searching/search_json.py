"""The document of ``symsim search --json``: CONTRACT's ``symsim.search/1``, and what the tables are made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symsim.analysis import verdicts
from symsim.analysis.answer_json import plain, strategy_of
from symsim.analysis.fitting.faster_of_two import TOO_CLOSE, sure_faster
from symsim.analysis.memory_fit import MemoryFit, memory_fit, requirement
from symsim.analysis.searching.nearest_infeasible import Closest, Fix
from symsim.analysis.searching.search import Found, Result
from symsim.analysis.training_run import run_of
from symsim.language.expression_text import expression_text
from symsim.records.strategy import CHOICES

THROUGHPUT = ("tokens_per_s_per_gpu", "mfu", "mfu_causal", "hfu")
RATE = "model_flops_per_gpu"


def document(result: Result, closest: Closest | None = None, notes: Sequence[str] = ()) -> dict[str, Any]:
    """The answer. ``closest`` and ``notes`` are there where nothing is feasible, or choices contradict each other."""
    space = result.space
    others = [best_is_faster(found, result) for found in result.plans[1:]]
    plans = [
        {**plan_of(found, result), "best_is_faster": sure}
        for found, sure in zip(result.plans, (None, *others), strict=False)
    ]
    said = {
        "schema": "symsim.search/1",
        "model": space.model.name,
        "space": space.strategy.name,
        "system": space.system.name if space.system is not None else None,
        "objective": {"goal": result.objective.goal, "value": expression_text(result.objective.value)},
        "searched": {axis.name: len(axis.values) for axis in space.axes},
        "points": result.points,
        "legal": result.legal,
        "feasible": result.feasible,
        "bounded": result.bounded,
        "variants": result.variants,
        "removed": dict(result.removed),
        "kinds": {text: kind_of(text, result) for text in result.removed},
        "elapsed_s": result.elapsed_s,
        "plans": plans,
        "as_good": None if None in others else sum(p < TOO_CLOSE for p in others if p is not None),
        "pareto_of": list(result.pareto),
        "pareto": None if result.front is None else [plan_of(found, result) for found in result.front],
        "closest": None if closest is None else closest_of(closest, result),
        "notes": list(notes),
    }
    return {"schema": said["schema"], "verdict": verdicts.of_search(said), **said}


OF_TIME = ("time.iteration", "iteration", "mfu", "throughput.mfu", "throughput.tokens_per_s")
"""Objectives that rank plans of as many GPUs and tokens by the time of a step."""


def best_is_faster(found: Found, result: Result) -> float | None:
    """How sure it is that the best plan's step takes less time than another's: a probability.

    ``None`` where plans are not ranked by time, or do not do the same work on as many GPUs.
    """
    best = result.plans[0]
    sizes = [[f.question.plan.sizes[n] for n in ("world", "gbs", "seq")] for f in (best, found)]
    if expression_text(result.objective.value) not in OF_TIME or sizes[0] != sizes[1]:
        return None
    times = [float(f.answer.values.get("time.iteration", 0)) for f in (best, found)]
    return sure_faster(best.question, found.question, *times)


def kind_of(text: str, result: Result) -> str:
    """What removed points: memory, a rule of the formulas, a requirement, or choices that contradict each other."""
    if text in result.contradictions:
        return "contradiction"
    required = {require.message or expression_text(require.condition) for require in result.space.strategy.requires}
    if text == requirement(result.space.strategy.values):
        return "memory"
    return "requirement" if text in required else "rule"


def plan_of(found: Found, result: Result) -> dict[str, Any]:
    values, asked = found.answer.values, found.question
    timed = asked.system is not None
    fit = memory_fit(asked, values)
    out = {
        "strategy": strategy_of(asked, found.answer),
        "searched": {n: shown(v) for n, v in found.choices.items()},
        "figures": {n: plain(v) for n, v in found.choices.items() if n not in CHOICES},
        "objective": found.objective,
        "iteration_s": float(values["time.iteration"]) if timed else None,
        "peak_bytes": plain(values["memory.peak"]),
        **_held(fit),
        "bubble_share": float(values["time.bubble_share"]) if timed else None,
        **{n: float(values[f"throughput.{n}"]) if timed else None for n in THROUGHPUT},
        "model_tflops_per_gpu": float(values[f"throughput.{RATE}"]) / 1e12 if timed else None,
        "run": run_of(asked, found.answer),
    }
    if result.front is not None:
        out["pareto"] = dict(zip(result.pareto, found.front, strict=True))
    return out


def _held(fit: MemoryFit) -> dict[str, Any]:
    return {
        "device_bytes": plain(fit.device),
        "capacity_bytes": plain(fit.capacity),
        "memory_error_pct": None if fit.error is None else fit.error.pct,
        "near_limit": fit.near_limit,
    }


def shown(value: Any) -> Any:
    """A choice as JSON has it: a set as a list, what is not chosen as null."""
    return sorted(value) if isinstance(value, frozenset) else plain(value)


def closest_of(closest: Closest, result: Result) -> dict[str, Any]:
    return {
        **plan_of(closest.found, result),
        "broken": [
            {"requirement": b.text, "value": b.value, "bound": b.bound, "excess": b.excess} for b in closest.broken
        ],
        "fixed_by": [_fix(fixed) for fixed in closest.fixes],
    }


def _fix(fixed: Fix) -> dict[str, Any]:
    change: Mapping[str, Any] = {n: shown(v) for n, v in fixed.change.items()}
    return {
        "change": dict(change),
        "objective": fixed.objective,
        "peak_bytes": plain(fixed.fit.peak),
        **_held(fixed.fit),
    }
