"""``symsim efficiency``: the share of the peak that kernels of a machine reach, and how well it is known."""

from __future__ import annotations

from pathlib import Path

import click

from symsim.cli.options import SYSTEM, json_option
from symsim.diagnostics import error
from symsim.report.atomic_write import check_outputs, write_whole
from symsim.report.strict_json import json_text


@click.command("efficiency", short_help="How fast kernels are for their sizes, and the error of that.")
@click.argument("system", type=SYSTEM)
@click.option("--fit", is_flag=True, help="Fit the coefficients again; print them as lines of a system file.")
@click.option("--plot", type=click.Path(path_type=Path), metavar="FILE.svg", help="Draw form against measured entries.")
@json_option
def command(system: str, fit: bool, plot: Path | None, as_json: bool) -> None:
    """Show how the efficiency of SYSTEM's kernels depends on their sizes.

    A measured entry is used as it is. Other sizes use a form of the library with coefficients of the machine.
    Errors are form/entry - 1: with the stated coefficients, and for each entry with coefficients fitted to all
    others.
    """
    from symsim.analysis.fitting.efficiency import fits
    from symsim.analysis.fitting.efficiency_json import document
    from symsim.language.systems import load_system
    from symsim.report.efficiency import plot as draw
    from symsim.report.efficiency import print_efficiency, system_lines

    check_outputs(((plot, "--plot"),))
    machine = load_system(system)
    result = document(machine, fit)
    if (fit or plot is not None) and not result["tables"]:
        hint = "its coefficients are transferred: the comments of its file say how"
        raise error("E432", f"system '{machine.name}' has no table of efficiencies", hint=hint)
    if plot is not None:
        points = {f.name: (f.entries.tolist(), f.form.share(f.sizes, f.values).tolist()) for f in fits(machine)}
        write_whole(plot, draw(points).encode(), "--plot")
    if as_json:
        click.echo(json_text(result))
        return
    print_efficiency(result)
    if fit:
        click.echo()
        for line in system_lines(result):
            click.echo(line)
