"""``symsim check``: parse and elaborate files, report every error."""

from __future__ import annotations

from pathlib import Path

import click

from symsim.diagnostics import Diagnostic, InputError
from symsim.loading.checking import check_file


@click.command("check", short_help="Check model, strategy and system files; report every error.")
@click.argument("files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path))
def command(files: tuple[Path, ...]) -> None:
    """Parse and elaborate model, strategy and system files (.sym) and Hugging Face config.json files.

    Every error of every file is reported. Exit status 2 says that there was one.
    """
    problems: list[Diagnostic] = []
    for path in files:
        try:
            click.echo(f"{path}: {check_file(path)}")
        except InputError as problem:
            problems += problem.diagnostics
    if problems:
        raise InputError(problems)
