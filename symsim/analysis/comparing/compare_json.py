"""The document of ``symsim compare --json``, and what it says in words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from symsim.analysis import verdicts
from symsim.analysis.answer_json import (
    assumptions,
    beyond_domain,
    given_back,
    model_of,
    plain,
    slow_link,
    strategy_of,
    warnings,
)
from symsim.analysis.comparing.attribution import Attribution
from symsim.analysis.comparing.compare import OWN, PEAK, TIME, Comparison, Difference, Part, Side, Term
from symsim.analysis.explaining.peak_moment import in_words, peak_moment
from symsim.analysis.fitting.faster_of_two import TOO_CLOSE, sure_faster
from symsim.analysis.requirements import broken_requirements
from symsim.analysis.training_run import run_of
from symsim.units import bytes_text, seconds_text

LETTERS = ("A", "B")

MOST_NAMED = 3
"""So many terms, and so many choices, are named in a sentence."""

LEAST_NAMED = 0.1
"""Terms below this share of the largest are not."""


def document(found: Comparison, of: str | None = None) -> dict[str, Any]:
    """The comparison as ``symsim.compare/1``; ``of`` is the text of the user's quantity."""
    sides = found.first, found.second
    models = [model_of(side.asked, side.found) for side in sides]
    plans = [{**_side(side), "model": model} for side, model in zip(sides, models, strict=True)]
    faster = faster_of(found)
    return {
        "schema": "symsim.compare/1",
        "verdict": verdicts.of_comparison((plans[0], plans[1]), None if faster is None else certainty(faster)),
        "model": models[0] if models[0] == models[1] else None,
        "plans": plans,
        "differs": [{"name": n, "a": a, "b": b} for n, a, b in _differs(found)],
        "differences": [_difference(d, of) for d in found.differences],
        "faster": faster,
        "attribution": _attribution(found.attribution, found.plans, found.impossible),
        "words": [*_words(found, of)],
        "assumptions": _of_both([[*assumptions(side.asked, side.machine), *given_back(side.fit)] for side in sides]),
        "warnings": [*_of_both([_warnings(side) for side in sides]), *_steps(sides)],
    }


def faster_of(found: Comparison) -> dict[str, Any] | None:
    """Which plan is faster and how sure that is; ``None`` where one has no time or both take the same.

    ``plan`` is ``None`` where the two are too close to call.
    """
    timed = [d for d in found.differences if d.name == TIME and d.change]
    if not timed:
        return None
    sides = found.first.asked, found.second.asked
    a_is = sure_faster(*sides, timed[0].first, timed[0].second)
    if a_is is None:
        return None
    surety = max(a_is, 1 - a_is)
    return {"plan": None if surety < TOO_CLOSE else LETTERS[a_is < 0.5], "probability": surety}


def certainty(faster: dict[str, Any]) -> str:
    """``The order is 93 % sure.``"""
    sure = surety_text(faster["probability"])
    return f"The order is {sure} sure." if faster["plan"] is not None else f"Too close to call: {sure} sure."


def surety_text(probability: float) -> str:
    """In per cent; never all of it, because nothing is certain."""
    return "more than 99 %" if probability > MOST_SURE else f"{100 * probability:.0f} %"


MOST_SURE = 0.99


def _side(side: Side) -> dict[str, Any]:
    values = side.found.values
    timed = side.machine is not None
    return {
        "name": side.asked.strategy_name,
        "system": side.asked.system.name if side.asked.system is not None else None,
        "strategy": strategy_of(side.asked, side.found),
        "iteration_s": float(values[TIME]) if timed else None,
        "mfu": float(values["throughput.mfu"]) if timed else None,
        "tokens_per_s_per_gpu": float(values["throughput.tokens_per_s_per_gpu"]) if timed else None,
        "peak_bytes": plain(values[PEAK]),
        "peak_stage": side.fullest,
        "peak_moment": in_words(side.found, peak_moment(side.found, side.fullest), side.fullest),
        **_fits(side),
        "run": run_of(side.asked, side.found),
    }


def _fits(side: Side) -> dict[str, Any]:
    fit = side.fit
    return {
        "device_bytes": plain(fit.device),
        "capacity_bytes": plain(fit.capacity),
        "fits": fit.fits,
        "near_limit": fit.near_limit,
        "memory_error_pct": None if fit.error is None else fit.error.pct,
    }


def _differs(found: Comparison) -> Iterator[tuple[str, Any, Any]]:
    """What was given otherwise, and what follows from it."""
    sides = found.first, found.second
    named = {c.name: (c.first, c.second) for c in found.choices}
    yield from ((n, *map(_plain, pair)) for n, pair in named.items() if n not in found.first.asked.plan.values)
    ours, theirs = (strategy_of(side.asked, side.found) for side in sides)
    yield from ((n, ours[n], theirs[n]) for n in ours if ours[n] != theirs[n])


