"""``symsim import``: other tools' files, as the text that a person would write."""

from __future__ import annotations

import click

from symsim.analysis.load import source_of
from symsim.diagnostics import error


@click.group("import", short_help="Translate files of other tools.")
def command() -> None:
    """Translate other tools' files into symsim's own text."""


@command.command("hf")
@click.argument("config", type=click.Path())
def hugging_face(config: str) -> None:
    """Print the model text of a Hugging Face config.json."""
    if not config.endswith(".json"):
        raise error("E500", f"'{config}' is not a config.json", None, "give the path of a file that ends in .json")
    click.echo(source_of(config).text, nl=False)
