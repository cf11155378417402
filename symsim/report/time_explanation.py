"""The time of a step as a person reads it: what takes it, what limits that, the stages, what a better machine gains."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from symsim.report.bar_table import print_with_bars
from symsim.report.page_width import page_width
from symsim.report.tables import print_table
from symsim.report.terminal_text import say
from symsim.units import decimal_text, seconds_text

SHOWN_ROWS = 16
"""How many of the largest contributors are listed one by one."""

WIDE_PAGE = 110
"""Columns of a page on which the turns of an operator have columns of their own."""

KINDS = {
    "matmul": "GEMM",
    "grouped_matmul": "grouped GEMM",
    "traffic": "element-wise",
    "tp": "tp messages",
    "cp": "cp messages",
    "ep": "ep messages",
}
"""Classes of operators; others are called by their own name."""

WHOLE = {
    "recompute": "recomputation",
    "tensor_parallel": "tp messages",
    "context_parallel": "cp messages",
    "expert_parallel": "ep messages",
    "pipeline_parallel": "messages between stages",
    "accumulate": "gradients added to their buffer",
    "shards": "messages that gather shards",
    "offload": "waiting for the host's memory",
    "launch": "waiting for the host",
    "bubble": "pipeline bubble",
    "data_parallel": "data-parallel messages",
    "reduce": "gradient reduction",
    "gather": "parameter gathering",
    "reduce_tied": "gradients of the tied table",
    "optimizer": "optimizer step",
    "stragglers": "waiting for the slowest node",
}
"""What is no operator's."""

LIMITS = {"traffic": "memory traffic", "start_up": "start-up", "data_parallel": "data-parallel messages"}
"""What limits, where its name does not say it."""

FASTER = {
    "arithmetic": "the FLOP/s",
    "traffic": "the memory bandwidth",
    "messages": "the bandwidth of links",
}
"""What of a machine makes a limit less of one."""

COLOURS = {"arithmetic": "green", "traffic": "blue", "messages": "yellow", "start_up": "red"}

Item = dict[str, Any]


def print_time(time: dict[str, Any]) -> None:
    _step(time)
    print()
    _items(time["items"], time["iteration_s"])
    if len(time["stages"]) > 1:
        print()
        _stages(time)
    print()
    _faster(time)


def _step(time: dict[str, Any]) -> None:
    """The whole in lines: how long, by which stage, by which limits, what would be next, what is hidden."""
    whole, stage = seconds_text(time["iteration_s"]), time["pacing_stage"]
    line = f"{whole} for a step, {time['bubble_share']:.1%} of it bubble"
    if len(time["stages"]) > 1:
        line += f"; stage {stage} paces it, {_following(time)}"
    say("time", line)
    say("of it", ", ".join(f"{seconds_text(o['seconds'])} {_kind(o['kind'])}" for o in time["kinds"]))
    say("by", ", ".join(f"{seconds_text(o['seconds'])} {_limit(o['limit'])}" for o in time["limits"]))
    for k, limit in enumerate(o for o in time["limits"] if o["next"] is not None):
        say("next" if k == 0 else "", _next(limit))
    for k, message in enumerate(time["hidden"]):
        say("hidden" if k == 0 else "", _hidden(message))
    for k, launched in enumerate(time["host"]):
        say("host" if k == 0 else "", _host(launched))


def _host(launched: dict[str, Any]) -> str:
    ahead = "ahead by" if launched["margin_s"] >= 0 else "late by"
    host, margin = seconds_text(launched["host_s"]), seconds_text(abs(launched["margin_s"]))
    kernels = f"{launched['launches']:.0f} kernels and messages"
    return f"launches a {launched['turn']} pass ({kernels}) in {host}, {ahead} {margin}"


AS_SLOW = 1e-9
"""Stages whose micro-batches differ by less than this part take equally long, but for rounding."""


def _following(time: dict[str, Any]) -> str:
    """The stages that would pace the step if the one that does were faster: how many, or by how much."""
    pacing = time["stages"][time["pacing_stage"]]["micro_batch_s"]
    others = [(s["shorter_by_s"] / pacing, k) for k, s in enumerate(time["stages"]) if k != time["pacing_stage"]]
    alike = [k for following, k in others if following <= AS_SLOW]
    if not alike:
        following, k = min(others)
        return f"the next is stage {k}, {following:.1%} faster"
    return f"stage {alike[0]} is as slow" if len(alike) == 1 else f"{len(alike)} others are as slow"


def _kind(name: str) -> str:
    return KINDS.get(name) or WHOLE.get(name, name)


def _limit(name: str) -> str:
    return LIMITS.get(name, name.replace("_", " "))


def _next(limit: dict[str, Any]) -> str:
    """``arithmetic: at 2.4 times the FLOP/s attention.output backward is limited by memory traffic``"""
    first = limit["next"]
    what = FASTER.get(limit["limit"], "the speed")
    line = f"{_limit(limit['limit'])}: at {_times(first['times'])} times {what} {_running(first)} "
    line += f"is limited by {_limit(first['limit'])}"
    if limit["half"] is not None and limit["half"] > first["times"]:
        line += f", at {_times(limit['half'])} times half of it is by something else"
    return line


