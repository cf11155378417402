"""``symsim``: the group of commands, and how errors end it.

Exit status: 0 done, 1 the answer is no, 2 the input is wrong.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from symsim import __version__
from symsim.diagnostics import InputError

COMMANDS = {
    "formula": "symsim.cli.formula",
    "eval": "symsim.cli.evaluate",
    "list": "symsim.cli.listing",
    "check": "symsim.cli.check",
    "import": "symsim.cli.importing",
    "completion": "symsim.cli.completion",
}
"""Command → module that holds it as ``command``; a module is imported when its command is used."""


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name]).command
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            from symsim.diagnostics import error, nearest

            raise error("E001", f"there is no command '{args[0]}'", None, nearest(args[0], COMMANDS))
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with:  symsim formula llama3_70b --show memory",
)
@click.version_option(__version__, "-V", "--version", prog_name="symsim")
@click.option("--timings", is_flag=True, help="Print how long each pass took, on stderr.")
def cli(timings: bool) -> None:
    """Cost formulas of training large language models: memory, FLOPs, messages and time, as formulas and as numbers."""


def main() -> None:
    """Entry point of the console script."""
    status: Any = 0
    try:
        status = cli.main(standalone_mode=False)
    except InputError as problem:
        click.echo(problem.render(), err=True)
        status = 2
    except click.ClickException as problem:
        problem.show()
        status = 2
    except click.exceptions.Abort:
        status = 130
    except BrokenPipeError:
        _silence_stdout()
    except RecursionError:
        click.echo("error[E104]: the input is nested too deep", err=True)
        status = 2
    if "--timings" in sys.argv:
        _print_timings()
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence_stdout()
    sys.exit(status if isinstance(status, int) else 0)


def _silence_stdout() -> None:
    """The reader of the pipe is gone: nothing more to say, and no traceback at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_timings() -> None:
    from symsim.timing import PASSES

    for name, seconds in PASSES:
        click.echo(f"{name:<12} {seconds * 1e3:9.2f} ms", err=True)
