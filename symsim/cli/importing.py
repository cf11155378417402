"""``symsim import``: other tools' files, as the text that a person would write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from symsim.analysis.imported_model import different_count, renamed
from symsim.diagnostics import error
from symsim.loading.model_files import configuration, source_of
from symsim.report.atomic_write import check_outputs, write_whole


class _Kinds(click.Group):
    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            kinds = ", ".join(self.commands)
            path = args[0] if configuration(args[0]) is not None else "FILE"
            raise error("E001", f"import knows no files of kind '{args[0]}'", None, f"symsim import {kinds} {path}")
        return super().resolve_command(ctx, args)


@click.group("import", cls=_Kinds, short_help="Translate files of other tools.")
def command() -> None:
    """Translate other tools' files into symsim's own text."""


@command.command("hf")
@click.argument("config", type=click.Path())
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="NAME.sym", help="Write it to a file.")
def hugging_face(config: str, output: Path | None) -> None:
    """Print the model text of a Hugging Face config.json, or of a folder that holds one.

    With -o the model is named after the file. An index of weights next to the configuration is compared with the
    parameters of the model; a difference is said.

    \b
    symsim import hf my_model/config.json -o my_model.sym
    symsim list types          # each model_type that is read
    """
    path = configuration(config)
    if path is None:
        hint = "give the path of a file that ends in .json, or of a folder that holds a config.json"
        raise error("E500", f"'{config}' is not a config.json", None, hint)
    check_outputs(((output, "-o"),))
    source = source_of(config)
    if output is not None:
        source = renamed(source, output.stem)
    different = different_count(source, path)
    if different is not None:
        click.echo(f"note: {different}", err=True)
    if output is None:
        click.echo(source.text, nl=False)
    else:
        write_whole(output, source.text.encode(), "-o")
