"""``symsim explain``: why the peak is what it is, and what takes a step's time."""

from __future__ import annotations

from typing import get_args

import click

from symsim.analysis.explaining.explain import Subject
from symsim.analysis.explaining.explain_plan import explain_plan
from symsim.cli.options import json_option, model_argument, set_option, strategy_option, system_option
from symsim.cli.progress_message import progress_message
from symsim.diagnostics import error
from symsim.loading.question import gives_strategy, question
from symsim.report.strict_json import json_text


@click.command(
    "explain", short_help="Explain a plan: what fixes it, what is in memory at the peak, what makes the step slow."
)
@model_argument
@strategy_option
@system_option
@set_option
@click.option(
    "--of",
    type=click.Choice(get_args(Subject)),
    default="all",
    metavar="memory|time|all",
    help="What to explain; all (the default) is memory alone where no machine is named.",
)
@click.option(
    "--stage", type=int, metavar="K", help="The pipeline stage whose memory to explain, from 0; else the fullest."
)
@click.option(
    "--lower", "look_lower", is_flag=True, help="Also evaluate plans one change away; list those with a lower peak."
)
@click.option(
    "--faster",
    "look_faster",
    is_flag=True,
    help="Evaluate every change of the strategy, and pairs of them; list those with a shorter step.",
)
@json_option
def command(
    model: str,
    strategy: str | None,
    system: str | None,
    settings: tuple[str, ...],
    of: Subject,
    stage: int | None,
    look_lower: bool,
    look_faster: bool,
    as_json: bool,
) -> None:
    """Explain why MODEL does not fit, why the peak of memory is high, and why a step is slow.

    Does not fit, or breaks a requirement: the changes that fix the plan, the fastest first.

    Memory: the stage with the peak, the operator that runs then, and what is in memory at that moment, by
    size. With --lower also single changes that lower the peak.

    Time (with a machine, -y): how long each operator and each message takes, what limits it, which part does not
    overlap with compute, and which changes make the step faster. Sizes and overlap are tried; --faster tries all
    choices, and pairs of them. Also what a machine with one figure 10 % better would gain.

    Exit status 1: the plan does not fit, or breaks a requirement of its strategy.

    \b
    symsim explain llama3_70b -s tp8_pp4 -y h100_sxm
    symsim explain llama3_70b -s tp8_pp4 -y h100_sxm --of time
    symsim explain deepseek_v3 -s deepseek_v3_2048 --stage 15
    symsim explain llama3_70b -s tp8_pp4 -y h100_sxm --lower
    symsim explain llama3_70b -s tp8_pp4 -y h100_sxm --of time --faster
    symsim explain mixtral_8x7b -s moe_ep8 --set recompute='{core_attn}' --json
    """
    if strategy is None and not settings and not gives_strategy(model):
        hint = "-s NAME, or choices such as -s tp=8,world=8,gbs=64,seq=4096"
        raise error("E002", "explain needs a strategy", None, hint)
    asked = question(model, strategy, system, settings)
    with progress_message("looking at other plans") as tell:
        explained = explain_plan(asked, of, stage, look_lower, look_faster, tell)
    if as_json:
        click.echo(json_text(explained.document))
    else:
        from symsim.report.explanation import print_explanation

        print_explanation(explained.document)
    if not explained.possible:
        raise click.exceptions.Exit(1)
