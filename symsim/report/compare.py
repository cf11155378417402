"""The document of ``compare`` as a person reads it: what differs, by how much, from which terms and choices."""

from __future__ import annotations

from typing import Any

from symsim.analysis.comparing.compare_json import LETTERS, amount, quantity_text
from symsim.report.bar_table import print_with_bars
from symsim.report.repair import NEAR_LIMIT, print_near_limit
from symsim.report.tables import print_notes, print_table, print_verdict
from symsim.report.terminal_text import print_wrapped, say
from symsim.report.training_run import print_run
from symsim.units import bytes_text, decimal_text, seconds_text

TITLES = {"time.iteration": "time of a step", "memory.peak": "peak of memory"}
WHOLES = {"time.iteration": "iteration", "memory.peak": "peak"}

NOT_GIVEN = "–"


def print_comparison(result: dict[str, Any]) -> None:
    print_verdict(result)
    _plans(result)
    if result["differs"]:
        print()
        rows = [[d["name"], signed_amount(d["a"]), signed_amount(d["b"])] for d in result["differs"]]
        print_table(["what differs", *LETTERS], rows)
    print()
    _answers(result)
    runs = {letter: plan["run"] for letter, plan in zip(LETTERS, result["plans"], strict=True) if plan["run"]}
    if runs:
        print()
        print_run([*runs.values()], [*runs])
    print()
    for words in result["words"]:
        say("", words)
    for difference in result["differences"]:
        if difference["terms"] and difference["change"]:
            print()
            _terms(difference, [plan["peak_stage"] for plan in result["plans"]])
        if len(difference["choices"]) > 1 and difference["change"]:
            print()
            _choices(difference, result)
    if any(d["choices"] for d in result["differences"]):
        print()
        _method(result["attribution"])
    if result["warnings"] or result["assumptions"]:
        print()
        print_notes(result)


def _plans(result: dict[str, Any]) -> None:
    """The model, and a line for each plan."""
    model = result["model"]
    if model is not None:
        print(f"{model['name']} · {decimal_text(model['parameters'])} parameters")
    for letter, plan in zip(LETTERS, result["plans"], strict=True):
        sizes = plan["strategy"]
        names = [n for n in ("world", "dp", "tp", "cp", "pp", "ep") if n in ("world", "dp") or sizes[n] != 1]
        told = "  ".join(f"{n} {sizes[n]}" for n in names)
        own = "" if model is not None else f"{plan['model']['name']} · "
        print_wrapped(f"{letter}  {own}{plan['name']} · {plan['system'] or 'no machine'} · {told}")


def signed_amount(value: Any) -> str:
    """A value as a strategy has it."""
    if value is None:
        return NOT_GIVEN
    if isinstance(value, list):
        return "{" + ", ".join(value) + "}"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _answers(result: dict[str, Any]) -> None:
    """The answers that people ask about, side by side."""
    a, b = result["plans"]
    rows = []
    if a["iteration_s"] is not None and b["iteration_s"] is not None:
        rows.append(["time of a step", *_pair(a, b, "iteration_s", seconds_text)])
        rows.append(["tokens/s per GPU", *_pair(a, b, "tokens_per_s_per_gpu", lambda v: f"{v:,.0f}")])
        rows.append(["MFU", f"{a['mfu']:.1%}", f"{b['mfu']:.1%}", _percent(b["mfu"] / a["mfu"] - 1)])
    rows.append(["peak of memory", *_pair(a, b, "peak_bytes", bytes_text)])
    stages = [str(plan["peak_stage"]) for plan in (a, b)]
    rows.append(["on stage", *stages, ""])
    if a["device_bytes"] is not None and b["device_bytes"] is not None:
        rows.append(["device", *_pair(a, b, "device_bytes", bytes_text)])
    if a["fits"] is not None and b["fits"] is not None:
        rows.append(["fits", *(_yes_or_no(plan) for plan in (a, b)), ""])
    for difference in result["differences"]:
        if difference["name"] not in TITLES:
            sides = [quantity_text(difference[k], difference["unit"]) for k in ("a", "b")]
            ratio = difference["ratio"]
            rows.append([difference["name"], *sides, "" if ratio is None else _percent(ratio - 1)])
    print_table(["", *LETTERS, "change"], rows)
    print_near_limit([a, b])


