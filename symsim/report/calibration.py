"""The document of ``calibrate`` as a person reads it."""

from __future__ import annotations

from typing import Any

import click

from symsim.report.tables import print_table
from symsim.units import bytes_text, decimal_text, seconds_text

STAGES = (("before", "before"), ("after", "after"), ("held_out", "left out"))


def print_calibration(result: dict[str, Any]) -> None:
    rows = []
    for found in result["constants"]:
        unit, deviation = found["unit"], found["relative_deviation"]
        refits = f"{value_text(found['lowest_refit'], unit)} … {value_text(found['highest_refit'], unit)}"
        notes = [] if found["informed"] else ["the data say nothing"]
        notes += ["at its limit"] if found["at_limit"] else []
        notes += [f"together as {found['factor']}"] if found["factor"] != found["name"] else []
        rows.append(
            [found["name"], value_text(found["before"], unit), value_text(found["after"], unit),
             f"{100 * deviation:.1f} %", f"{100 * found['prior_width']:.0f} %", refits, ", ".join(notes)]
        )  # fmt: skip
    print_table(["constant", "before", "after", "±", "prior ±", "without one group", ""], rows)
    for pair in result["confounded"]:
        first, second = pair["constants"]
        click.echo(f"the data do not tell {first} and {second} apart (r = {pair['r']:+.3f})")
    click.echo()
    print_table(["set", "quantity", "n", "groups", "", "mean |e| %", "max %", "bias %", "Spearman"], _set_rows(result))
    for case in result["left_out"]:
        click.echo(f"cannot be computed: {case['id']}: {case['reason']}")


def _set_rows(result: dict[str, Any]) -> list[list[str]]:
    rows = []
    for name, found in result["sets"].items():
        for stage, title in STAGES:
            errors = found[stage]
            head = [name, found["quantity"], str(errors["n"]), str(found["groups"])] if stage == "before" else [""] * 4
            order = "" if errors["spearman"] is None else f"{errors['spearman']:.3f}"
            figures = [f"{errors['mean_abs_pct']:.2f}", f"{errors['max_abs_pct']:.2f}", f"{errors['bias_pct']:+.2f}"]
            rows.append([*head, title, *figures, order])
    return rows


def value_text(value: float, unit: str) -> str:
    match unit:
        case "B":
            return bytes_text(value)
        case "s":
            return seconds_text(value)
        case "":
            return f"{value:.4g}"
    return decimal_text(value, unit)
