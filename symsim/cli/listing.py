"""``symsim list``: what is shipped."""

from __future__ import annotations

import click

from symsim.analysis.catalogue import Cell, catalogue
from symsim.cli.options import json_option
from symsim.report.strict_json import json_text
from symsim.units import decimal_text

KINDS = ("models", "strategies", "systems", "library", "types")
UNFOLDED = {"systems": ("title", "link")}
"""Columns of text that stay on one line."""


@click.command("list", short_help="List what is shipped, and what can be read.")
@click.argument("kind", type=click.Choice(KINDS))
@json_option
def command(kind: str, as_json: bool) -> None:
    """List what is shipped: models, strategies, systems, or the library of families, blocks and operators.

    types: each model_type of a Hugging Face config.json that is read, and as which family."""
    headings, rows = catalogue(kind)
    if as_json:
        click.echo(json_text([{h: _value(c) for h, c in zip(headings, row, strict=True)} for row in rows]))
        return
    from symsim.report.tables import print_table

    texts = [[decimal_text(cell) if isinstance(cell, int) else cell for cell in row] for row in rows]
    print_table(headings, texts, unfolded=UNFOLDED.get(kind, ()))


def _value(cell: Cell) -> int | str | None:
    """A cell as JSON has it: a count is a number, an empty cell null."""
    if isinstance(cell, int):
        return cell
    return int(cell) if cell.isdigit() else cell or None
