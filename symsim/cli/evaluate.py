"""``symsim eval``: numbers of one plan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from symsim.analysis.answer_json import document
from symsim.analysis.evaluate import answer, machine_of
from symsim.analysis.requirements import unmet
from symsim.cli.job_options import job_options, run_options, settings_with
from symsim.cli.options import json_option, model_argument, set_option, strategy_option, system_option
from symsim.diagnostics import error, placed
from symsim.loading.question import gives_strategy, question
from symsim.report.strict_json import json_text

if TYPE_CHECKING:
    from symsim.analysis.best_plan import BestPlan


@click.command("eval", short_help="Evaluate one plan: memory, FLOPs, time.")
@model_argument
@strategy_option
@system_option
@job_options
@run_options
@set_option
@json_option
def command(
    model: str,
    strategy: str | None,
    system: str | None,
    gpus: str | None,
    gbs: str | None,
    seq: str | None,
    tokens: str | None,
    price: str | None,
    settings: tuple[str, ...],
    as_json: bool,
) -> None:
    """Evaluate MODEL under a strategy, and on a machine if -y names one.

    With --gpus and without -s the plan is the best of a small space that follows from the model and the machine;
    the answer says which one it is. --tokens adds what the whole run takes.

    Exit status 1: the plan does not fit the machine, or breaks a requirement of its strategy. All that the device
    holds has to fit: the peak, the communication library and the context. --set fit=peak asks it of the peak alone,
    --set fit=none of nothing.

    \b
    symsim eval llama3_70b -s tp8_pp4 -y h100_sxm
    symsim eval mixtral_8x7b -s tp=2,ep=4,world=16,gbs=256,seq=4096 \\
        --set recompute='{core_attn}'
    symsim eval config.json -s tp8_pp4 -y b200 --set network.bandwidth='25 GB/s' \\
        --json
    symsim eval config.json -y h100_sxm --gpus 8
    symsim eval llama3_70b -s tp8_pp4 -y h100_sxm --tokens 10T --price 2.5
    """
    derive = strategy is None and gpus is not None
    settings = settings_with(settings, gpus=gpus, gbs=gbs, seq=seq, tokens=tokens, price=price)
    if strategy is None and not settings and not gives_strategy(model):
        hint = "--gpus 8, -s NAME, or choices such as -s tp=8,world=8,gbs=64,seq=4096"
        raise error("E002", "eval needs a strategy", None, hint)
    chosen = _chosen(model, system, settings) if derive else None
    asked = question(model, strategy, system, settings) if chosen is None else chosen.question
    if asked is None:
        assert chosen is not None
        click.echo("nothing feasible: no simple plan keeps the rules", err=True)
        for note in chosen.notes:
            click.echo(f"  {note}", err=True)
        raise click.exceptions.Exit(1)
    with placed(asked.plan.places):
        machine = machine_of(asked)
        found = answer(asked.model, asked.plan, machine)
    result = document(asked, found, machine)
    if chosen is not None:
        result["assumptions"] = [*chosen.notes, *result["assumptions"]]
        result["chosen"] = chosen.text
    if as_json:
        click.echo(json_text(result))
    else:
        from symsim.report.tables import print_answer

        print_answer(result)
    if result["memory"]["fits"] is False or unmet(asked):
        raise click.exceptions.Exit(1)


def _chosen(model: str, system: str | None, settings: tuple[str, ...]) -> BestPlan:
    from symsim.analysis.best_plan import best_plan
    from symsim.cli.search_progress import progress

    with progress() as tell:
        return best_plan(model, system, settings, tell)
