"""Answers as tables: drawn on a terminal, plain aligned text in a pipe."""

from __future__ import annotations

import re
import sys
from collections.abc import Container, Mapping, Sequence
from itertools import zip_longest
from typing import Any

from symsim.analysis.verdicts import per_cent
from symsim.diagnostics import printable
from symsim.report.error_bar_text import error_bar_texts
from symsim.report.page_width import page_width
from symsim.report.table_layout import Part, fitted
from symsim.report.terminal_safety import unfiltered
from symsim.report.terminal_text import NO_BREAK, print_wrapped
from symsim.units import bytes_text, decimal_text, seconds_text


class Coloured(str):
    """A cell that a terminal shows in a colour; every other cell is shown as it is, whatever it holds."""

    colour: str

    def __new__(cls, text: str, colour: str) -> Coloured:
        made = super().__new__(cls, text)
        made.colour = colour
        return made


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], title: str | None = None, unfolded: Container[str] = ()
) -> None:
    """A table: numbers to the right, drawn by rich on a terminal, columns of plain text in a pipe.

    It fits the page (:mod:`symsim.report.table_layout`): text is folded, numbers and ``unfolded`` columns stay whole.
    """
    rows = [[cell if isinstance(cell, Coloured) else printable(cell) for cell in row] for row in rows]
    right = [all(_numeric(row[k]) for row in rows if row[k]) and bool(rows) for k in range(len(headings))]
    whole = [numbers or heading in unfolded for heading, numbers in zip(headings, right, strict=True)]
    if sys.stdout.isatty():
        _draw(headings, rows, title, right, whole)
        return
    if title:
        print(title)
    for k, part in enumerate(fitted(headings, rows, whole, page_width())):
        if k:
            print()
        _print_part(part, right)


def _print_part(part: Part, right: Sequence[bool]) -> None:
    lines = [[cell.split("\n") for cell in row] for row in (part.headings, *part.rows)]
    widths = [max(len(text) for row in lines for text in row[k]) for k in range(len(part.columns))]
    for row in lines:
        for line in zip_longest(*row, fillvalue=""):
            cells = (
                text.rjust(w) if right[k] else text.ljust(w)
                for text, w, k in zip(line, widths, part.columns, strict=True)
            )
            print((" " * part.gap).join(cells).rstrip())


