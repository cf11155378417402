"""The first line of an answer: the verdict in words, from the answer's own document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symsim.units import bytes_text, decimal_text, seconds_text

Document = Mapping[str, Any]


def of_plan(memory: Document, time: Document | None = None, lacking: tuple[str, ...] = ()) -> str:
    """Whether a plan fits, how long its step takes, and what the strategy requires and is not met."""
    sentences = [memory_words(memory)]
    if time is not None:
        sentences.append(f"One step takes {time_words(time['iteration_s'], time['error_pct'])}.")
    sentences += [f"A requirement is broken: {text}." for text in lacking]
    return " ".join(sentences)


def memory_words(memory: Document) -> str:
    """``Fits: peak 77.80 GiB of 80.00 GiB on stage 0 (device 79.10 GiB ± 2 %).``"""
    peak, stage = bytes_text(memory["peak_bytes"]), memory["peak_stage"]
    bar = error_words(memory["error_pct"])
    if memory["capacity_bytes"] is None:
        return f"The peak is {peak}{bar}, on stage {stage}."
    capacity, device = bytes_text(memory["capacity_bytes"]), bytes_text(memory["device_bytes"])
    near = ", but near the limit" if memory["near_limit"] else ""
    match memory["fits"], memory["fit"]:
        case None, _:
            return f"Not asked to fit: peak {peak} of {capacity} on stage {stage} (device {device}{bar})."
        case True, _:
            return f"Fits{near}: peak {peak} of {capacity} on stage {stage} (device {device}{bar})."
        case _, "peak":
            return f"Does not fit{near}: the peak needs {peak}{bar} of {capacity} on stage {stage}."
    return f"Does not fit{near}: the device needs {device}{bar} of {capacity} on stage {stage} (peak {peak})."


def time_words(seconds: float, error_pct: float | None) -> str:
    return f"{seconds_text(seconds)}{error_words(error_pct)}"


def error_words(pct: float | None) -> str:
    """`` ± 4 %``; nothing where no error is known."""
    return "" if pct is None else f" ± {per_cent(pct)}"


def per_cent(pct: float) -> str:
    """``0.5 %``, ``4 %``, ``23 %``."""
    return f"{pct:.1f} %".replace(".0 ", " ") if pct < 2 else f"{pct:.0f} %"


def of_repair(change: Document, slower: float | None) -> str:
    """The cheapest change that repairs a plan."""
    cost = "" if slower is None else f": the step is {abs(slower):.1%} {'slower' if slower > 0 else 'faster'}"
    return f"Fixed by {', '.join(f'{n} = {_choice(v)}' for n, v in change.items())}{cost}."


def measured_with(name: str, word: str) -> str:
    """A word of a plan that no measured peak near it has, as one would say it."""
    match name:
        case "software":
            return "te_version left out" if word == "no te_version" else "te_version stated"
        case "experts":
            return {"moe": "experts", "dense": "no experts"}.get(word, "state-space layers, linear or sparse attention")
        case "recompute" if word == "some":
            return "some regions recomputed"
    return f"{name} = {word}"


def of_comparison(plans: tuple[Document, Document], certainty: str | None = None) -> str:
    """Which of two plans is faster, which has the lower peak, and which fits; ``certainty`` says how sure that is."""
    return " ".join(_compared(plans, certainty))


def _compared(plans: tuple[Document, Document], certainty: str | None) -> Iterator[str]:
    a, b = plans
    peaks = f"{bytes_text(b['peak_bytes'])} against {bytes_text(a['peak_bytes'])}"
    if a["iteration_s"] is not None and b["iteration_s"] is not None:
        first, second = a["iteration_s"], b["iteration_s"]
        if first == second:
            yield f"A and B take the same time: {seconds_text(first)} a step."
        else:
            faster = "B" if second < first else "A"
            low, high = sorted((first, second))
            times = f"{seconds_text(low)} against {seconds_text(high)} a step"
            yield f"{faster} is faster by {1 - low / high:.1%}: {times}."
    if certainty is not None:
        yield certainty
    if b["peak_bytes"] == a["peak_bytes"]:
        yield f"Both have the same peak, {bytes_text(a['peak_bytes'])}."
    else:
        yield f"B's peak is {'lower' if b['peak_bytes'] < a['peak_bytes'] else 'higher'}: {peaks}."
    match a["fits"], b["fits"]:
        case True, True:
            yield "Both fit" + _near(a, b)
        case True, False:
            yield "A fits, B does not" + _near(a, b)
        case False, True:
            yield "B fits, A does not" + _near(a, b)
        case False, False:
            yield "Neither fits" + _near(a, b)


def _near(a: Document, b: Document) -> str:
    near = [letter for letter, plan in (("A", a), ("B", b)) if plan["near_limit"]]
    return f", {' and '.join(near)} near the limit." if near else "."


def of_sensitivity(of: str, value: float, unit: str, partials: Sequence[Document], fits: bool | None) -> str:
    """What an answer is, which figure moves it most, and whether the plan fits."""
    sentences = [f"{of} is {quantity_words(value, unit)}."]
    figures = [p for p in partials if p["kind"] not in ("size", "dimension")] or partials
    steep = [(p["elasticity"], p["name"]) for p in figures if p["elasticity"]]
    if steep:
        elasticity, name = max(steep, key=lambda pair: abs(pair[0]))
        way = "more" if elasticity > 0 else "less"
        sentences.append(f"It changes most with {name}: 1 % more makes it {abs(elasticity):.2f} % {way}.")
    if fits is False:
        sentences.append("The plan does not fit.")
    return " ".join(sentences)


def quantity_words(value: float, unit: str) -> str:
    """A value in its unit."""
    match unit:
        case "s":
            return ("-" if value < 0 else "") + seconds_text(abs(value))
        case "B" | "bytes":
            return ("-" if value < 0 else "") + bytes_text(abs(value))
        case "" | "quantity":
            return f"{value:.6g}"
    return decimal_text(value, unit)


def of_solution(result: Document) -> str:
    """The answer and what fails at the next value, or that there is none."""
    name, unit, sought = result["for"], result["unit"], result["sought"]
    match result["outcome"]:
        case "everything":
            return f"There is no {sought} {name}: the conditions hold at every legal value that was tried."
        case "nothing":
            low, high = (_number(result[end], unit) for end in ("from", "to"))
            return f"No legal {name} from {low} to {high} meets all conditions."
    sentences = [f"The {sought} {name} is {_number(result['value'], unit)}"]
    following = result["next"]
    if following is not None and following["broken"]:
        beyond = f" at {_number(following['value'], unit)}" if result["whole"] else " beyond it"
        sentences[0] += f":{beyond} {' and '.join(following['broken'])} fails"
    plan = result["plan"]
    step = f"one step takes {seconds_text(plan['time_iteration_s'])}, " if plan["time_iteration_s"] is not None else ""
    bar = error_words(plan["memory_error_pct"])
    held = plan["memory_device_bytes"]
    memory = (
        f"the device needs {bytes_text(held)}"
        if held is not None
        else "the peak is " + bytes_text(plan["memory_peak_bytes"])
    )
    near = ", near the limit" if plan["near_limit"] else ""
    sentences.append(f"There {step}{memory}{bar}{near}")
    return ". ".join(sentences) + "."


def _number(value: float, unit: str) -> str:
    """A value in its unit; a whole number with all of its digits."""
    return (
        f"{value:,.0f}" if not unit and float(value).is_integer() and abs(value) < 1e15 else quantity_words(value, unit)
    )


def of_search(result: Document) -> str:
    """The best plan of a search in a sentence, or that there is none."""
    if not result["plans"]:
        if not result["legal"]:
            return "No plan is possible: not one point keeps the rules."
        return f"No plan is feasible: each of {result['legal']:,} legal plans breaks a requirement."
    best = result["plans"][0]
    many = f"Best of {result['feasible']:,} feasible plans" if result["feasible"] > 1 else "One plan is feasible"
    told = [f"{name} {_choice(value)}" for name, value in best["searched"].items() if value is not None]
    reached = []
    if best["iteration_s"] is not None:
        reached.append(f"one step takes {time_words(best['iteration_s'], best.get('error_pct'))}")
    if best["capacity_bytes"] is None:
        reached.append(f"the peak is {bytes_text(best['peak_bytes'])}")
    else:
        bar = error_words(best["memory_error_pct"])
        near = ", near the limit" if best["near_limit"] else ""
        device, capacity = (bytes_text(best[name]) for name in ("device_bytes", "capacity_bytes"))
        reached.append(f"the device needs {device}{bar} of {capacity}{near}")
    sentence = "; ".join(reached)
    return f"{many}{': ' if told else ''}{', '.join(told)}. {sentence[0].upper()}{sentence[1:]}."


def _choice(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return "+".join(value)
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
