"""``symsim formula``: the formulas themselves."""

from __future__ import annotations

import click

from symsim.analysis.formulas import DEPTHS, SHOWN, formulas
from symsim.cli.options import model_argument, set_option, strategy_option, system_option
from symsim.diagnostics import placed
from symsim.loading.question import Question, question
from symsim.report.formulas import FORMATS, WHOLE, printed
from symsim.report.page_width import page_width


@click.command("formula", short_help="Print a model's cost as formulas.")
@model_argument
@strategy_option
@system_option
@click.option("--show", type=click.Choice(SHOWN), default="memory", show_default=True, help="What to show.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--per",
    type=click.Choice(DEPTHS),
    help="Level of detail: the whole job (the default for time), one pipeline stage (the default for the rest), one "
    "layer, one operator, one moment (for memory: what is in use then).",
)
@click.option("--keep", default="", metavar="NAME,…", help="Dimensions of the model that stay symbols, or 'all'.")
@set_option
def command(
    model: str,
    strategy: str | None,
    system: str | None,
    show: str,
    form: str,
    per: str | None,
    keep: str,
    settings: tuple[str, ...],
) -> None:
    """Print what MODEL costs, as formulas in tp, pp, cp, ep, dp, mbs and seq.

    MODEL is a shipped name ('symsim list models'), a .sym file, a Hugging Face config.json, or a call
    such as 'llama(hidden=2048, layers=16, heads=32, ffn=8192, vocab=128256)'.

    A strategy selects the structure (recomputation, ZeRO stage, schedule, kernels); its sizes stay symbols, but
    a size given with --set becomes a number. With a machine (-y) its figures are listed.

    \b
    symsim formula llama3_70b --show memory
    symsim formula deepseek_v3 --show memory --per layer --format latex
    symsim formula llama3_70b --show run
    symsim formula llama3_70b --show memory --keep hidden,layers \\
        --set recompute=full
    """
    asked = question(model, strategy, system, settings, needs_sizes=False)
    keep_names = frozenset(n.strip() for n in keep.split(",") if n.strip())
    if "all" in keep_names:
        keep_names = frozenset({"all"})
    with placed(asked.plan.places):
        found = formulas(asked, show, per, keep_names, _put(asked, settings), whole=form in WHOLE)
    click.echo(printed(asked, found, show, form, bool(keep_names), page_width()), nl=False)


def _put(asked: Question, settings: tuple[str, ...]) -> dict[str, int]:
    named = {s.partition("=")[0].strip() for s in settings}
    return {n: int(v) for n, v in asked.plan.sizes.items() if n in named and n in asked.plan.sizes and v == int(v)}
