"""Inputs whose hostile part is on the command line: inline strategies, settings, expressions, whole command lines."""

from __future__ import annotations

from random import Random

import click

from fuzzing import vocabulary
from fuzzing.expressions import applied, choices, condition, expression, number, value_of
from fuzzing.files import JSON_FORMS, SMALL_STRATEGY, SMALL_SYSTEM, TABLES
from fuzzing.inputs import Input
from fuzzing.mutations import mutated
from symsim.cli.main import COMMANDS, cli
from symsim.records.strategy import CHOICES

NEVER_RUN = frozenset({"app", "measure"})
"""Commands that serve until they are stopped, or measure the machine."""


def _model(draw: Random) -> str:
    small = (vocabulary.MODEL, vocabulary.EXPERTS)
    return draw.choice(small) if draw.random() < 0.9 else vocabulary.shipped(draw, "models")


def _json(draw: Random) -> tuple[str, ...]:
    return (form,) if (form := draw.choice(JSON_FORMS)) else ()


def inline_model(draw: Random) -> Input:
    """A call of a family in place of a model's name."""
    call = mutated(draw, draw.choice((vocabulary.MODEL, vocabulary.EXPERTS)))
    if draw.random() < 0.3:
        name = draw.choice(vocabulary.dimensions())
        call = f"{vocabulary.EXPERTS[:-1]}, {name}={draw.choice((vocabulary.number(draw), vocabulary.name(draw)))})"
    system = draw.choice((None, vocabulary.SYSTEM))
    with_system = ("-y", system) if system else ()
    arguments = ("eval", call, "-s", vocabulary.PLAN, *with_system, *_json(draw))
    return Input("inline model", arguments, plan=(call, vocabulary.PLAN, system, ()))


def inline_strategy(draw: Random) -> Input:
    """Choices on the command line."""
    text = ",".join(choices(draw))
    if not vocabulary.calm(draw) and draw.random() < 0.25:
        text = mutated(draw, text)
    model, system = _model(draw), draw.choice((None, vocabulary.SYSTEM))
    with_system = ("-y", system) if system else ()
    command = draw.choices(("eval", "explain", "trace" if system else "eval"), (18, 1, 1))[0]
    arguments = (command, model, "-s", text, *with_system, *(_json(draw) if command != "trace" else ()))
    return Input("inline strategy", arguments, plan=(model, text, system, ()))


def setting(draw: Random) -> Input:
    """``--set`` of a choice, a dimension or a figure."""
    settings: list[str] = []
    for _ in range(draw.choice((1, 1, 2, 3))):
        pools = (tuple(CHOICES), vocabulary.dimensions(), vocabulary.stated())
        wild = (*pools, vocabulary.figure_names(), vocabulary.quantities())
        name = draw.choice(draw.choice(pools if vocabulary.calm(draw) else wild))
        text = f"{name}={value_of(draw, name)}"
        settings.append(mutated(draw, text, 1) if draw.random() < 0.15 else text)
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    given = tuple(part for text in settings for part in ("--set", text))
    arguments = ("eval", model, "-s", vocabulary.PLAN, "-y", vocabulary.SYSTEM, *given, *_json(draw))
    return Input("--set", arguments, plan=(model, vocabulary.PLAN, vocabulary.SYSTEM, tuple(settings)))


def quantity(draw: Random) -> Input:
    """Expressions about one plan, as numbers and as arrays: every function and every name of the formulas."""
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    return Input(
        "quantity",
        plan=(model, vocabulary.PLAN, vocabulary.SYSTEM, ()),
        quantities=tuple(draw.choice((expression, applied_alone))(draw) for _ in range(2)),
    )


def applied_alone(draw: Random) -> str:
    return applied(draw, 2)


def search(draw: Random) -> Input:
    """A space with ``require``, ``minimize``, ``--pareto``, ``--require``."""
    space = ",".join(choices(draw, searched=True))
    more: list[str] = []
    if draw.random() < 0.3:
        more += ["--require", condition(draw) if draw.random() < 0.7 else expression(draw)]
    if draw.random() < 0.3:
        more += [draw.choice(("--minimize", "--maximize")), expression(draw)]
    if draw.random() < 0.3:
        more += ["--pareto", ",".join(expression(draw) for _ in range(draw.choice((1, 2, 2, 3, 4))))]
    if draw.random() < 0.1:
        more += ["--save", "best.sym", "--csv", "plans.csv"]
    system = ("-y", vocabulary.SYSTEM) if draw.random() < 0.8 else ()
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    return Input("search", ("search", model, "-s", space, *system, "--engine", "local", *more, *_json(draw)))