def _draw(
    headings: Sequence[str],
    rows: Sequence[Sequence[str]],
    title: str | None,
    right: Sequence[bool],
    whole: Sequence[bool],
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def length(text: str) -> int:
        return Text(text).cell_len

    def shown(row: int, column: int, text: str) -> Text:
        whole = rows[row][column]
        return Text(text, style=whole.colour if isinstance(whole, Coloured) else "")

    console = Console(file=unfiltered(sys.stdout), highlight=False)
    for k, part in enumerate(fitted(headings, rows, whole, console.width, length)):
        table = Table(
            title=Text(title) if title and not k else None,
            title_justify="left",
            box=None,
            header_style="bold",
            pad_edge=False,
            padding=(0, part.gap - 1, 0, 1),
        )
        for heading, column in zip(part.headings, part.columns, strict=True):
            table.add_column(Text(heading), justify="right" if right[column] else "left", no_wrap=True)
        for number, row in enumerate(part.rows):
            table.add_row(*(shown(number, column, text) for column, text in zip(part.columns, row, strict=True)))
        if k:
            console.print()
        console.print(table)


_NUMERIC = re.compile(r"[+-]?[0-9][0-9.,]*%?( [A-Za-zµ/]+)?")


def _numeric(cell: str) -> bool:
    """A number, perhaps with a unit."""
    return _NUMERIC.fullmatch(cell) is not None


def print_verdict(result: Mapping[str, Any]) -> None:
    """What every answer begins with: the verdict in words, and an empty line."""
    print_wrapped(result["verdict"])
    print()


def print_answer(result: dict[str, Any]) -> None:
    """The document of ``eval`` as a person reads it."""
    print_verdict(result)
    print_question(result)
    print()
    _memory(result["memory"])
    if result["time"] is not None:
        print()
        _time(result["time"], result["throughput"], result["documents"])
    if result["run"] is not None:
        from symsim.report.training_run import print_run

        print()
        print_run([result["run"]])
    print()
    flops = result["flops"]
    print(f"model FLOPs of a step     {decimal_text(flops['model_per_iteration'], 'FLOP')}")
    print(f"hardware FLOPs of a step  {decimal_text(flops['hardware_per_iteration'], 'FLOP')}")
    print_notes(result)


def print_notes(result: dict[str, Any]) -> None:
    for warning in result["warnings"]:
        print_wrapped(f"warning: {warning}")
    for assumption in result["assumptions"]:
        print_wrapped(f"assumed: {assumption}")


def print_question(result: dict[str, Any]) -> None:
    """Two lines: the model and the machine; the sizes of the strategy."""
    model, strategy = result["model"], result["strategy"]
    active = model["active_parameters"]
    sizes = f"{decimal_text(model['parameters'])} parameters"
    if active != model["parameters"]:
        sizes += f", {decimal_text(active)} active"
    trained = decimal_text(model.get("trained_parameters", model["parameters"]))
    if trained != decimal_text(model["parameters"]):
        sizes += f", {trained} trained"
    print(f"{model['name']} · {sizes} · {result['system'] or 'no machine'}")
    names = ("world", "dp", "tp", "cp", "pp", "vp", "ep", "etp", "mbs", "gbs", "microbatches", "seq")
    shown = [n for n in names if n not in ("cp", "vp", "ep", "etp") or strategy[n] != 1]
    shown += ["lora_rank"] if strategy["lora_rank"] is not None else []
    print_wrapped("  ".join(f"{n}{NO_BREAK}{strategy[n]}" for n in shown))


def _memory(memory: dict[str, Any]) -> None:
    known = memory["device_bytes"] is not None
    columns = ("weights", "gradients", "optimizer", "activations", "workspace", "peak", *["device"] * known)
    rows = [[str(k), *(bytes_text(stage[c]) for c in columns)] for k, stage in enumerate(memory["stages"])]
    print_table(["stage", *columns], rows, "memory of one GPU, by pipeline stage")
    line = f"peak {bytes_text(memory['peak_bytes'])} on stage {memory['peak_stage']} ({memory['peak_moment']})"
    if memory["capacity_bytes"] is not None:
        share = memory["device_bytes"] / memory["capacity_bytes"]
        line += f"; device {bytes_text(memory['device_bytes'])}, {share:.1%} of {bytes_text(memory['capacity_bytes'])}"
    print_wrapped(line)
    if memory["cached_bytes"]:
        cached = bytes_text(memory["cached_bytes"])
        print_wrapped(f"the allocator keeps up to {cached} more cached, and gives it back when full")
    if memory["error_pct"] is not None:
        print_wrapped(peak_error_text(memory))
    if memory["fits"] is False:
        print("symsim explain, asked the same, shows the cheapest change that fits")
    if memory["host_bytes"]:
        print(f"host memory {bytes_text(memory['host_bytes'])} for one GPU")


def peak_error_text(memory: Mapping[str, Any]) -> str:
    """The error of the peak, from which measured peaks it is, and what of the plan was never measured."""
    near = ", ".join(f"{case['id']} at {case['distance']:.1f}" for case in memory["nearest_peaks"])
    text = f"peak ± {per_cent(memory['error_pct'])} (nearest measured peaks: {near})"
    if memory["unmeasured"]:
        text += f"; none of them was measured with {', '.join(memory['unmeasured'])}"
    return text


def _time(time: dict[str, Any], throughput: dict[str, Any], documents: dict[str, Any] | None) -> None:
    total = time["iteration_s"]
    rows = [[n.replace("_", " "), seconds_text(s), f"{s / total:.1%}"] for n, s in time["breakdown"].items() if s > 0]
    rows.append(["iteration", seconds_text(total), "100.0%"])
    print_table(["time of a step", "seconds", "share"], rows)
    for text in error_bar_texts(time):
        print_wrapped(text)
    print_wrapped(
        f"{throughput['tokens_per_s_per_gpu']:,.0f} tokens/s per GPU, {throughput['tokens_per_s']:,.0f} in all · "
        f"bubble {time['bubble_share']:.1%} of the step"
    )
    if documents is not None:
        tokens = throughput["tokens_per_s"]
        share = f"{1 - documents['tokens_per_s'] / tokens:.1%} of the tokens are padding"
        print_wrapped(
            f"{documents['count']:,.0f} documents in a step · {share} · "
            f"{documents['tokens_per_s']:,.0f} tokens/s without it"
        )
    print()
    _utilisation(throughput)


CONVENTIONS = (
    ("model FLOPs, full attention", "model_tflops_per_gpu", "mfu", "MFU"),
    ("model FLOPs, causal attention", "model_tflops_per_gpu_causal", "mfu_causal", "MFU"),
    ("and recomputed, full attention", "recompute_tflops_per_gpu", "hfu_recompute", "HFU"),
    ("and recomputed, causal attention", "recompute_tflops_per_gpu_causal", "hfu_recompute_causal", "HFU"),
    ("all that is executed", "hardware_tflops_per_gpu", "hfu", "HFU"),
)
"""What people count as FLOPs of a step: in words, its rate, its share of the peak, what that is called."""


def _utilisation(throughput: dict[str, Any]) -> None:
    """One row for each convention; those with recomputation only where something runs again."""
    peak = throughput["peak"]
    again = throughput["recompute_tflops_per_gpu"] != throughput["model_tflops_per_gpu"]
    rows = [
        [words, f"{throughput[rate]:.1f}", f"{throughput[share]:.1%}", called]
        for words, rate, share, called in CONVENTIONS
        if again or not rate.startswith("recompute")
    ]
    of_peak = f"of {decimal_text(peak['tflops'] * 1e12, 'FLOP/s')} {peak['precision']}"
    print_table(["rate of one GPU", "TFLOP/s", of_peak, ""], rows)
