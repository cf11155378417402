"""Elaborate a strategy: every name checked against what it may be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from symsim import resources
from symsim.diagnostics import InputError, Place, Source, error, nearest
from symsim.language import tree
from symsim.language.expressions import Plain, collect, describe, evaluate, number
from symsim.language.expressions import Value as Evaluated
from symsim.language.library import read_source
from symsim.language.parser import parse_strategy
from symsim.records.strategy import CHOICES, Choice, Value


@dataclass(frozen=True, slots=True)
class Strategy:
    """One strategy file, checked name by name.

    ``values`` holds what was given, ``among`` the sets of a search space, ``overrides`` names that
    belong to the model or the machine.
    """

    name: str
    title: str
    values: Mapping[str, Value]
    among: Mapping[str, tuple[Value, ...]]
    overrides: Mapping[str, Value | tree.Expression]
    requires: tuple[tree.Require, ...]
    objective: tree.Objective | None
    places: Mapping[str, Place]


MAX_SIZE = 10**9


def load_strategy(given: str | None, settings: tuple[str, ...] = ()) -> Strategy:
    """The strategy that a command line names: a shipped name, a ``.sym`` file, or ``tp=8,pp=4,…``.

    ``settings`` are the ``NAME=VALUE`` of ``--set``; they win over the file.
    """
    if given is None:
        parsed, name = tree.StrategyFile(None, ()), "strategy"
    elif "=" in given:
        parsed, name = parse_strategy(Source("<strategy>", _semicolons(given))), "inline"
    elif given.endswith(".sym") or "/" in given:
        parsed, name = parse_strategy(read_source(Path(given))), Path(given).stem
    else:
        known = resources.shipped("strategies")
        if given not in known:
            hint = nearest(given, known) or "'symsim list strategies' shows what is shipped"
            raise error("E310", f"no strategy is called '{given}'", hint=hint)
        parsed, name = parse_strategy(read_source(known[given], f"strategies/{given}.sym")), given
    return elaborate_strategy(parsed, name, tuple(_setting(s) for s in settings))


def _setting(text: str) -> tree.Assign:
    if "=" not in text:
        raise error("E311", f"--set takes NAME=VALUE, not '{text}'")
    parsed = parse_strategy(Source("<--set>", text))
    if len(parsed.choices) != 1 or not isinstance(parsed.choices[0], tree.Assign):
        raise error("E311", f"--set takes one NAME=VALUE, not '{text}'")
    return parsed.choices[0]


def _semicolons(text: str) -> str:
    """Commas between choices, outside braces and parentheses, separate like a newline."""
    depth, out = 0, []
    for char in text:
        depth += (char in "({[") - (char in ")}]")
        if depth > MAX_DEPTH:
            break
        out.append(";" if char == "," and depth == 0 else char)
    return "".join(out)


def elaborate_strategy(parsed: tree.StrategyFile, name: str, settings: tuple[tree.Assign, ...] = ()) -> Strategy:
    """Check every choice.

    Raises:
        InputError: unknown names, wrong types, values out of range; all of them at once.
    """
    values: dict[str, Value] = {}
    among: dict[str, tuple[Value, ...]] = {}
    overrides: dict[str, Value | tree.Expression] = {}
    places: dict[str, Place] = {}
    problems: list[InputError] = []
    given = [c for c in parsed.choices if isinstance(c, tree.Assign)]
    for choice in (*given, *settings):
        if choice.name in places and choice not in settings:
            problems.append(error("E201", f"'{choice.name}' is given twice", choice.place))
            continue
        places[choice.name] = choice.place
        known = CHOICES.get(choice.name)
        try:
            if known is None:
                overrides[choice.name] = choice.value
            elif choice.among:
                among[choice.name] = _set(known, choice.value)
            else:
                values[choice.name] = _checked(known, evaluate(choice.value, Plain({})), choice.value.place)
                among.pop(choice.name, None)
        except InputError as problem:
            problems.append(problem)
    collect(problems)
    header = parsed.header
    objective = next((c for c in parsed.choices if isinstance(c, tree.Objective)), None)
    requires = tuple(c for c in parsed.choices if isinstance(c, tree.Require))
    title = header.title if header and header.title else ""
    return Strategy(header.name if header else name, title, values, among, overrides, requires, objective, places)


def _set(choice: Choice, node: tree.Expression) -> tuple[Value, ...]:
    if isinstance(node, tree.Apply):
        return ()
    if isinstance(node, tree.SetOf):
        return tuple(_checked(choice, evaluate(i, Plain({})), i.place) for i in node.items)
    found = evaluate(node, Plain({}))
    if not isinstance(found, frozenset):
        raise error("E207", f"expected a set after 'in', not {describe(found)}", node.place)
    return tuple(_checked(choice, v, node.place) for v in sorted(found, key=str))


def _checked(choice: Choice, value: Evaluated, place: Place) -> Value:
    match choice.kind:
        case "size":
            return _size(choice, value, place)
        case "number":
            amount = number(value, place, Plain({}))
            if not 0 < amount <= MAX_SIZE:
                raise error("E312", f"'{choice.name}' must be positive, not {amount}", place)
            return amount  # type: ignore[no-any-return]
        case "flag":
            if not isinstance(value, bool):
                raise error("E207", f"'{choice.name}' is true or false, not {describe(value)}", place)
            return value
        case "regions":
            return _regions(choice, value, place)
        case "text":
            return str(value) if isinstance(value, str) else _version(value)
    word = int(value) if choice.name == "zero" and isinstance(value, int) and not isinstance(value, bool) else value
    if choice.words and str(word) not in choice.words:
        hint = nearest(str(word), choice.words)
        raise error("E313", f"'{choice.name}' cannot be {describe(value)}", place, hint)
    if not isinstance(word, str) and choice.name != "zero":
        raise error("E207", f"'{choice.name}' is a word, not {describe(value)}", place)
    return int(word) if choice.name == "zero" else str(word)


def _size(choice: Choice, value: Evaluated, place: Place) -> int:
    amount = number(value, place, Plain({}))
    if not isinstance(amount, int):
        raise error("E312", f"'{choice.name}' must be a whole number, not {describe(amount)}", place)
    if not 1 <= amount <= MAX_SIZE:
        wanted = "at least 1" if amount < 1 else f"at most {MAX_SIZE:,}"
        raise error("E312", f"'{choice.name}' must be {wanted}, not {amount}", place)
    return amount


def _regions(choice: Choice, value: Evaluated, place: Place) -> Value:
    if isinstance(value, frozenset):
        names = frozenset(str(v) for v in value)
        if not all(isinstance(v, str) for v in value):
            raise error("E207", f"'{choice.name}' is a set of region names", place)
        return names if names else "none"
    if not isinstance(value, str):
        raise error("E207", f"'{choice.name}' is none, full or a set of region names, not {describe(value)}", place)
    return str(value) if value in ("none", "full") else frozenset({str(value)})


def _version(value: Evaluated) -> str:
    return f"{float(value):g}" if isinstance(value, Fraction) else str(value)


def route_overrides(
    strategy: Strategy, dimensions: Mapping[str, object], figures: Mapping[str, object]
) -> tuple[dict[str, tree.Expression], dict[str, tree.Expression]]:
    """Names of a strategy that belong to the model, and those that belong to the machine.

    Raises:
        InputError: a name that belongs to none.
    """
    model: dict[str, tree.Expression] = {}
    system: dict[str, tree.Expression] = {}
    problems: list[InputError] = []
    for name, node in strategy.overrides.items():
        assert not isinstance(node, int | Fraction | bool | str | frozenset)
        if name in dimensions:
            model[name] = node
        elif name in figures or "." in name or name == "gpus_per_node":
            system[name] = node
        else:
            hint = nearest(name, [*CHOICES, *dimensions, *figures])
            message = f"'{name}' is not a name of a strategy, of this model or of a machine"
            problems.append(error("E314", message, strategy.places[name], hint))
    collect(problems)
    return model, system