def solve(draw: Random) -> Input:
    """``--for`` and ``--subject-to``, and ``--of`` of two strategies."""
    pools = (vocabulary.sizes(), vocabulary.dimensions(), vocabulary.stated(), vocabulary.figure_names())
    name = draw.choice(draw.choice(pools[:3] if vocabulary.calm(draw) else pools))
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    arguments = ["solve", model, "-s", vocabulary.PLAN, "-y", vocabulary.SYSTEM, "--for", name, *_json(draw)]
    if draw.random() < 0.3:
        arguments += ["-s", ",".join(choices(draw))]
        arguments += ["--of", number(draw)] if draw.random() < 0.5 else []
    else:
        arguments += ["--subject-to", condition(draw)] if draw.random() < 0.7 else []
        arguments += [draw.choice(("--largest", "--smallest"))] if draw.random() < 0.3 else []
    for option in ("--from", "--to"):
        arguments += [option, vocabulary.number(draw)] if draw.random() < 0.15 else []
    return Input("solve", tuple(arguments))


def sensitivity(draw: Random) -> Input:
    """``--of`` of ``sensitivity`` and ``compare``."""
    model = draw.choice((vocabulary.MODEL, vocabulary.EXPERTS))
    plan = (model, "-s", vocabulary.PLAN, "-y", vocabulary.SYSTEM)
    if draw.random() < 0.6:
        names = ",".join(vocabulary.name(draw) for _ in range(draw.randint(1, 3)))
        of_names = ("--with-respect-to", names) if draw.random() < 0.4 else ()
        return Input("--of", ("sensitivity", *plan, "--of", expression(draw), *of_names, *_json(draw)))
    other = ",".join(choices(draw))
    return Input("--of", ("compare", *plan, "-s", other, "--of", expression(draw), *_json(draw)))


def command_line(draw: Random) -> Input:
    """A whole command line: commands and options as click knows them, with any values."""
    names = [n for n in COMMANDS if n not in NEVER_RUN]
    arguments = [draw.choice(names)]
    command = cli.get_command(click.Context(cli), arguments[0])
    assert command is not None
    if isinstance(command, click.Group):
        arguments.append(draw.choice(list(command.commands)))
        command = command.commands[arguments[-1]]
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            if draw.random() < (0.85 if parameter.required or "--strategy" in parameter.opts else 0.25):
                arguments += _option(draw, parameter)
        elif draw.random() < 0.95:
            arguments.append(_argument(draw, parameter))
    if draw.random() < 0.2:
        arguments[draw.randrange(len(arguments))] = draw.choice(("", "-", "--", "--x", "-h", vocabulary.name(draw)))
    if draw.random() < 0.1:
        k = draw.randrange(len(arguments))
        arguments[k] = mutated(draw, arguments[k], 1)
    files = {"small.sym": SMALL_STRATEGY.encode(), "box.sym": SMALL_SYSTEM.encode(), **TABLES}
    return Input("command line", tuple(a.replace("\0", "") for a in arguments), files)


def _argument(draw: Random, parameter: click.Parameter) -> str:
    match parameter.name:
        case "model":
            return _model(draw) if draw.random() < 0.8 else vocabulary.name(draw)
        case "system":
            return draw.choice((vocabulary.shipped(draw, "systems"), "box.sym", vocabulary.name(draw)))
    return draw.choice(("small.sym", "box.sym", "none.sym", ".", "", "none.json", "/dev/null", vocabulary.name(draw)))


def _option(draw: Random, option: click.Option) -> list[str]:
    name = draw.choice(option.opts)
    if option.is_flag:
        return [name]
    return [name, _value(draw, option)]


def _value(draw: Random, option: click.Option) -> str:
    if isinstance(option.type, click.Choice) and draw.random() < 0.9:
        return str(draw.choice(list(option.type.choices)))
    match option.opts[-1]:
        case "--strategy":
            return draw.choice((",".join(choices(draw)), "small.sym", vocabulary.shipped(draw, "strategies")))
        case "--system":
            return draw.choice((vocabulary.shipped(draw, "systems"), "box.sym", vocabulary.name(draw)))
        case "--set":
            choice = draw.choice(tuple(CHOICES))
            return f"{choice}={value_of(draw, choice)}"
        case "--engine" | "--workers":
            return draw.choice(("local", "", "dask://", "dask://:0", "x")) if option.opts[-1] == "--engine" else "1"
        case "--minutes":
            return "0"
    if isinstance(option.type, click.Path) or option.opts[-1] in ("--output", "--csv", "--save", "--plot", "--parquet"):
        return draw.choice(("out.sym", "out.json", "out.png", "out.csv", "none/out", ".", "", "small.sym", "/dev/full"))
    chance = draw.random()
    if chance < 0.4:
        return vocabulary.number(draw)
    return expression(draw) if chance < 0.8 else vocabulary.name(draw)
