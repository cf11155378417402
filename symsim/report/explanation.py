"""The document of ``explain`` as a person reads it: the moment, what is alive then, the other stages."""

from __future__ import annotations

from typing import Any

from symsim.report.bar_table import print_with_bars
from symsim.report.repair import change_text, fit_words, print_constraints, print_repairs
from symsim.report.speedup import print_speedups
from symsim.report.tables import print_notes, print_question, print_table, print_verdict
from symsim.report.terminal_text import say
from symsim.report.time_explanation import print_time
from symsim.units import bytes_text

SHOWN_ITEMS = 12
"""How many of the largest items are listed one by one."""

ENDS = ("embedding", "head")
"""Units that are no layers."""

COLOURS = {
    "weights": "blue",
    "gradients": "blue",
    "optimizer": "blue",
    "saved": "green",
    "kept": "green",
    "chunk": "green",
    "activation": "yellow",
    "gradient": "yellow",
    "workspace": "red",
}
SECTIONS = {
    "weights": "states",
    "gradients": "states",
    "optimizer": "states",
    "saved": "saved",
    "kept": "saved",
    "chunk": "saved",
    "activations": "waiting for weight gradients",
    "extra": "also held",
}
"""Kinds of items that one sum is made of; the rest are those of the running unit, and sums of their own."""

RUNNING = frozenset({"activation", "gradient", "workspace"})

LABELS = {
    "gradients": "gradient buffer",
    "optimizer": "optimizer states",
    "kept": "saved",
    "chunk": "saved in chunk",
    "activations": "waiting",
    "extra": "also held",
    "buffers": "buffer",
}
GROUPS = {
    "dense": "dense parameters",
    "expert": "experts",
    "sent_gradient": "gradient sent back",
    "late": "for weight gradients",
}
EXTRA = {
    "gathered": "weights, gathered",
    "reducing": "gathered gradients, to be reduced",
    "handed": "of the micro-batch before",
}
"""Definitions that a moment counts, by their names before the kind of unit (``gathered_head``)."""


def print_explanation(result: dict[str, Any]) -> None:
    print_verdict(result)
    print_question(result)
    if result["memory"] is not None:
        _memory(result["memory"])
    if result["time"] is not None:
        print()
        print_time(result["time"])
    if result["speedups"] is not None:
        print()
        print_speedups(result["speedups"])
    if result["constraints"]:
        print()
        print_constraints(result["constraints"])
    if result["repairs"] is not None:
        print()
        print_repairs(result["repairs"])
    if result["lower"] is not None:
        print()
        fits = result["memory"] is None or result["memory"]["fits"] is not False
        _lower(result["lower"], must_fit=not fits)
    if result["warnings"] or result["assumptions"]:
        print()
        print_notes(result)


def _memory(memory: dict[str, Any]) -> None:
    print()
    _moment(memory)
    print()
    _alive(memory)
    if len(memory["stages"]) > 1:
        print()
        _stages(memory)
    if memory["device"]:
        print()
        rows = [["peak", bytes_text(memory["peak_bytes"])]]
        rows += [[item["name"].replace("_", " "), bytes_text(item["bytes"])] for item in memory["device"]]
        print_table(["from allocated to the device", "bytes"], rows)


def _moment(memory: dict[str, Any]) -> None:
    """How far the peak is from the memory of the machine, what runs then, what it adds up to, what is next."""
    peak, device, capacity = memory["peak_bytes"], memory["device_bytes"], memory["capacity_bytes"]
    stage, fullest = memory["stage"], memory["fullest_stage"]
    line = f"{bytes_text(peak)} on stage {stage}"
    if stage != fullest:
        line += f", {bytes_text(memory['stages'][stage]['below_peak_bytes'])} below the fullest, stage {fullest}"
    say("peak", line)
    if capacity is not None:
        free = memory["free_bytes"]
        left = f"{bytes_text(free)} free" if free >= 0 else f"{bytes_text(-free)} too much"
        say("device", f"{bytes_text(device)}: {device / capacity:.1%} of {bytes_text(capacity)}, {left}")
    at = memory["moment"]
    say("while", f"{_running(at)}, {_flight(memory['micro_batches_in_flight'])} in flight")
    place = at["unit"] if at is not None and at["unit"] in ENDS else "layer"
    sums: dict[str, float] = {}
    for item in memory["alive"]:
        name = f"in the running {place}" if item["kind"] in RUNNING else SECTIONS.get(item["kind"], item["kind"])
        sums[name] = sums.get(name, 0) + item["bytes"]
    say("of it", ", ".join(f"{bytes_text(sums[n])} {n}" for n in sorted(sums, key=lambda n: -sums[n])))
    following = memory["next"]
    if following is not None:
        same = at is not None and following["unit"] == at["unit"]
        where = "" if same else f" in the {_unit(following['unit'], 'last {}')}"
        running = f"{_bare(following['operator'], following['unit'])} {following['phase']}{where}"
        say("next", f"{running}, {_less(following['below_peak_bytes'])}")


def _flight(count: float) -> str:
    return f"{count:.4g} micro-batch{'es' * (count != 1)}"


