"""A simulated step as a trace in Chrome's format, which Perfetto and chrome://tracing open.

One process for each rank of the pipeline: a track of passes, one of messages sent, one of what follows the last
micro-batch, and the bytes held over time. Source: Google, "Trace Event Format".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from symsim.analysis.timeline import Span, Timeline
from symsim.report.strict_json import json_text
from symsim.report.tables import print_table
from symsim.report.terminal_text import print_wrapped
from symsim.units import bytes_text, seconds_text

PASSES, MESSAGES = 0, 1
TRACKS = {PASSES: "passes", MESSAGES: "messages sent"}
NAMES = {"F": "forward", "B": "backward", "W": "weight gradient", "recompute": "recompute", "send": "message"}
COLOURS = {
    "F": "rail_response",
    "B": "good",
    "W": "rail_animation",
    "recompute": "rail_load",
    "send": "grey",
}
"""Names of colours in Chrome's palette."""


def trace(line: Timeline, title: str) -> dict[str, Any]:
    """The document: microseconds, bytes."""
    return {
        "displayTimeUnit": "ms",
        "otherData": {
            "title": title,
            "schedule": line.schedule,
            "micro_batches": line.micro_batches,
            "pipeline_s": line.pipeline_s,
            "pipeline_formula_s": line.formula_s,
            "iteration_formula_s": line.iteration_s,
        },
        "traceEvents": [*_named(line), *map(_slice, line.spans), *_tails(line), *_memory(line)],
    }


def text(line: Timeline, title: str) -> str:
    """The document as JSON, one event a line."""
    document = trace(line, title)
    events = ",\n".join(json_text(event, indent=None, ascii_only=False) for event in document.pop("traceEvents"))
    head = json_text(document, indent=None, ascii_only=False)[:-1]
    return f'{head}, "traceEvents": [\n{events}\n]}}'


def _named(line: Timeline) -> Iterator[dict[str, Any]]:
    for rank in range(len(line.ranks)):
        yield {"ph": "M", "pid": rank, "name": "process_name", "args": {"name": f"rank {rank}"}}
        yield {"ph": "M", "pid": rank, "name": "process_sort_index", "args": {"sort_index": rank}}
        for track, name in TRACKS.items():
            yield {"ph": "M", "pid": rank, "tid": track, "name": "thread_name", "args": {"name": name}}


def _slice(span: Span) -> dict[str, Any]:
    name = f"{NAMES[span.kind]} {span.micro_batch}"
    arguments: dict[str, Any] = {"micro_batch": span.micro_batch, "chunk": span.chunk}
    if span.kind == "send":
        name += f" → rank {span.other}"
        arguments["to"] = span.other
    return {
        "ph": "X",
        "pid": span.rank,
        "tid": MESSAGES if span.kind == "send" else PASSES,
        "name": name,
        "cat": NAMES[span.kind],
        "cname": COLOURS[span.kind],
        **_when(span.start_s, span.end_s),
        "args": arguments,
    }


def _tails(line: Timeline) -> Iterator[dict[str, Any]]:
    for i, rank in enumerate(line.ranks):
        for name, start, lasts in (
            ("data parallel", rank.tail_s, rank.exposed_s),
            ("optimizer", rank.tail_s + rank.exposed_s, rank.optimizer_s),
        ):
            if lasts > 0:
                yield {
                    "ph": "X",
                    "pid": i,
                    "tid": PASSES,
                    "name": name,
                    "cat": name,
                    "cname": "terrible",
                    **_when(start, start + lasts),
                }


def _memory(line: Timeline) -> Iterator[dict[str, Any]]:
    for i, rank in enumerate(line.ranks):
        for second, held in rank.held:
            yield {"ph": "C", "pid": i, "name": "memory", "ts": _us(second), "args": {"bytes": round(held)}}


def _when(start_s: float, end_s: float) -> dict[str, float]:
    return {"ts": _us(start_s), "dur": _us(end_s) - _us(start_s)}


def _us(seconds: float) -> float:
    return round(seconds * 1e6, 3)


def print_summary(line: Timeline) -> None:
    """What was simulated, and what the formulas say."""
    pipeline = f"{seconds_text(line.pipeline_s)} as simulated, {seconds_text(line.formula_s)} by the formula"
    print_wrapped(f"One step takes {seconds_text(line.iteration_s)}; its pipeline takes {pipeline}.")
    print()
    fullest = max(max(held for _, held in rank.held) for rank in line.ranks)
    pairs = (
        ("pipeline", line.pipeline_s, line.formula_s, seconds_text),
        ("of it bubble", line.pipeline_s - line.slowest_s, line.formula_s - line.slowest_s, seconds_text),
        ("peak of memory", fullest, max(rank.peak_bytes for rank in line.ranks), bytes_text),
    )
    rows = [[name, show(ran), show(form), _difference(ran, form)] for name, ran, form, show in pairs]
    print_table(["one step", "simulated", "formula", "difference"], rows)
    print_wrapped(
        f"{line.schedule}, {line.micro_batches} micro-batches on {len(line.ranks)} ranks · ranks are idle "
        f"{line.waiting_share:.1%} of the pipeline's time · step {seconds_text(line.iteration_s)} by the formula"
    )


def _difference(ran: float, form: float) -> str:
    """Of the simulated one; nothing to speak of is 0."""
    if abs(ran - form) <= 1e-9 * max(abs(ran), abs(form)):
        return "0.00%"
    return f"{form / ran - 1:+.2%}" if ran > 0 else ""
