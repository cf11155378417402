"""``symsim sensitivity``: how an answer follows each figure and size, and what is worth buying."""

from __future__ import annotations

from pathlib import Path

import click

from symsim.analysis.quantities import parsed
from symsim.analysis.sensitivities.sensitivity import sensitivity
from symsim.analysis.sensitivities.sensitivity_json import document
from symsim.cli.options import json_option, model_argument, set_option, strategy_option, system_option
from symsim.diagnostics import error, placed
from symsim.loading.question import gives_strategy, question
from symsim.report.atomic_write import check_outputs
from symsim.report.strict_json import json_text


@click.command("sensitivity", short_help="What changes an answer, by how much, and what is worth buying.")
@model_argument
@strategy_option
@system_option
@set_option
@click.option(
    "--of", metavar="EXPR", default="time.iteration", help="What to differentiate; time.iteration if not given."
)
@click.option(
    "--with-respect-to",
    "names",
    metavar="NAME,…",
    help="Figures, sizes, dimensions; or machine, framework, sizes, which are all that matter of a kind (the default).",
)
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Also draw a tornado chart (needs matplotlib)."
)
@json_option
def command(
    model: str,
    strategy: str | None,
    system: str | None,
    settings: tuple[str, ...],
    of: str,
    names: str | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show how an answer about MODEL changes with each size, figure and dimension, and what is worth buying.

    An elasticity is the per cent by which the answer changes when a name changes by 1 %: the exact derivative of
    the formula. Next to it are evaluations: the next legal values of a size, 10 % less and more of a figure. At a
    kink both one-sided values are shown, and what switches there. With a machine: what 10 % more of each rate
    and capacity, and 10 % less of each delay, would gain.

    Names are figures of the machine (hbm.bandwidth, nvlink.all_reduce.latency), of the framework
    (framework.launch), sizes of the strategy (tp, seq) and dimensions of the model (hidden, layers).

    \b
    symsim sensitivity llama3_70b -s tp8_pp4 -y h100_sxm
    symsim sensitivity llama3_70b -s tp8_pp4 -y h100_sxm \\
        --with-respect-to hidden,layers,seq --json
    symsim sensitivity llama3_70b -s tp8_pp4 --of memory.peak
    symsim sensitivity mixtral_8x7b -s moe_ep8 -y a100_sxm --of 'throughput.mfu' \\
        --plot tornado.png
    symsim sensitivity deepseek_v3 -s deepseek_v3_2048 -y b200 \\
        --of 'memory.capacity - memory.peak'
    """
    if strategy is None and not settings and not gives_strategy(model):
        hint = "-s NAME, or choices such as -s tp=8,world=8,gbs=64,seq=4096"
        raise error("E002", "sensitivity needs a strategy", None, hint)
    wanted = None if names is None else tuple(n.strip() for n in names.split(",") if n.strip())
    check_outputs(((plot, "--plot"),))
    asked = question(model, strategy, system, settings)
    with placed(asked.plan.places):
        found = sensitivity(asked, parsed(of), wanted)
    result = document(asked, found)
    if plot is not None:
        from symsim.report.tornado import draw

        draw(result, plot)
    if as_json:
        click.echo(json_text(result))
    else:
        from symsim.report.sensitivity import print_sensitivity

        print_sensitivity(result)
