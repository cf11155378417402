"""What ``symsim efficiency`` prints: errors by table, the forms, lines for a system file, a plot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from symsim.diagnostics import error
from symsim.report.tables import print_table


def print_efficiency(result: Mapping[str, Any]) -> None:
    """Tables with their errors, then each form with its coefficients."""
    if result["tables"]:
        rows = [
            [
                t["name"],
                str(t["entries"]),
                *(f"{t['error_pct'][k]:.1f}" for k in ("mean", "worst")),
                *(f"{t['left_out_error_pct'][k]:.1f}" for k in ("mean", "median", "worst")),
            ]
            for t in result["tables"]
        ]
        headings = ["table", "entries", "mean |e| %", "worst %", "left out: mean %", "median %", "worst %"]
        print_table(headings, rows, f"{result['system']}: the form of each efficiency beside the measured entries")
        print()
    for form, names in _by_form([*result["tables"], *result["transferred"]]).items():
        print(f"{', '.join(n['name'] for n in names)}")
        print(f"  = {form}")
        for each in names:
            shown = ", ".join(f"{c} {v:.4g}" for c, v in each["coefficients"].items())
            print(f"  {each['name']}: {shown}")
    for table in result["tables"]:
        missed = "; ".join(
            f"{' x '.join(map(str, w['sizes']))} {w['measured']:.3f} ({w['left_out_error_pct']:+.0f}%)"
            for w in table["worst"]
        )
        print(f"worst of {table['name']}, left out: {missed}")


def _by_form(entries: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for entry in entries:
        found.setdefault(entry["form"], []).append(entry)
    return found


def system_lines(result: Mapping[str, Any]) -> Iterator[str]:
    """The fitted coefficients as a system file states them; tiles and multiprocessors stand apart from phases."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for table in result["tables"]:
        groups.setdefault(table["name"].partition(".")[0], []).append(table)
    for rate, tables in groups.items():
        yield f"{rate} {{"
        counted = {c: v for t in tables for c, v in t["fitted"].items() if c.startswith("tile_")}
        yield from (f"    {c} = {v:.0f}" for c, v in counted.items())
        for table in tables:
            phase = table["name"].rpartition(".")[2]
            values = {c: v for c, v in table["fitted"].items() if c not in counted and c != "sms"}
            left_out = table["left_out_error_pct"]["mean"]
            yield f"    {phase} {{"
            yield f'        source "fitted to {table["entries"]} entries, left out one by one: {left_out:.1f} percent"'
            yield from (f"        {c} = {_rounded(c, v)}" for c, v in values.items())
            yield "    }"
        yield "}"


def _rounded(name: str, value: float) -> str:
    digits = {"level": 4, "wave": 3, "ramp_waves": 3}.get(name, 1)
    return f"{round(value, digits):g}"


def plot(points: Mapping[str, tuple[Sequence[float], Sequence[float]]], path: Path) -> None:
    """Form against measured entry, one panel a table.

    Raises:
        InputError: matplotlib is not installed, or the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise error("E433", "a plot needs matplotlib", hint="pip install matplotlib") from None
    names = list(points)
    columns = min(3, len(names))
    rows = -(-len(names) // columns)
    figure = Figure(figsize=(4 * columns, 3.6 * rows), layout="constrained")
    for k, name in enumerate(names):
        panel = figure.add_subplot(rows, columns, k + 1)
        entries, shares = points[name]
        top = 1.05 * max(*entries, *shares)
        panel.plot([0, top], [0, top], color="0.7")
        panel.scatter(entries, shares, s=12)
        panel.set(title=name, xlabel="measured", ylabel="form", xlim=(0, top), ylim=(0, top))
    try:
        figure.savefig(path)
    except (OSError, ValueError) as problem:
        raise error("E434", f"cannot write the plot '{path}': {problem}", hint="give a name such as fit.svg") from None