def _yes_or_no(plan: dict[str, Any]) -> str:
    said = "yes" if plan["fits"] else "no"
    return f"{said}, {NEAR_LIMIT}" if plan["near_limit"] else said


def _pair(a: dict[str, Any], b: dict[str, Any], name: str, text: Any) -> tuple[str, str, str]:
    return text(a[name]), text(b[name]), _percent(b[name] / a[name] - 1)


def _percent(change: float) -> str:
    return f"{round(change, 4) + 0.0:+.2%}"


def _terms(difference: dict[str, Any], stages: list[int]) -> None:
    unit = difference["unit"]
    heading = TITLES[difference["name"]]
    if difference["name"] == "memory.peak" and stages[0] != stages[1]:
        heading += f", stage {stages[0]} of A and {stages[1]} of B"
    ordered = sorted(difference["terms"], key=lambda t: -abs(t["change"]))
    rows = [
        [
            term["name"].replace("_", " "),
            *(quantity_text(term[k], unit) if term[k] else "" for k in ("a", "b")),
            amount(term["change"], unit),
            _share(term["share"]),
        ]
        for term in ordered
    ]
    sides = [quantity_text(difference[k], unit) for k in ("a", "b")]
    rows.append([WHOLES[difference["name"]], *sides, amount(difference["change"], unit), "100.0%"])
    _print_signed([heading, *LETTERS, "change", "share"], rows, [t["change"] for t in ordered], unit)


def _choices(difference: dict[str, Any], result: dict[str, Any]) -> None:
    unit = difference["unit"]
    ordered = sorted(difference["choices"], key=lambda c: -abs(c["change"]))
    rows = [[named_choices(p, result), amount(p["change"], unit), _share(p["share"])] for p in ordered]
    rows.append(["all", amount(difference["change"], unit), "100.0%"])
    title = TITLES.get(difference["name"], difference["name"])
    _print_signed([f"{title}, by choice", "change", "share"], rows, [c["change"] for c in ordered], unit)


def named_choices(part: dict[str, Any], result: dict[str, Any], between: str = ", ") -> str:
    """Choices that go together, each with its two values: ``tp 8 → 4``."""
    values = {d["name"]: (signed_amount(d["a"]), signed_amount(d["b"])) for d in result["differs"]}
    return between.join(" ".join((n, *([" → ".join(values[n])] if n in values else []))) for n in part["choices"])


def _print_signed(headings: list[str], rows: list[list[str]], changes: list[float], unit: str) -> None:
    """Bars red where B takes or holds more, green where less; those of a user's quantity say neither."""
    largest = max((abs(c) for c in changes), default=0) or 1
    more, less = ("red", "green") if unit else ("magenta", "cyan")
    bars = [(abs(c) / largest, more if c > 0 else less) for c in changes]
    print_with_bars(headings, rows, bars)


def _share(share: float | None) -> str:
    return "" if share is None else f"{round(share, 3) + 0.0:.1%}"


def _method(attribution: dict[str, Any]) -> None:
    """How the difference was attributed, and what had to go together."""
    orders, whole, plans = attribution["orders"], attribution["orders_in_all"], attribution["plans"]
    if attribution["method"] == "two orders":
        text = "the choices change one after the other in two orders, from A on and from B back; the mean is shown"
    elif whole == 1:
        text = "one choice differs" if not attribution["together"] else "all that differs changes together"
    elif orders == whole:
        text = f"the mean over all {whole} orders in which the choices can change one by one (Shapley)"
    else:
        text = f"the mean over the {orders} of {whole} orders in which every plan on the way is possible"
    if plans:
        text += f"; {plans} plan{'s' * (plans != 1)} between the two were evaluated"
    say("how", text)
    for group in attribution["together"]:
        say("", f"{' and '.join(group)} go together: no plan has one of them changed alone")
    for letter, steps in zip(LETTERS, attribution["sequences"] or (), strict=False):
        named = [" with ".join(step) for step in (steps if letter == "A" else reversed(steps))]
        say("", f"from {letter}: " + ", ".join(named))
