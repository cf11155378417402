"""``symsim search``: the best plans of a space, and its Pareto front."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from symsim.analysis.searching.contradictions import notes
from symsim.analysis.searching.derived_space import load_derived_space
from symsim.analysis.searching.engines.engine_names import NAMES, engine_of
from symsim.analysis.searching.nearest_infeasible import closest
from symsim.analysis.searching.no_legal_point import advice
from symsim.analysis.searching.saved_plan import strategy_text
from symsim.analysis.searching.search import Result, search
from symsim.analysis.searching.search_json import document
from symsim.analysis.searching.space import load_space, with_goals
from symsim.analysis.searching.space_text import goal_lines, space_text
from symsim.cli.command_line import command_line
from symsim.cli.exporting import say_left_out
from symsim.cli.job_options import job_options, run_options, settings_with
from symsim.cli.options import json_option, model_argument, set_option, strategy_option, system_option
from symsim.cli.search_progress import progress
from symsim.diagnostics import error
from symsim.interop.exports import Settled, export
from symsim.report.atomic_write import check_outputs, write_whole
from symsim.report.strict_json import json_text

BOTH = "time.iteration,memory.peak"
"""What --plot draws where --pareto names nothing."""

PLANS = click.IntRange(1, 100_000)
FILE = click.Path(path_type=Path)


class _Engine(click.ParamType[str]):
    name = "engine"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        return [CompletionItem(n) for n in (*NAMES, "dask://") if n.startswith(incomplete)]


@click.command("search", short_help="Find the best plans of a space of strategies, and the Pareto front.")
@model_argument
@strategy_option
@system_option
@job_options
@run_options
@set_option
@click.option("--show-space", is_flag=True, help="Print the space as a strategy file, and search nothing.")
@click.option("--top", type=PLANS, default=10, show_default=True, metavar="K", help="Plans to list.")
@click.option("--pareto", metavar="X,Y[,Z]", help="Also the plans of which no other is better in all of these values.")
@click.option("--minimize", metavar="EXPR", help="Rank by this instead of the objective of the space.")
@click.option("--maximize", metavar="EXPR", help="The same, the largest first.")
@click.option("--require", "requires", multiple=True, metavar="EXPR", help="One more requirement; may be repeated.")
@json_option
@click.option("--csv", type=FILE, metavar="FILE", help="Write the plans and the front as comma-separated values.")
@click.option("--parquet", type=FILE, metavar="FILE", help="The same as Parquet (needs pyarrow).")
@click.option("--plot", type=FILE, metavar="FILE.png", help="Draw the front (needs matplotlib).")
@click.option("--save", type=FILE, metavar="FILE.sym",
              help="Write the best plan as a strategy for 'symsim eval'; FILE.sh and FILE.yaml as Megatron-LM and "
              "Megatron-Bridge run it.")  # fmt: skip
@click.option("--rank", type=PLANS, default=1, metavar="N", help="The plan that --save writes.")
@click.option("--engine", type=_Engine(), metavar="local|processes|dask[://HOST:PORT]",
              help="Where it runs: this process, all cores, or Dask; default: the faster of these two.")  # fmt: skip
@click.option("--workers", type=click.IntRange(1, 4096), metavar="N", help="Number of processes.")
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
    show_space: bool,
    top: int,
    pareto: str | None,
    minimize: str | None,
    maximize: str | None,
    requires: tuple[str, ...],
    as_json: bool,
    csv: Path | None,
    parquet: Path | None,
    plot: Path | None,
    save: Path | None,
    rank: int,
    engine: str | None,
    workers: int | None,
) -> None:
    """Find the best plans of MODEL in a space of strategies. Every legal plan is evaluated.

    A space is a strategy in which a choice has a set of values: 'tp in {1, 2, 4, 8}', 'pp in divisors(layers)',
    'mbs in 1..8', 'recompute in {none, full}'. -s takes a shipped one, a file, or choices; --set adds to it.

    With --gpus and without -s the space follows from the model and the machine: what the framework offers, as far as
    it divides the model and the GPUs. --show-space prints it, to be changed and given with -s.

    Exit status 1: no plan is feasible. Then the plan that misses by least is shown, and changes that fix it.

    \b
    symsim search config.json -y h100_sxm --gpus 512 --gbs 1024 --seq 4096
    symsim search config.json -y h100_sxm --gpus 512 --tokens 10T --price 2.5
    symsim search config.json -y h100_sxm --gpus 512 --show-space > space.sym
    symsim search llama3_70b -s search_1k -y h100_sxm
    symsim search llama3_70b -s search_1k -y h100_sxm \\
        --pareto time.iteration,memory.peak --plot front.png
    symsim search llama3_8b \\
        -s 'tp in {1,2,4,8},pp in 1..8,mbs in {1,2,4},world=64,gbs=512,seq=8192' \\
        -y h100_sxm
    symsim search llama3_70b -s search_1k -y h200_sxm --set 'zero in {1,2,3}' \\
        --maximize mfu --require 'pp <= 4'
    symsim search llama3_70b -s search_1k -y h100_sxm --save best.sym \\
        && symsim eval llama3_70b -s best.sym -y h100_sxm
    """
    derive = strategy is None and gpus is not None
    settings = settings_with(settings, gpus=gpus, gbs=gbs, seq=seq, tokens=tokens, price=price)
    if strategy is None and not settings:
        hint = "--gpus 64, -s NAME, or choices such as -s 'tp in {1,2,4,8},world=64,gbs=512,seq=8192'"
        raise error("E002", "search needs a space", None, hint)
    if minimize is not None and maximize is not None:
        raise error("E201", "a search has one objective", None, "give --minimize or --maximize")
    front = _split(pareto if pareto is not None or plot is None else BOTH)
    check_outputs(((csv, "--csv"), (parquet, "--parquet"), (plot, "--plot"), (save, "--save")))
    writers = _writers(csv, parquet, plot)
    chosen = engine_of(engine, workers)
    goal = "minimize" if minimize is not None else "maximize" if maximize is not None else None
    notes_of_space: tuple[str, ...] = ()
    if derive:
        loaded, derived = load_derived_space(model, system, settings)
        notes_of_space = derived.notes
    else:
        loaded = load_space(model, strategy, system, settings)
    space = with_goals(loaded, goal, minimize or maximize, requires)
    if show_space:
        more = replace(space.strategy, requires=space.strategy.requires[len(loaded.strategy.requires) :])
        _show(
            derived.text + "".join(f"{line}\n" for line in goal_lines(more)) if derive else space_text(space.strategy),
            save,
        )
        return
    with progress() as tell:
        result = search(space, max(top, rank if save else 1), front, chosen, tell)
        nearest = closest(result, chosen) if not result.feasible else None
    told = (*notes(space), *advice(result)) if result.removed else ()
    told = (*notes_of_space, *space.strategy.notes, *told)
    answer = document(result, nearest, told)
    _print(answer, as_json, top)
    if result.plans:
        for path, option, write in writers:
            write_whole(path, write(answer), option)
        if save is not None:
            write_whole(save, _saved(result, rank, save), "--save")
    else:
        left_out = [str(path) for path in (csv, parquet, plot, save) if path is not None]
        if left_out:
            click.echo(f"not written, as no plan is feasible: {', '.join(left_out)}", err=True)
        raise click.exceptions.Exit(1)


def _show(text: str, save: Path | None) -> None:
    """The text of the space, or with --save a file of it."""
    if save is None:
        click.echo(text, nl=False)
    else:
        write_whole(save, text.encode(), "--save")


def _print(answer: dict[str, Any], as_json: bool, top: int) -> None:
    shown = {**answer, "plans": answer["plans"][:top]}
    if as_json:
        click.echo(json_text(shown))
    else:
        from symsim.report.search import print_search

        print_search(shown)
    sys.stdout.flush()


def _split(text: str | None) -> tuple[str, ...]:
    """Expressions between commas that no bracket encloses.

    Raises:
        InputError: one value alone, or more than three.
    """
    if text is None:
        return ()
    parts, depth = [""], 0
    for letter in text:
        depth += (letter in "([{") - (letter in ")]}")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    found = tuple(part.strip() for part in parts)
    if not 2 <= len(found) <= MOST_VALUES or not all(found) or len(set(found)) < len(found):
        hint = f"for example --pareto {BOTH}"
        raise error("E377", f"--pareto takes two or three values, not '{text}'", None, hint)
    return found


MOST_VALUES = 3

Writer = tuple[Path, str, Callable[[dict[str, Any]], bytes]]


def _writers(csv: Path | None, parquet: Path | None, plot: Path | None) -> list[Writer]:
    """What is written of the answer; what that needs is looked for first."""
    out: list[Writer] = []
    if csv is not None:
        from symsim.analysis.searching.search_table import as_csv

        out.append((csv, "--csv", as_csv))
    if parquet is not None:
        from symsim.analysis.searching.search_table import as_parquet, check_parquet

        check_parquet()
        out.append((parquet, "--parquet", as_parquet))
    if plot is not None:
        from symsim.report.pareto_plot import check_plot, picture

        check_plot(plot)
        out.append((plot, "--plot", lambda answer: picture(answer, plot.suffix)))
    return out


def _saved(result: Result, rank: int, path: Path) -> bytes:
    if rank > len(result.plans):
        few = "one plan is" if len(result.plans) == 1 else f"{len(result.plans)} plans are"
        raise error("E378", f"--rank {rank}: only {few} feasible and different", None, f"--rank {len(result.plans)}")
    tool = TOOLS_BY_SUFFIX.get(path.suffix.lower())
    if tool is None:
        return strategy_text(result, rank, path.stem, command_line()).encode()
    asked = result.plans[rank - 1].question
    written = export(tool, Settled(asked.model, path.stem, asked.plan.values, asked.plan.places))
    say_left_out(written)
    return written.parts[0].text.encode()


TOOLS_BY_SUFFIX = {".sh": "megatron", ".yaml": "bridge", ".yml": "bridge"}
"""End of a name after --save → the tool that the plan is written for."""