def _running(at: dict[str, str] | None) -> str:
    if at is None:
        return "all that the stage saves is alive"
    if not at["phase"]:
        return f"{at['operator']} exceed all that is saved"
    return f"{_bare(at['operator'], at['unit'])} runs {_again(at['phase'])} in the {_unit(at['unit'], 'last {}')}"


def _less(following: float) -> str:
    return f"{bytes_text(following)} less" if following > 0 else "just as much"


def _again(phase: str) -> str:
    return "again" if phase == "recompute" else phase


def _kind(unit: str) -> str:
    return unit.removesuffix("recomputed").removesuffix("_")


def _unit(unit: str, layers: str) -> str:
    """``head``, or what ``layers`` says of a layer: ``last moe layer of stage 1``."""
    if unit in ENDS:
        return unit
    words = ["recomputed"] * unit.endswith("recomputed") + [_kind(unit)] * (_kind(unit) not in ("", "layer"))
    return layers.format(" ".join([*words, "layer"]))


def _bare(operator: str, unit: str) -> str:
    """An operator without the name of the kind of layer it is in, where that is said already."""
    plain = operator.removeprefix("recomputed.")
    return plain if unit in ENDS else plain.removeprefix(f"{_kind(unit)}.")


def _alive(memory: dict[str, Any]) -> None:
    unit = memory["moment"]["unit"] if memory["moment"] is not None else "layer"
    items = memory["alive"]
    shown = items if len(items) <= SHOWN_ITEMS + 1 else items[:SHOWN_ITEMS]
    largest = items[0]["share"]
    bars = [(item["share"] / largest, COLOURS.get(item["kind"], "magenta")) for item in shown]
    rows = [
        [
            f"{LABELS.get(item['kind'], item['kind'].replace('_', ' '))} {_of(item, unit)}".rstrip(),
            _count(item),
            bytes_text(item["bytes"]),
            f"{item['share']:.1%}",
        ]
        for item in shown
    ]
    if len(shown) < len(items):
        rest = items[len(shown) :]
        share = sum(i["share"] for i in rest)
        size = sum(i["bytes"] for i in rest)
        rows.append([f"and {len(rest)} smaller", "", bytes_text(size), f"{share:.1%}"])
    rows.append(["peak", "", bytes_text(memory["peak_bytes"]), "100.0%"])
    print_with_bars(["alive then", "count × each", "bytes", "share"], rows, bars)


def _of(item: dict[str, Any], unit: str) -> str:
    of = item["of"]
    match item["kind"]:
        case "saved" | "chunk" if of is not None:
            return f"for {_bare(of, unit)}"
        case "kept":
            return f"for {_bare(of, unit)}, this {_unit(unit, 'layer')}"
        case "gradient":
            return f"of {of}"
        case "workspace":
            return str(_bare(of, unit))
        case "extra" if of is not None and of.partition("_")[0] in EXTRA:
            return EXTRA[of.partition("_")[0]]
    return GROUPS.get(of, of) or ""


def _count(item: dict[str, Any]) -> str:
    return f"{item['count']:g} × {bytes_text(item['each_bytes'])}" if "count" in item else ""


def _stages(memory: dict[str, Any]) -> None:
    peaks = [stage["peak"] for stage in memory["stages"]]
    whole = memory["capacity_bytes"] or max(peaks)
    bars = [(peak / whole, "red" if peak > whole else "green") for peak in peaks]
    rows = [
        [
            str(k),
            bytes_text(stage["peak"]),
            bytes_text(stage["below_peak_bytes"]) if stage["below_peak_bytes"] > 0 else "",
            f"{stage['micro_batches_in_flight']:.4g}",
            _short(stage["moment"]),
        ]
        for k, stage in enumerate(memory["stages"])
    ]
    print_with_bars(["stage", "peak", "below the fullest", "in flight", "while"], rows, bars)


def _lower(nearby: list[dict[str, Any]], must_fit: bool) -> None:
    """Plans that hold less; whether they fit is of interest where the plan does not."""
    if not nearby:
        print("no single change lowers the peak")
        return
    timed = any(plan["slower"] is not None for plan in nearby)
    held = all(plan["device_bytes"] is not None for plan in nearby)
    headings = ["one change", "peak", *["device"] * held, "saves", *["step time"] * timed, *[""] * must_fit]
    rows = [
        [
            change_text(plan["change"]),
            bytes_text(plan["peak_bytes"]),
            *([bytes_text(plan["device_bytes"])] if held else []),
            bytes_text(plan["saved_bytes"]),
            *([f"{round(plan['slower'], 3) + 0.0:+.1%}"] if timed else []),
            *([fit_words(plan)] if must_fit else []),
        ]
        for plan in nearby
    ]
    print_table(headings, rows)


def _short(at: dict[str, str] | None) -> str:
    if at is None:
        return "all saved"
    again = " (recomputed layer)" if at["unit"].endswith("recomputed") else ""
    return f"{_bare(at['operator'], at['unit'])} {at['phase']}{again}".rstrip()
