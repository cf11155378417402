"""``symsim solve``: the extreme value of a name under conditions, and where two strategies are equal."""

from __future__ import annotations

from fractions import Fraction

import click

from symsim.analysis.one_parameter import Sought
from symsim.analysis.quantities import parsed
from symsim.analysis.solving.break_even import break_even
from symsim.analysis.solving.solution_json import break_even_document, document
from symsim.analysis.solving.solve import solve
from symsim.cli.options import STRATEGY, json_option, model_argument, set_option, strategy_help, system_option
from symsim.diagnostics import error, placed
from symsim.language.expressions import Plain, evaluate, number, out_of_bounds
from symsim.language.figures import MAX_FIGURE
from symsim.loading.question import gives_strategy, question
from symsim.report.strict_json import json_text


@click.command("solve", short_help="Find the largest or smallest value that works, or where two strategies are equal.")
@model_argument
@click.option(
    "-s",
    "--strategy",
    "strategies",
    type=STRATEGY,
    metavar="STRATEGY",
    multiple=True,
    help=f"{strategy_help} Give two for their break-even.",
)
@system_option
@set_option
@click.option(
    "--for", "name", required=True, metavar="NAME", help="A size, a dimension of the model, or a figure of the machine."
)
@click.option(
    "--subject-to",
    "constraints",
    multiple=True,
    metavar="EXPR",
    help="What must hold; may be repeated. With a machine the plan also has to fit; --set fit=none drops that.",
)
@click.option("--largest", is_flag=True, help="Find the largest value.")
@click.option("--smallest", is_flag=True, help="Find the smallest value.")
@click.option("--of", "of", metavar="EXPR", help="What two strategies are compared in; time.iteration if not given.")
@click.option("--from", "low", metavar="VALUE", help="The smallest value to look at, such as 1024 or '10 GB/s'.")
@click.option("--to", "high", metavar="VALUE", help="The largest value to look at.")
@json_option
def command(
    model: str,
    strategies: tuple[str, ...],
    system: str | None,
    settings: tuple[str, ...],
    name: str,
    constraints: tuple[str, ...],
    largest: bool,
    smallest: bool,
    of: str | None,
    low: str | None,
    high: str | None,
    as_json: bool,
) -> None:
    """Find the largest or smallest value of one name at which MODEL still fits, or meets your conditions.

    The largest micro-batch, sequence or model; the fewest GPUs; the smallest memory or bandwidth for a time. Every
    legal whole number is considered. Requirements of the strategy always hold. With two strategies (-s twice):
    the values of the name at which they are equal, and which is better on each side.

    Exit status 1: no legal value meets the conditions, or every legal value does.

    \b
    symsim solve llama3_70b -s tp8_pp4 -y h100_sxm --for mbs
    symsim solve llama3_70b -s tp8_pp4 -y h100_sxm --for world \\
        --subject-to 'time.iteration <= 10 s'
    symsim solve llama3_70b -s tp8_pp4 -y h100_sxm --for nvlink.bandwidth \\
        --subject-to 'time.iteration <= 9.5'
    symsim solve llama3_70b -s tp8_pp4 -y h100_sxm --for hidden --json
    symsim solve llama3_70b -s tp8_pp4 -s tp=4,pp=8,world=128,gbs=128,seq=8192 \\
        -y h100_sxm --for gbs
    """
    if not strategies and not settings and not gives_strategy(model):
        hint = "-s NAME, or choices such as -s tp=8,world=8,gbs=64,seq=4096"
        raise error("E002", "solve needs a strategy", None, hint)
    _check(strategies, constraints, largest, smallest, of)
    ends = (_value(low, "--from"), _value(high, "--to"))
    asked = [question(model, strategy, system, settings) for strategy in strategies or (None,)]
    if len(asked) == 2:
        with placed(asked[1].plan.places):
            even = break_even(asked[0], asked[1], name, None if of is None else parsed(of), *ends)
        _show_break_even(break_even_document(even), as_json)
        return
    sought: Sought | None = "largest" if largest else "smallest" if smallest else None
    with placed(asked[0].plan.places):
        found = solve(asked[0], name, [parsed(c, "--subject-to") for c in constraints], sought, *ends)
    result = document(found)
    if as_json:
        click.echo(json_text(result))
    else:
        from symsim.report.solution import print_solution

        print_solution(result)
    if found.outcome != "found":
        raise click.exceptions.Exit(1)


def _show_break_even(result: dict[str, object], as_json: bool) -> None:
    if as_json:
        click.echo(json_text(result))
        return
    from symsim.report.solution import print_break_even

    print_break_even(result)


def _check(
    strategies: tuple[str, ...], constraints: tuple[str, ...], largest: bool, smallest: bool, of: str | None
) -> None:
    """Raises InputError for options that have no meaning together."""
    if largest and smallest:
        raise error("E353", "--largest and --smallest contradict each other", None, "give one of them")
    if len(strategies) > 2:
        raise error("E353", f"solve compares two strategies, not {len(strategies)}", None, "give -s once or twice")
    if len(strategies) == 2 and (constraints or largest or smallest):
        given = "--subject-to" if constraints else "--largest" if largest else "--smallest"
        hint = "leave it out, or give one strategy; --of says what two are compared in"
        raise error("E353", f"{given} is of one strategy, and two are given", None, hint)
    if len(strategies) < 2 and of is not None:
        hint = "give -s twice, or --subject-to for a condition"
        raise error("E353", "--of is what two strategies are compared in, and one is given", None, hint)


def _value(text: str | None, option: str) -> float | None:
    if text is None:
        return None
    node = parsed(text, option)
    found = number(evaluate(node, Plain({})), node.place, Plain({}))
    if found > MAX_FIGURE:
        raise out_of_bounds("number", node.place)
    value = float(Fraction(found))
    if value <= 0:
        raise error("E312", f"{option} must be positive, not {value:g}", node.place, "for example 1024 or '10 GB/s'")
    return value
