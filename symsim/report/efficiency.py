"""What ``symsim efficiency`` prints: errors by table, the forms, lines for a system file, a drawing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from symsim.emit.wrapping import wrap
from symsim.report.page_width import page_width
from symsim.report.tables import print_table
from symsim.report.terminal_text import print_wrapped


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
        print_table(
            headings, rows, f"{result['system']}: the form of each efficiency compared with the measured entries"
        )
        print()
    for form, names in _by_form([*result["tables"], *result["transferred"]]).items():
        print_wrapped(", ".join(n["name"] for n in names))
        print("\n".join(f"{'  = ' if not k else '    '}{line}" for k, line in enumerate(wrap(form, page_width() - 4))))
        for each in names:
            shown = ", ".join(f"{c} {v:.4g}" for c, v in each["coefficients"].items())
            print_wrapped(f"  {each['name']}: {shown}", 4)
    for table in result["tables"]:
        missed = "; ".join(
            f"{' x '.join(map(str, w['sizes']))} {w['measured']:.3f} ({w['left_out_error_pct']:+.0f}%)"
            for w in table["worst"]
        )
        print_wrapped(f"worst of {table['name']}, left out: {missed}")


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


PANEL = 260
"""Width and height of a panel of the plot, in pixels; its axes are set in by ``MARGIN``."""
MARGIN = 40


def plot(points: Mapping[str, tuple[Sequence[float], Sequence[float]]]) -> str:
    """Form against measured entry as SVG, one panel a table; on the line they agree."""
    columns = min(3, len(points))
    rows = -(-len(points) // columns)
    panels = [
        f'<g transform="translate({k % columns * PANEL},{k // columns * PANEL})">{_panel(name, entries, shares)}</g>'
        for k, (name, (entries, shares)) in enumerate(points.items())
    ]
    size = f'width="{columns * PANEL}" height="{rows * PANEL}"'
    style = 'font-family="sans-serif" font-size="11"'
    background = '<rect width="100%" height="100%" fill="white"/>'
    return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>', background, *panels, "</svg>\n"])


def _panel(name: str, entries: Sequence[float], shares: Sequence[float]) -> str:
    top = 1.05 * max(*entries, *shares)
    side = PANEL - 2 * MARGIN
    dots = "".join(
        f'<circle cx="{MARGIN + e / top * side:.1f}" cy="{PANEL - MARGIN - s / top * side:.1f}" r="2.5"/>'
        for e, s in zip(entries, shares, strict=True)
    )
    low, high = MARGIN, PANEL - MARGIN
    return (
        f'<rect x="{low}" y="{low}" width="{side}" height="{side}" fill="none" stroke="gray"/>'
        f'<line x1="{low}" y1="{high}" x2="{high}" y2="{low}" stroke="silver"/>'
        f'<g fill="steelblue" fill-opacity="0.6">{dots}</g>'
        f'<text x="{low}" y="{low - 8}">{name}: form against entry, 0 to {top:.2f}</text>'
    )
