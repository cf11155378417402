"""``symsim``: the group of commands, and how errors end it.

Exit status: 0 done, 1 the answer is no, 2 the input or the machine is wrong, 3 symsim has a fault of its
own (``symsim/__main__.py``), 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import contextlib
import errno
import gc
import os
import re
import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

import click

from symsim import __version__
from symsim.cli.command_words import command_hint
from symsim.cli.interrupt import INTERRUPTED, interruptible
from symsim.compiler.cache_limits import limit_bytes
from symsim.diagnostics import InputError, error, nearest
from symsim.report.page_width import PAGE_WIDTH
from symsim.report.terminal_safety import safe_streams

COMMANDS = {
    "formula": "symsim.cli.formula",
    "eval": "symsim.cli.evaluate",
    "explain": "symsim.cli.explain",
    "solve": "symsim.cli.solve",
    "sensitivity": "symsim.cli.sensitivity",
    "compare": "symsim.cli.compare",
    "search": "symsim.cli.search",
    "trace": "symsim.cli.trace",
    "list": "symsim.cli.listing",
    "efficiency": "symsim.cli.efficiency",
    "check": "symsim.cli.check",
    "validate": "symsim.cli.validate",
    "calibrate": "symsim.cli.calibrate",
    "import": "symsim.cli.importing",
    "export": "symsim.cli.exporting",
    "completion": "symsim.cli.completion",
}
"""Command → module that holds it as ``command``; a module is imported when its command is used."""


_QUOTED = re.compile(r"'([^']*)'")


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
            raise error("E001", f"there is no command '{args[0]}'", None, command_hint(args[0], COMMANDS))
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": PAGE_WIDTH},
    epilog="Start with:  symsim formula llama3_70b --show memory",
)
@click.version_option(__version__, "-V", "--version", prog_name="symsim")
@click.option("--timings", is_flag=True, help="Print how long each pass took, on stderr.")
def cli(timings: bool) -> None:
    """Cost formulas of training large language models: memory, FLOPs, messages and time, as formulas and as numbers."""


GARBAGE = 50_000
"""Objects made between two looks for garbage."""


def main() -> None:
    """Entry point: runs the command of ``sys.argv`` and ends the process with its status."""
    # Formulas are many small objects that stay: to look for garbage among them at every turn takes a tenth of the time.
    gc.set_threshold(GARBAGE, 20, 50)
    with safe_streams(), interruptible():
        try:
            status = _status()
        except KeyboardInterrupt:
            status = INTERRUPTED
        if "--timings" in sys.argv:
            _print_timings()
    sys.exit(status)


def _status() -> int:
    """Run the command; its exit status. Whatever is wrong with the input or the machine is said in one message."""
    try:
        limit_bytes()
        status = cli.main(prog_name="symsim", standalone_mode=False)
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except InputError as problem:
        return _refuse(problem)
    except click.exceptions.NoArgsIsHelpError as problem:
        problem.show()
        return 2
    except click.UsageError as problem:
        return _refuse(_usage(problem))
    except SystemExit:
        # Click's own way out when the reader of the pipe is gone.
        _silence_stdout()
    except click.exceptions.Abort:
        return INTERRUPTED
    except BrokenPipeError:
        _silence_stdout()
    except OSError as problem:
        return _refuse(_refused(problem))
    except MemoryError:
        return _refuse(error("E009", "the memory ran out", hint="ask for fewer values, or take fewer --workers"))
    except RecursionError:
        return _refuse(error("E104", "the input is nested too deep", hint="put the inner parts into blocks"))
    return 0


def _refused(problem: OSError) -> InputError:
    """What the operating system would not do: write the answer, or anything else."""
    reason = problem.strerror or str(problem) or type(problem).__name__
    if problem.errno in _OF_WRITING and problem.filename is None:
        _silence_stdout()
        return error("E004", f"cannot write the answer: {reason}", hint="is there room on the disk?")
    about = f": '{problem.filename}'" if problem.filename is not None else ""
    return error("E008", f"the system refuses: {reason}{about}", hint="'ulimit -a' shows what a process may have")


_OF_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def _refuse(problem: InputError) -> int:
    click.echo(problem.render(), err=True)
    return 2


def _usage(problem: click.UsageError) -> InputError:
    """What click found wrong with the command line, in the form of every other error."""
    message = problem.format_message().strip().rstrip(".")
    path = problem.ctx.command_path if problem.ctx is not None else "symsim"
    hint: str | None = f"'{path} --help' shows what it takes"
    if isinstance(problem, click.NoSuchOption):
        message = f"there is no option '{problem.option_name}'"
        hint = nearest(problem.option_name, problem.possibilities or ()) or hint
    elif isinstance(problem, click.BadParameter) and isinstance(getattr(problem.param, "type", None), click.Choice):
        assert problem.param is not None
        choices: Iterable[str] = problem.param.type.choices  # type: ignore[attr-defined]
        name = problem.param.opts[0]
        given = _QUOTED.search(problem.message)
        message = f"{name} cannot be '{given[1]}'" if given else f"the {name} is missing"
        hint = nearest(given[1] if given else "", choices) or hint
    return error("E003", message[:1].lower() + message[1:], hint=hint)


def _silence_stdout() -> None:
    """The reader of the pipe is gone: nothing more to say, and no traceback at exit."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _print_timings() -> None:
    from symsim.timing import PASSES

    for name, seconds in PASSES:
        click.echo(f"{name:<12} {seconds * 1e3:9.2f} ms", err=True)