def _plain(value: Any) -> Any:
    return sorted(value) if isinstance(value, frozenset) else plain(value)


def _difference(difference: Difference, of: str | None) -> dict[str, Any]:
    whole = difference.change
    return {
        "name": of if difference.name == OWN and of is not None else difference.name,
        "unit": difference.unit,
        "a": plain(difference.first),
        "b": plain(difference.second),
        "change": plain(whole),
        "ratio": difference.second / difference.first if difference.first else None,
        "terms": [
            {"name": t.name, "a": plain(t.first), "b": plain(t.second), "change": plain(t.change), **_share(t, whole)}
            for t in difference.terms
        ],
        "choices": [
            {"choices": list(p.choices), "change": plain(p.change), **_share(p, whole)} for p in difference.parts
        ],
    }


def _share(part: Term | Part, whole: float) -> dict[str, float | None]:
    return {"share": part.change / whole if whole else None}


def _attribution(found: Attribution, plans: int, impossible: int) -> dict[str, Any]:
    return {
        "method": found.method,
        "together": [list(g) for g in found.groups if len(g) > 1],
        "orders": found.orders,
        "orders_in_all": found.orders_in_all,
        "sequences": [[list(step) for step in steps] for steps in found.sequences] or None,
        "plans": plans,
        "impossible": impossible,
    }


def _of_both(texts: Sequence[list[str]]) -> list[str]:
    """What is said of both plans once; of one, with its letter."""
    common = [t for t in texts[0] if t in texts[1]]
    return [*common, *(f"{k}: {t}" for k, own in zip(LETTERS, texts, strict=True) for t in own if t not in common)]


def _warnings(side: Side) -> list[str]:
    lacking = [f"a requirement of the strategy is broken: {text}" for text in broken_requirements(side.asked)]
    told = [*warnings(side.asked, side.fit), *slow_link(side.asked, side.found, side.machine)]
    return [*side.asked.notes, *told, *beyond_domain(side.asked, side.found, side.machine), *lacking]


def _steps(sides: tuple[Side, Side]) -> list[str]:
    """Steps of unlike size, or of unlike many GPUs: their times are no measure of which plan is better."""
    if sides[0].machine is None or sides[1].machine is None:
        return []
    tokens, worlds = ([a * b for a, b in pairs] for pairs in zip(*map(_tokens, sides), strict=True))
    if tokens[0] == tokens[1] and worlds[0] == worlds[1]:
        return []
    what = "tokens" if tokens[0] != tokens[1] else "GPUs"
    return [f"a step of A and of B has not as many {what}: --of throughput.tokens_per_s_per_gpu is fair to both"]


def _tokens(side: Side) -> tuple[tuple[Any, Any], tuple[Any, Any]]:
    sizes = side.asked.plan.sizes
    return (sizes["gbs"], sizes["seq"]), (sizes["world"], 1)


def _words(found: Comparison, of: str | None) -> Iterator[str]:
    """Why one plan is better than the other, a sentence or two for each quantity."""
    for difference in found.differences:
        if difference.name == TIME:
            yield _sentence(difference, ("slower", "faster"), "take the same time for a step", found)
        elif difference.name == PEAK:
            yield _sentence(difference, ("higher at its peak", "lower at its peak"), "have the same peak", found)
        else:
            yield _sentence(difference, ("higher", "lower"), "are equal", found, f"{of or OWN}: ")


def _sentence(
    difference: Difference, more_and_less: tuple[str, str], equal: str, found: Comparison, start: str = ""
) -> str:
    change = difference.change
    if not change:
        return f"{start}A and B {equal}"
    ratio = abs(change / difference.first) if difference.first else None
    by = "" if ratio is None else f"{ratio:.1%} "
    text = f"{start}B is {by}{more_and_less[change < 0]} ({amount(change, difference.unit)})"
    terms = _largest(difference.terms)
    if terms:
        text += ": " + ", ".join(f"{amount(t.change, difference.unit)} {t.name.replace('_', ' ')}" for t in terms)
    parts = _largest(difference.parts)
    if parts and len(difference.parts) > 1:
        named = ", ".join(f"{' with '.join(p.choices)} {amount(p.change, difference.unit)}" for p in parts)
        text += f"; by choice: {named}"
    return text


def _largest(parts: Sequence[Any]) -> list[Any]:
    ordered = sorted((p for p in parts if p.change), key=lambda p: -abs(p.change))
    return [p for p in ordered[:MOST_NAMED] if abs(p.change) >= LEAST_NAMED * abs(ordered[0].change)]


def amount(change: float, unit: str) -> str:
    """A change with its sign: ``+1.2 s``, ``-3.50 GiB``."""
    sign = "+" if change > 0 else "-" if change < 0 else ""
    return sign + quantity_text(abs(change), unit)


def quantity_text(value: float, unit: str) -> str:
    match unit:
        case "s":
            return seconds_text(value)
        case "bytes":
            return bytes_text(value)
    return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
