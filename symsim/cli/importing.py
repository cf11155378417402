"""``symsim import``: other tools' files, as the text that a person would write."""

from __future__ import annotations

from typing import Any

import click

from symsim.analysis.load import configuration, source_of
from symsim.diagnostics import error


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
def hugging_face(config: str) -> None:
    """Print the model text of a Hugging Face config.json, or of a folder that holds one."""
    if configuration(config) is None:
        hint = "give the path of a file that ends in .json, or of a folder that holds a config.json"
        raise error("E500", f"'{config}' is not a config.json", None, hint)
    click.echo(source_of(config).text, nl=False)
