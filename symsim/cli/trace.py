"""``symsim trace``: one step of a plan, pass by pass."""

from __future__ import annotations

import contextlib
import sys
from pathlib import Path

import click

from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.timeline import shortened, timeline
from symsim.cli.options import model_argument, set_option, strategy_option, system_option
from symsim.diagnostics import error, placed
from symsim.loading.question import gives_strategy, question
from symsim.report.atomic_write import check_outputs, write_whole


@click.command("trace", short_help="Simulate one step pass by pass; write a trace and a chart.")
@model_argument
@strategy_option
@system_option
@set_option
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write the trace here.")
@click.option(
    "--micro-batches",
    type=click.IntRange(min=1),
    metavar="N",
    help="Micro-batches of the step, in place of the plan's.",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Also draw the step (needs matplotlib)."
)
def command(
    model: str,
    strategy: str | None,
    system: str | None,
    settings: tuple[str, ...],
    output: Path | None,
    micro_batches: int | None,
    plot: Path | None,
) -> None:
    """Simulate one step of MODEL on a machine: every pass of every pipeline rank.

    Prints a trace in Chrome's format, which https://ui.perfetto.dev opens: passes, messages between ranks, the end
    of the step, and the memory of each rank over time. A comparison with the formulas goes to stderr, or with -o
    to stdout.

    \b
    symsim trace llama3_70b -s tp8_pp4 -y h100_sxm -o trace.json
    symsim trace llama3_70b -s tp8_pp4 -y h100_sxm --set vp=4 --micro-batches 8 \\
        -o trace.json --plot step.png
    """
    if strategy is None and not settings and not gives_strategy(model):
        hint = "-s NAME, or choices such as -s tp=8,world=8,gbs=64,seq=4096"
        raise error("E002", "trace needs a strategy", None, hint)
    if system is None:
        raise error("E005", "trace needs a machine", None, "-y NAME; 'symsim list systems' shows the shipped ones")
    check_outputs(((output, "-o"), (plot, "--plot")))
    asked = question(model, strategy, system, settings)
    if micro_batches is not None:
        asked = shortened(asked, micro_batches)
    with placed(asked.plan.places):
        found = answer(asked.model, asked.plan, machine_of(asked))
    line = timeline(asked, found)
    title = f"{asked.model.name} · {asked.strategy_name} · {system} · {line.schedule}"
    from symsim.report.trace import print_summary, text

    if plot is not None:
        from symsim.report.gantt import draw

        draw(line, title, plot)
    if output is not None:
        write_whole(output, f"{text(line, title)}\n".encode(), "-o")
        print_summary(line)
        return
    click.echo(text(line, title))
    with contextlib.redirect_stdout(sys.stderr):
        print_summary(line)
