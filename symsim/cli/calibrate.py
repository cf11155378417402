"""``symsim calibrate``: fit named constants of a machine or a framework to measured steps."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from symsim.analysis.fitting.calibrate import calibrate, document
from symsim.analysis.fitting.cases_file import load_cases
from symsim.analysis.fitting.constants import constants, fact_of
from symsim.analysis.fitting.recorded_fits import RecordedFit, fitted_values, record
from symsim.analysis.fitting.timed_cases import timed_cases
from symsim.cli.case_progress import case_progress
from symsim.cli.command_line import command_line
from symsim.cli.options import SYSTEM, json_option
from symsim.diagnostics import error, nearest
from symsim.language import tree
from symsim.language.calibrated import Fitted, figures_of, rewritten
from symsim.language.library import library_of
from symsim.language.parser import parse_system
from symsim.language.systems import load_system, system_source
from symsim.report.atomic_write import check_outputs, write_whole
from symsim.report.strict_json import json_text

PATTERN_HELP = (
    "Constants to fit: figures of the machine such as hbm.efficiency, patterns such as 'nvlink.*.latency', facts such "
    "as framework.megatron.NAME. NAME:50% states how far a constant may be off; 'PATTERN:together' fits one factor for "
    "all that it means. May be repeated."
)


@click.command("calibrate", short_help="Fit constants of a machine to measured steps.")
@click.argument("cases", metavar="CASES.json", type=click.Path(path_type=Path))
@click.option("-y", "--system", type=SYSTEM, metavar="SYSTEM", required=True, help="A shipped machine or a .sym file.")
@click.option("--fit", "names", metavar="NAME,…", multiple=True, required=True, help=PATTERN_HELP)
@click.option("--only", metavar="SET,…", help="Only the cases of these sets.")
@click.option("--framework", metavar="NAME", help="Only the cases of this framework.")
@click.option(
    "--group",
    type=click.Choice(["layout", "model", "set", "id"]),
    default="layout",
    show_default=True,
    help="Cases that are left out together to predict them: those of one model and layout at any batch and replicas.",
)
@click.option("--prior", type=click.FloatRange(0, 1000, min_open=True), default=30.0, show_default=True, metavar="PCT",
              help="How far a constant may be off where --fit does not say.")  # fmt: skip
@click.option("--error", "expected", type=click.FloatRange(0, 1000, min_open=True), metavar="PCT",
              help="Error expected of a prediction; without it, what the fit leaves in each set.")  # fmt: skip
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE.sym", help="Write the fitted machine.")
@click.option("--profiles", type=click.Path(path_type=Path), metavar="FILE.sym",
              help="Write the fitted facts of frameworks: models/library/frameworks.sym with them.")  # fmt: skip
@json_option
def command(
    cases: Path,
    system: str,
    names: tuple[str, ...],
    only: str | None,
    framework: str | None,
    group: str,
    prior: float,
    expected: float | None,
    output: Path | None,
    profiles: Path | None,
    as_json: bool,
) -> None:
    """Fit named constants of a machine to the steps of CASES.json that were timed on it.

    Each constant starts at the value of its file and moves only as far as the measurements require. Printed are the
    values with their deviations, constants that the data cannot separate, and the errors before, after, and of
    cases that were left out of the fit.

    \b
    symsim calibrate cases.json -y h100_sxm --fit hbm.efficiency,matmul.sustained
    symsim calibrate cases.json -y b200 --only b200-megatron \\
        --fit 'hbm.*:10%,nvlink.*.latency' -o b200.sym
    """
    check_outputs(((output, "-o"), (profiles, "--profiles")))
    machine = load_system(system)
    wanted = [n.replace(" ", "") for given in names for n in given.split(",") if n.strip()]
    fitted = constants(machine, wanted, prior / 100)
    chosen = _chosen(load_cases(cases), machine.name, only, framework)
    with case_progress(len(chosen)) as tick:
        timed, failed = timed_cases(chosen, system, group, tick)
    if not timed:
        hint = f"{failed[0][0]}: {failed[0][1]}" if failed else "a timed case measures iteration_s or TFLOP/s"
        raise error("E603", f"no timed case of {machine.name} can be computed", None, hint)
    found = calibrate(timed, fitted, None if expected is None else expected / 100)
    result = document(found, machine.name, failed)
    if output is not None or profiles is not None:
        names_with_widths = tuple(n if "%" in n else f"{n}:{prior:g}%" for n in wanted)
        own_error = None if expected is None else expected / 100
        fit = RecordedFit(machine.name, names_with_widths, tuple(result["sets"]), group, framework, own_error)
        told = record(result, fit, command_line())
        if output is not None:
            _write_system(fitted_values(result), told, system, machine.link_kind, output)
        if profiles is not None:
            _write_profiles(fitted_values(result), told, profiles)
    if as_json:
        click.echo(json_text(result))
    else:
        from symsim.report.calibration import print_calibration

        print_calibration(result)


def _write_system(values: Mapping[str, Fitted], told: str, system: str, link: str, output: Path) -> None:
    """The machine's file with the fitted values; tables that it reads are put next to it."""
    source, folder = system_source(system)
    entries = figures_of(parse_system(source))
    own = {n: v for n, v in values.items() if fact_of(n) is None}
    for entry in entries.values():
        if isinstance(entry.value, tree.Apply) and isinstance(entry.value.arguments[0], tree.Text):
            table = entry.value.arguments[0].value
            if not (output.parent / table).exists():
                (output.parent / table).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(folder / table, output.parent / table)
    write_whole(output, rewritten(source, entries, own, told, link).encode(), "-o")


def _write_profiles(values: Mapping[str, Fitted], told: str, output: Path) -> None:
    """The library's file of frameworks with the fitted facts."""
    facts = {n: fact for n in values if (fact := fact_of(n)) is not None}
    if not facts:
        click.echo(f"{output} is not written: the data say nothing of a fact of a framework", err=True)
        return
    source = next(iter(facts.values())).place.source
    stated = {f"{p.name}.{f.name}": f for p in library_of().profiles.values() for f in p.facts}
    new = {name: f"{name.split('.')[1]}.{fact.name}" for name, fact in facts.items()}
    text = rewritten(source, stated, {new[n]: values[n] for n in facts}, told)
    write_whole(output, text.encode(), "--profiles")


def _chosen(
    cases: Sequence[dict[str, Any]], system: str, only: str | None, framework: str | None
) -> list[dict[str, Any]]:
    """The cases of a machine, those of some sets and of a framework where these are named."""
    sets = {s.strip() for s in only.split(",")} if only is not None else None
    known = sorted({c["set"] for c in cases if c.get("system") == system})
    for name in sorted(sets or ()):
        if name not in known:
            raise error("E603", f"no case of {system} is of the set '{name}'", None, nearest(name, known))
    found = [
        c
        for c in cases
        if c.get("system") == system
        and (sets is None or c["set"] in sets)
        and (framework is None or c["strategy"].get("framework", "megatron") == framework)
    ]
    if not found:
        about = f" under {framework}" if framework is not None else ""
        raise error("E603", f"no case is of {system}{about}", None, 'cases name a machine under "system"')
    return found
