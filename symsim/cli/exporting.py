"""``symsim export``: a plan in the words of another tool."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from symsim.analysis.evaluate import answer
from symsim.cli.options import model_argument, set_option, strategy_option
from symsim.diagnostics import error, nearest, placed
from symsim.interop.exports import TARGETS, Export, Part, Settled, Target, export
from symsim.loading.question import question
from symsim.report.atomic_write import check_outputs, write_whole


class _Kinds(click.Group):
    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        if args and args[0] not in self.commands and not args[0].startswith("-"):
            known = nearest(args[0], self.commands) or f"a kind is one of {', '.join(self.commands)}"
            hint = f"{known}; formulas are printed by 'symsim formula MODEL --format python'"
            raise error("E001", f"export writes no files of kind '{args[0]}'", None, hint)
        return super().resolve_command(ctx, args)


@click.group("export", cls=_Kinds, short_help="Write a plan for other tools.")
def command() -> None:
    """Write a plan as files of another tool.

    What the tool has no words for is said on stderr; where its plan would be another one, it is an error. Reading what
    was written ('symsim import') gives the same plan.
    """


_HELP = """Write a plan as {title} reads it: {parts}.

With -o {first} goes to the file{further}; without it all is printed.

\b
symsim export {word} {example}
"""


def _add(word: str, target: Target) -> None:
    example, _, named = target.example.partition(" -o ")
    others = [f"the {role} to {_path(Path(named), role, target)}" for role in target.parts[1:]]
    first = f"the {target.parts[0]}"
    parts = " and ".join(f"its {role} file" for role in target.parts)
    further = f", {' and '.join(others)} next to it" if others else ""
    model, _, plan = example.partition(" -s ")
    shown = f"{model} -o {named} \\\n    -s {plan}"
    text = _HELP.format(title=target.title, parts=parts, first=first, further=further, word=word, example=shown)

    @command.command(word, help=text, short_help=f"Files of {target.title}.")
    @model_argument
    @strategy_option
    @set_option
    @click.option("--part", type=click.Choice(target.parts), help="Print this file alone.")
    @click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write files, named so.")
    def write(
        model: str, strategy: str | None, settings: tuple[str, ...], part: str | None, output: Path | None
    ) -> None:
        paths = {role: _path(output, role, target) for role in target.parts if part in (None, role)}
        check_outputs([(path, "-o") for path in paths.values()])
        found = _export(word, model, strategy, settings)
        say_left_out(found)
        parts = [p for p in found.parts if part in (None, p.role)]
        if output is None:
            click.echo(_printed(parts), nl=False)
            return
        for one in parts:
            path = paths[one.role]
            assert path is not None
            write_whole(path, one.text.encode(), "-o")
            if one is not parts[0]:
                click.echo(f"note: {path} has the {one.role}", err=True)


def _path(output: Path | None, role: str, target: Target) -> Path | None:
    """``plan.json`` for the first part, ``plan.model.json`` for the one that is called ``model``."""
    if output is None or role == target.parts[0]:
        return output
    return output.with_name(f"{output.stem}.{role}{output.suffix}")


def _export(word: str, model: str, strategy: str | None, settings: tuple[str, ...]) -> Export:
    """Raises InputError: the plan is wrong, or the tool cannot express it."""
    asked = question(model, strategy, None, settings)
    with placed(asked.plan.places):
        answer(asked.model, asked.plan, None)  # what no rule of the plan allows is not written
    return export(word, Settled(asked.model, asked.strategy_name, asked.plan.values, asked.plan.places))


def say_left_out(found: Export) -> None:
    """What the tool has no words for, on stderr."""
    for name, reason in found.left_out.items():
        if reason:
            click.echo(f"note: {name} is left out: {reason}", err=True)


def _printed(parts: Iterable[Part]) -> str:
    """One part as it is; several one after the other."""
    return "\n".join(part.text for part in parts)


for _word, _target in TARGETS.items():
    _add(_word, _target)
