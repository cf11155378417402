"""``symsim validate``: predictions compared with measurements."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from symsim.analysis.fitting.cases_file import load_cases
from symsim.analysis.fitting.log_case import is_log_name, log_case
from symsim.analysis.fitting.validate import ALL_SCORED, PREDICTIONS, validate
from symsim.cli.case_progress import case_progress
from symsim.cli.options import SYSTEM, json_option, set_option
from symsim.diagnostics import error, printable
from symsim.report.strict_json import json_text
from symsim.units import bytes_text, seconds_text

QUANTITIES = {
    "iteration_s": "step time",
    "tflops_per_gpu_full_attention": "TFLOP/s",
    "peak_allocated_bytes": "peak",
    "stage_peak_allocated_bytes": "peak of stages",
    "last_rank_peak_allocated_bytes": "last rank",
    "last_rank_static_bytes": "last, static",
    "peak_reserved_bytes": "peak reserved",
    "device_used_bytes": "device shows",
}
"""What is measured, in words short enough for a table."""

LISTED = 20
"""Most cases that are also listed one by one."""


@click.command("validate", short_help="Predict measured runs and show the errors.")
@click.argument("cases", metavar="CASES.json", type=click.Path(path_type=Path))
@click.option("--only", metavar="SET", help="Only the cases of this set.")
@click.option("-y", "--system", type=SYSTEM, metavar="SYSTEM", help="The machine of a log.")
@set_option
@json_option
def command(cases: Path, only: str | None, system: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Predict every case of CASES.json and compare with what was measured there.

    \b
    symsim validate cases.json
    symsim validate run.log -y h100_sxm   # a log of Megatron

    A file of Megatron's arguments with the bytes of its last rank is read too (docs/eval.md).
    The error is predicted/measured − 1. A case that cannot be computed is listed with the reason. Up to
    20 cases are listed one by one; --json has all.
    """
    from symsim.report.tables import print_table

    chosen = [c for c in _read(cases, system, settings) if only is None or c["set"] == only]
    with case_progress(len(chosen)) as tick:
        result = validate(chosen, tick)
    if as_json:
        click.echo(json_text(result))
        return
    if len(chosen) <= LISTED:
        _cases(result["cases"])
    rows = [
        [group, QUANTITIES.get(name, name), str(found["n"]),
         *(f"{found[k]:.2f}" for k in ("mean_abs_pct", "median_abs_pct", "max_abs_pct")),
         f"{found['bias_pct']:+.2f}", "" if found["spearman"] is None else f"{found['spearman']:.3f}"]
        for group, quantities in result["summary"].items()
        for name, found in quantities.items()
    ]  # fmt: skip
    print_table(["set", "quantity", "n", "mean %", "median %", "max %", "bias %", "Spearman"], rows)
    for name, found in result["summary"].get(ALL_SCORED, {}).items():
        shares = f"{found['within_1_pct']:.0f} % within 1 %, {found['within_5_pct']:.0f} % within 5 %"
        click.echo(f"{ALL_SCORED}, {QUANTITIES[name]}: {found['n']} runs, {shares}")
    unpredicted = sorted({n for row in result["cases"] for n in row["measured"] if n not in PREDICTIONS})
    if unpredicted:
        click.echo(printable(f"measured, and not predicted yet: {', '.join(unpredicted)}"))
    impossible = [row["id"] for row in result["cases"] if row["fits"] is False]
    if impossible:
        click.echo(printable(f"measured, and called too large for their machines: {', '.join(impossible)}"))
    for row in result["cases"]:
        if row["failed"]:
            click.echo(printable(f"cannot be computed: {row['id']}: {row['failed']}"))


def _read(path: Path, system: str | None, settings: tuple[str, ...]) -> list[dict[str, Any]]:
    if is_log_name(path):
        return [log_case(path, system, settings)]
    if system is not None or settings:
        message = "-y and --set are of a log, and cases name their own machines"
        raise error("E001", message, None, "give a .log file, or leave them out")
    return load_cases(path)


def _cases(cases: list[dict[str, Any]]) -> None:
    """Each quantity of each case, those of a list stage by stage."""
    from symsim.report.tables import print_table

    rows = []
    for case in cases:
        for name, errors in case["error_pct"].items():
            triple = (case["predicted"][name], case["measured"][name], errors)
            several = isinstance(errors, list)
            for k, (predicted, measured, off) in enumerate(zip(*triple, strict=True) if several else [triple]):
                place = f" of {k}" if several else ""
                rows.append([case["id"], name + place, _text(name, predicted), _text(name, measured), f"{off:+.2f}"])
    if rows:
        print_table(["case", "quantity", "predicted", "measured", "error %"], rows)
        click.echo()


def _text(quantity: str, value: float) -> str:
    if quantity.endswith("_bytes"):
        return bytes_text(value)
    return seconds_text(value) if quantity.endswith("_s") else f"{value:.1f}"
