"""Options for the size of a job and of a whole training run: settings like those of ``--set``, under plainer names."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import click

from symsim.diagnostics import Place, Source, error

Decorator = Callable[[Callable[..., Any]], Callable[..., Any]]


class _Amount(click.ParamType[str]):
    """A number of the language, ``512``, ``4M`` or ``2.5``; kept as it is written."""

    def __init__(self, name: str, whole: bool, example: str) -> None:
        self.name = name
        self._whole = whole
        self._example = example

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from symsim.language.expressions import Plain, describe, evaluate, number, refuse_unit
        from symsim.language.parser import parse_expression

        option = param.opts[0] if param is not None else self.name
        source = Source(f"<{option}>", value)
        place, hint = Place(source, 1, 1, max(1, len(value))), f"for example {option} {self._example}"
        node = parse_expression(source)
        refuse_unit(option, node)
        amount = number(evaluate(node, Plain({})), place, Plain({}))
        if self._whole and not isinstance(amount, int):
            raise error("E312", f"{option} must be a whole number, not {describe(amount)}", place, hint)
        if not isinstance(amount, int | Fraction) or amount <= 0:
            least = "at least 1" if self._whole else "positive"
            raise error("E312", f"{option} must be {least}, not {describe(amount)}", place, hint)
        return value


def _option(flag: str, metavar: str, example: str, text: str, whole: bool = True) -> Decorator:
    return click.option(flag, type=_Amount(metavar.lower(), whole, example), metavar=metavar, help=text)


def job_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--gpus``, ``--gbs`` and ``--seq``."""
    for add in (
        _option("--seq", "N", "4096", "Tokens of a sequence. Without -s the model's own context if left out."),
        _option("--gbs", "N", "1024", "Sequences of a step. Without -s about 4 M tokens if left out."),
        _option("--gpus", "N", "512", "GPUs of the job."),
    ):
        command = add(command)
    return command


def run_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """``--tokens`` and ``--price``."""
    for add in (
        _option("--price", "X", "2.5", "Price of one GPU for one hour: adds the money of the run.", whole=False),
        _option("--tokens", "N", "10T", "Tokens of the whole run, such as 10T: adds steps, days and GPU-hours."),
    ):
        command = add(command)
    return command


def settings_with(settings: tuple[str, ...], **given: str | None) -> tuple[str, ...]:
    """Settings, and the options that were given under the names that strategies have for them."""
    named = {"gpus": "world"}
    return (*settings, *(f"{named.get(n, n)}={value}" for n, value in given.items() if value is not None))
