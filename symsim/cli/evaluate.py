"""``symsim eval``: numbers of one plan."""

from __future__ import annotations

import click

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.load import question
from symsim.analysis.requirements import unmet
from symsim.cli.options import json_option, model_argument, set_option, strategy_option, system_option
from symsim.diagnostics import error, placed
from symsim.report.strict_json import json_text


@click.command("eval", short_help="Evaluate one plan: memory, FLOPs, time.")
@model_argument
@strategy_option
@system_option
@set_option
@json_option
def command(model: str, strategy: str | None, system: str | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Evaluate MODEL under a strategy, and on a machine if -y names one.

    Exit status 1: the plan does not fit the machine, or breaks a requirement of its strategy. All that the device
    holds has to fit: the peak, the communication library and the context. --set fit=peak asks it of the peak alone,
    --set fit=none of nothing.

    \b
    symsim eval llama3_70b -s tp8_pp4 -y h100_sxm
    symsim eval mixtral_8x7b -s tp=2,ep=4,world=16,gbs=256,seq=4096 \\
        --set recompute='{core_attn}'
    symsim eval config.json -s tp8_pp4 -y b200 --set network.bandwidth='25 GB/s' \\
        --json
    """
    if strategy is None and not settings:
        raise error(
            "E002", "eval needs a strategy", None, "-s NAME, or choices such as -s tp=8,world=8,gbs=64,seq=4096"
        )
    asked = question(model, strategy, system, settings)
    with placed(asked.plan.places):
        machine = machine_of(asked)
        found = answer(asked.model, asked.plan, machine)
    result = document(asked, found, machine)
    if as_json:
        click.echo(json_text(result))
    else:
        from symsim.report.tables import print_answer

        print_answer(result)
    if result["memory"]["fits"] is False or unmet(asked):
        raise click.exceptions.Exit(1)