def _times(factor: float) -> str:
    return f"{factor:.3g}" if factor < 100 else f"{factor:.0f}"


def _running(item: Item) -> str:
    again = " again" if item["turn"] == "recompute" else ""
    return f"{_bare(item)} {item['phase'].replace('_', ' ')}{again}"


def _bare(item: Item) -> str:
    """An operator with its kind of layer, which some operators' names begin with."""
    unit, operator = item["unit"], str(item["operator"])
    kind = unit.removesuffix("recomputed").removesuffix("_")
    return operator if kind in ("", "layer") or operator.startswith(f"{kind}.") else f"{kind}.{operator}"


def _hidden(message: dict[str, Any]) -> str:
    whole, name = seconds_text(message["seconds"]), WHOLE[message["message"]]
    if message["overlapped_s"] is None:
        return f"nothing of {name} ({whole})"
    margin = message["margin_s"]
    verdict = f"{seconds_text(margin)} to spare" if margin >= 0 else f"{seconds_text(-margin)} too short"
    hidden_by, cover = seconds_text(message["overlapped_s"]), seconds_text(message["cover_s"])
    cost = seconds_text(message["exposed_s"])
    return f"{name} ({whole}): {hidden_by} during a pass of {cover}, {verdict}; it adds {cost}"


def _items(items: Sequence[Item], whole: float) -> None:
    """One row for each operator or message; on a wide page its turns side by side."""
    rows = _merged(items)
    shown = rows if len(rows) <= SHOWN_ROWS + 1 else rows[:SHOWN_ROWS]
    turns = [t for t in ("forward", "backward", "recompute") if any(row[t] for row in rows)]
    turns = turns if page_width() >= WIDE_PAGE else []

    def cells(name: str, kind: str, seconds: float, row: dict[str, Any]) -> list[str]:
        each = [seconds_text(row[t]) if row.get(t) else "" for t in turns]
        limits = [row.get("limit", ""), row.get("next", "")]
        return [name, kind, *each, seconds_text(seconds), f"{seconds / whole:.1%}", *limits]

    table = [cells(row["name"], row["kind"], row["seconds"], row) for row in shown]
    if len(shown) < len(rows):
        table.append(
            cells(f"and {len(rows) - len(shown)} smaller", "", sum(row["seconds"] for row in rows[len(shown) :]), {})
        )
    table.append(cells("step", "", whole, {}))
    columns = ["again" if t == "recompute" else t for t in turns]
    headings = ["takes a step's time", "", *columns, "in all", "share", "limited by", "next, at"]
    largest = rows[0]["seconds"]
    bars = [(row["seconds"] / largest, COLOURS.get(row["main"], "magenta")) for row in shown]
    print_with_bars(headings, table, bars)


def _merged(items: Sequence[Item]) -> list[dict[str, Any]]:
    """Items of one operator and kind together; what limits them is said of the longest."""
    out: dict[tuple[Any, ...], dict[str, Any]] = {}
    for item in items:
        key = (item["item"] if item["operator"] is None else _bare(item), item["kind"])
        if key not in out:
            following = item["next"]
            out[key] = {
                "name": WHOLE[item["kind"]] if item["operator"] is None else _bare(item),
                "kind": "" if item["operator"] is None else _kind(item["kind"]),
                "forward": 0.0,
                "backward": 0.0,
                "recompute": 0.0,
                "seconds": 0.0,
                "main": item["limit"],
                "limit": "" if item["operator"] is None else _limit(item["limit"]),
                "next": "" if following is None else f"{_times(following['times'])} × {_limit(following['limit'])}",
            }
        out[key]["seconds"] += item["seconds"]
        if item["turn"] is not None:
            out[key][item["turn"]] += item["seconds"]
    return sorted(out.values(), key=lambda row: -row["seconds"])


def _stages(time: dict[str, Any]) -> None:
    stages = time["stages"]
    pacing = stages[time["pacing_stage"]]["micro_batch_s"]
    rows = [
        [
            str(k),
            seconds_text(s["micro_batch_s"]),
            seconds_text(s["forward_s"]),
            seconds_text(s["backward_s"]),
            seconds_text(s["shorter_by_s"]) if s["shorter_by_s"] > 0 else "",
        ]
        for k, s in enumerate(stages)
    ]
    bars = [(s["micro_batch_s"] / pacing, "green") for s in stages]
    print_with_bars(["stage", "one micro-batch", "forward", "backward", "faster than the slowest"], rows, bars)


def _faster(time: dict[str, Any]) -> None:
    """What a tenth more of each figure of the machine gains."""
    rows = [
        [
            item["figure"],
            decimal_text(item["value"], item["unit"]),
            seconds_text(item["iteration_s"]),
            f"{round(item['change'], 4) + 0.0:+.2%}",
        ]
        for item in time["faster"]
    ]
    print_table(["a tenth more of", "now", "step", "change"], rows)
