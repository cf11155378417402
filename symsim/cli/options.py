"""Arguments and options that several commands share, with completion of shipped names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click
from click.shell_completion import CompletionItem

from symsim import resources


class _Shipped(click.ParamType[str]):
    """A shipped name, or a path, or an inline text; only names are completed."""

    def __init__(self, kind: str, name: str) -> None:
        self.kind = kind
        self.name = name

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        names = [n for n in resources.shipped(self.kind) if n.startswith(incomplete)]
        return [CompletionItem(n) for n in names] or [CompletionItem(incomplete, type="file")]


MODEL = _Shipped("models", "model")
STRATEGY = _Shipped("strategies", "strategy")
SYSTEM = _Shipped("systems", "system")

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]

model_argument: Decorator = click.argument("model", type=MODEL)
strategy_help = "A shipped strategy, a .sym file, or choices such as tp=8,pp=4,world=128,gbs=512,seq=8192."
strategy_option: Decorator = click.option("-s", "--strategy", type=STRATEGY, metavar="STRATEGY", help=strategy_help)
system_option: Decorator = click.option(
    "-y", "--system", type=SYSTEM, metavar="SYSTEM", help="A shipped machine or a .sym file."
)
set_option: Decorator = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Override a name of the model, the strategy or the machine; may be repeated.",
)
json_option: Decorator = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
