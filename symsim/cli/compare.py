"""``symsim compare``: why one plan is better than another."""

from __future__ import annotations

from pathlib import Path

import click

from symsim.analysis.comparing.compare import compare
from symsim.analysis.comparing.compare_json import document
from symsim.analysis.quantities import parsed
from symsim.cli.job_options import run_options, settings_with
from symsim.cli.options import STRATEGY, SYSTEM, json_option, model_argument, set_option, strategy_help
from symsim.cli.progress_message import progress_message
from symsim.diagnostics import error
from symsim.loading.question import Question, gives_strategy, question
from symsim.report.atomic_write import check_outputs
from symsim.report.strict_json import json_text


@click.command("compare", short_help="Compare two plans: why one is better, by terms and by choices.")
@model_argument
@click.option(
    "-s", "--strategy", "strategies", type=STRATEGY, metavar="STRATEGY", multiple=True, help=f"Twice. {strategy_help}"
)
@click.option(
    "-y",
    "--system",
    "systems",
    type=SYSTEM,
    metavar="SYSTEM",
    multiple=True,
    help="A shipped machine or a .sym file; twice where each plan has its own.",
)
@run_options
@set_option
@click.option("--of", metavar="EXPR", help="One more quantity, such as throughput.mfu; attributed to choices.")
@click.option(
    "--plot", type=click.Path(path_type=Path), metavar="FILE.png", help="Also draw the way from A to B (matplotlib)."
)
@json_option
def command(
    model: str,
    strategies: tuple[str, ...],
    systems: tuple[str, ...],
    tokens: str | None,
    price: str | None,
    settings: tuple[str, ...],
    of: str | None,
    plot: Path | None,
    as_json: bool,
) -> None:
    """Show why one plan of MODEL is better than another: two strategies, or one strategy on two machines.

    Step time and peak memory of both plans, and their difference by the terms of the formulas and by the choices
    that differ. The parts add up to the difference. --set changes both plans.

    \b
    symsim compare llama3_70b -s tp8_pp4 \\
        -s world=128,tp=4,pp=8,gbs=128,seq=8192,recompute=full -y h100_sxm
    symsim compare llama3_70b -s tp8_pp4 -y h100_sxm -y b200 --plot machines.png
    symsim compare llama3_70b -s a.sym -s b.sym -y h100_sxm --tokens 10T
    symsim compare mixtral_8x7b -s a.sym -s b.sym -y h100_sxm \\
        --of throughput.mfu --json
    """
    check_outputs(((plot, "--plot"),))
    settings = settings_with(settings, tokens=tokens, price=price)
    first, second = _questions(model, strategies, systems, settings)
    expression = parsed(of, "--of") if of is not None else None
    with progress_message("comparing") as tell:
        result = document(compare(first, second, expression, tell), of)
    if plot is not None:
        from symsim.report.waterfall import draw

        draw(result, plot)
    if as_json:
        click.echo(json_text(result))
    else:
        from symsim.report.compare import print_comparison

        print_comparison(result)


def _questions(
    model: str, strategies: tuple[str, ...], systems: tuple[str, ...], settings: tuple[str, ...]
) -> tuple[Question, Question]:
    """The two plans.

    Raises:
        InputError: too few or too many strategies and machines for two plans.
    """
    hint = "-s A -s B -y SYSTEM compares strategies, -s A -y SYSTEM -y OTHER machines"
    if len(strategies) > 2 or len(systems) > 2:
        what = "strategies" if len(strategies) > 2 else "machines"
        count = max(len(strategies), len(systems))
        raise error("E360", f"compare takes two plans, not {count} {what}", None, hint)
    if not strategies and not settings and not gives_strategy(model):
        raise error("E002", "compare needs a strategy", None, hint)
    if len(strategies) < 2 and len(systems) < 2:
        raise error("E360", "compare takes two plans, and one is given", None, hint)
    given = strategies or (None,)
    first, second = (
        question(model, given[k % len(given)], systems[k % len(systems)] if systems else None, settings)
        for k in range(2)
    )
    return first, second
