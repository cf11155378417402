"""A search as a person reads it: the best plans, the front, what became of all points, and what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from symsim.analysis.comparing.compare_json import surety_text
from symsim.analysis.fitting.faster_of_two import TOO_CLOSE
from symsim.report.repair import NEAR_LIMIT, print_near_limit
from symsim.report.tables import print_table, print_verdict
from symsim.report.terminal_text import print_wrapped, say
from symsim.report.training_run import JOULES_OF_MWH, SECONDS_OF_DAY, amount_text, print_run
from symsim.units import bytes_text, decimal_text, seconds_text

Plan = Mapping[str, Any]

COLUMNS_OF = {
    "time.iteration": "step",
    "iteration": "step",
    "memory.peak": "peak",
    "peak_memory": "peak",
    "throughput.mfu": "MFU",
    "mfu": "MFU",
    "time.bubble_share": "bubble",
}
"""Expressions that have a column of their own."""

KINDS = {
    "memory": "does not fit the machine",
    "rule": "breaks a rule",
    "requirement": "breaks a requirement",
    "contradiction": "choices contradict each other",
}

MOST_FIXES = 10
"""Changes that are listed: the best come first."""

MOST_REMOVED = 12
"""Reasons that are listed one by one."""


def print_search(result: Mapping[str, Any]) -> None:
    print_verdict(result)
    objective = result["objective"]
    machine = result["system"] or "no machine"
    print_wrapped(f"{result['model']} · {result['space']} · {machine} · {objective['goal']} {objective['value']}")
    if result["plans"]:
        _plans(result, result["plans"], "best plans", [objective["value"]])
        _as_good(result)
        if result["plans"][0]["run"] is not None:
            print()
            print_run([result["plans"][0]["run"]], ["plan 1"])
    if result["pareto"]:
        print()
        title = f"Pareto front of {', '.join(result['pareto_of'])}: {len(result['pareto'])} plans"
        _plans(result, result["pareto"], title, [])
    print()
    _counts(result)
    if not result["feasible"]:
        print()
        _nothing(result)
    for note in result["notes"]:
        say("note:", note)


def _plans(result: Mapping[str, Any], plans: Sequence[Plan], title: str, also: Sequence[str]) -> None:
    """A table of plans: what they reach, and what tells them apart; what is the same is said once."""
    chosen = [_choices(plan) for plan in plans]
    differing = [n for n in chosen[0] if any(c[n] != chosen[0][n] for c in chosen)]
    alike = {n: v for n, v in chosen[0].items() if n not in differing}
    given = {n: _cell(v) for n, v in plans[0]["strategy"].items() if n in GIVEN and n not in chosen[0]}
    said = "  ".join(f"{n} {v}" for n, v in {**given, **alike}.items())
    if len(plans) > 1:
        say("all:", said)
    elif said:
        say("plan:", said)
    columns = [_reached(plan, result, also) for plan in plans]
    marked = any(plan["near_limit"] for plan in plans)
    headings = ["", *columns[0], *differing, *[""] * marked]
    rows = [
        [
            str(k + 1),
            *reached.values(),
            *(c[n] for n in differing),
            *[NEAR_LIMIT if plan["near_limit"] else ""] * marked,
        ]
        for k, (plan, reached, c) in enumerate(zip(plans, columns, chosen, strict=True))
    ]
    print_table(headings, rows, title)
    print_near_limit(plans)


def _mark(plan: Plan) -> str:
    return NEAR_LIMIT if plan["near_limit"] else ""


def _as_good(result: Mapping[str, Any]) -> None:
    """Which of the next plans the best cannot be told from, as far as times are known."""
    told = [plan["best_is_faster"] for plan in result["plans"][1:]]
    if not told or None in told:
        return
    close = [str(k) for k, sure in enumerate(told, 2) if sure < TOO_CLOSE]
    if close:
        named = f"plan {close[0]} is" if len(close) == 1 else f"plans {_numbers(close)} are"
        say("", f"{named} as good as plan 1 as far as times are known: which is faster is too close to call")
    rest = [(k, sure) for k, sure in enumerate(told, 2) if sure >= TOO_CLOSE]
    if rest:
        k, sure = rest[0]
        say("", f"plan 1 is faster than plan {k}: {surety_text(sure)} sure")


def _numbers(close: Sequence[str]) -> str:
    """``2 to 5`` where nothing is left out, else ``2, 4, 5``."""
    if len(close) > 2 and int(close[-1]) - int(close[0]) == len(close) - 1:
        return f"{close[0]} to {close[-1]}"
    return ", ".join(close)


GIVEN = ("world", "gbs", "seq")
"""Sizes that are said though they are not searched."""


def _choices(plan: Plan) -> dict[str, str]:
    return {
        n: _figure(n, v) if n in plan["figures"] else _cell("none" if v is None else v)
        for n, v in plan["searched"].items()
    }


def _figure(name: str, value: float) -> str:
    if name.endswith("bandwidth"):
        return decimal_text(value, "B/s")
    return bytes_text(value) if name.endswith("capacity") else f"{value:.6g}"


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "+".join(value) if isinstance(value, list) else str(value)


def _reached(plan: Plan, result: Mapping[str, Any], also: Sequence[str]) -> dict[str, str]:
    """Heading → text of what a plan reaches."""
    out: dict[str, str] = {}
    others = [(n, plan["objective"]) for n in also] or [(n, plan["pareto"][n]) for n in result["pareto_of"]]
    for name, value in others:
        own = name in plan["searched"] or (name in COLUMNS_OF and result["system"] is not None)
        if not own:
            out[name if len(name) <= LONGEST_HEADING else "objective"] = quantity_text(name, value)
    if plan["iteration_s"] is not None:
        out["step"] = seconds_text(plan["iteration_s"])
        out["MFU"] = f"{plan['mfu']:.1%}"
    out["peak"] = bytes_text(plan["peak_bytes"])
    if plan["device_bytes"] is not None:
        out["device"] = bytes_text(plan["device_bytes"])
    if plan["run"] is not None:
        out["days"] = f"{plan['run']['days']:.3g}"
    if plan["bubble_share"] is not None:
        out["bubble"] = f"{plan['bubble_share']:.1%}"
    return out if result["system"] is not None else {n: v for n, v in out.items() if n != "memory.peak"}


LONGEST_HEADING = 24


def quantity_text(name: str, value: float) -> str:
    """A value of an expression, in the unit of what it is called after."""
    if name.startswith("memory") or name in ("peak", "peak_memory"):
        return bytes_text(value)
    if name == "run.time":
        return f"{value / SECONDS_OF_DAY:,.4g} days"
    if name == "run.energy":
        return f"{amount_text(value / JOULES_OF_MWH)} MWh"
    if name in ("mfu", "throughput.mfu", "throughput.hfu", "time.bubble_share") or name.startswith("throughput.mfu"):
        return f"{value:.1%}"
    if name in ("time.", "time.iteration", "iteration"):
        return seconds_text(value)
    return f"{value:,.0f}" if abs(value) >= 1000 and abs(value) < 1e9 else f"{value:.5g}"


def _counts(result: Mapping[str, Any]) -> None:
    seconds = result["elapsed_s"]
    rate = decimal_text(float(f"{result['legal'] / seconds:.3g}")) if seconds > 0 else "0"
    variants = f"{result['variants']:,} structural variant" + "s" * (result["variants"] != 1)
    print_wrapped(
        f"{_many(result['points'])} points, {result['legal']:,} legal, {result['feasible']:,} feasible · {variants}"
    )
    print(f"took {seconds_text(seconds)}, {rate} legal points/s")
    if result["bounded"]:
        print_wrapped(f"{result['bounded']:,} legal points were pruned by a bound without being evaluated in full")
    removed = list(result["removed"].items())
    rows = [[_many(count), KINDS[result["kinds"][text]], text] for text, count in removed[:MOST_REMOVED]]
    if len(removed) > MOST_REMOVED:
        rest = removed[MOST_REMOVED:]
        rows.append([_many(sum(count for _, count in rest)), "", f"{len(rest)} more reasons; --json has them all"])
    if rows:
        print_table(["removed", "because", "what must hold, or is wrong"], rows)


def _many(count: int) -> str:
    return f"{count:,}" if count < 10**9 else f"{count:.4g}"


def _nothing(result: Mapping[str, Any]) -> None:
    if not result["legal"]:
        print("nothing feasible: not one point keeps the rules")
        return
    print("nothing feasible: every legal plan breaks a requirement")
    closest = result["closest"]
    if closest is None:
        return
    _plans({**result, "pareto_of": []}, [closest], "the plan that misses by least", [])
    for broken in closest["broken"]:
        say("breaks", _missed(broken))
    if not closest["fixed_by"]:
        print("no single change that was tried fixes it")
        return
    objective = result["objective"]["value"]
    fixes = closest["fixed_by"][:MOST_FIXES]
    held = all(fix["device_bytes"] is not None for fix in fixes)
    marked = any(fix["near_limit"] for fix in fixes)
    rows = [
        [
            _change(fix["change"]),
            quantity_text(objective, fix["objective"]),
            bytes_text(fix["peak_bytes"]),
            *([bytes_text(fix["device_bytes"])] if held else []),
            *[_mark(fix)] * marked,
        ]
        for fix in fixes
    ]
    heading = objective if len(objective) <= LONGEST_HEADING else "objective"
    print_table(["fixed by", heading, "peak", *["device"] * held, *[""] * marked], rows)
    print_near_limit(fixes)


def _missed(broken: Mapping[str, Any]) -> str:
    if broken["value"] is None or broken["bound"] is None:
        return str(broken["requirement"])
    name = next((n for n in ("run.time", "run.energy", "time.", "memory", "peak") if n in broken["requirement"]), "")

    def text(value: float) -> str:
        return quantity_text(name, value) if name and abs(value) > SMALL[name] else f"{value:.4g}"

    over = f", {broken['excess']:.1%} off" if broken["excess"] else ""
    return f"{broken['requirement']}: {text(broken['value'])} against {text(broken['bound'])}{over}"


SMALL = {"run.time": SECONDS_OF_DAY, "run.energy": JOULES_OF_MWH, "time.": 0.0, "memory": 1024.0, "peak": 1024.0}
"""Below these the sides of a comparison are shown as plain numbers: they may be no such quantity."""


def _change(change: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{n} = {_figure(n, v) if '.' in n else _cell('none' if v is None else v)}" for n, v in change.items()
    )
