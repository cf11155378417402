"""Elaborate a strategy: every name checked against what it may be."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from symsim import resources
from symsim.diagnostics import InputError, Place, Source, error, nearest
from symsim.language import tree
from symsim.language.document_lengths import document_lengths
from symsim.language.expression_text import expression_text
from symsim.language.expressions import (
    SET_HINT,
    Plain,
    Word,
    check_function,
    collect,
    describe,
    evaluate,
    names_in,
    number,
    numbers_in,
    refuse_unit,
)
from symsim.language.expressions import Value as Evaluated
from symsim.language.figures import OF_MACHINE
from symsim.language.foreign_names import other_name, other_word
from symsim.language.inline_hints import setting_hint, strategy_hint
from symsim.language.layout import parse_layout
from symsim.language.parser import parse_strategy
from symsim.language.source_files import file_hint, read_source
from symsim.records.strategy import CHOICES, Choice, Value


@dataclass(frozen=True, slots=True)
class Strategy:
    """One strategy file, checked name by name.

    ``values`` holds what was given, ``among`` the sets of a search space as they are written, ``overrides``
    names that belong to the model or the machine.
    """

    name: str
    title: str
    values: Mapping[str, Value]
    among: Mapping[str, tree.Expression]
    overrides: Mapping[str, Value | tree.Expression]
    requires: tuple[tree.Require, ...]
    objective: tree.Objective | None
    places: Mapping[str, Place]
    notes: tuple[str, ...] = ()
    """What the file says of itself (``note``), and what is read as it is written, though it may be meant otherwise."""
    unmade: tuple[str, ...] = ()
    """Choices that are given as ``none``."""


MAX_SIZE = 10**9
MAX_TOKENS = 10**18
"""Most tokens of a run."""
MAX_STAGES = 10_000
"""Most pipeline stages: every stage is evaluated."""


def largest(name: str) -> int:
    """The largest value of a size."""
    return {"pp": MAX_STAGES, "tokens": MAX_TOKENS}.get(name, MAX_SIZE)


_TEXT = re.compile(r'"[^"\n]*"|.', re.DOTALL)
_WORKSPACE = re.compile(r":?\d{1,7}:\d{1,4}(:\d{1,7}:\d{1,4}){0,7}")
"""CUBLAS_WORKSPACE_CONFIG: sizes in KiB, each with a number of blocks."""
_VERSION = re.compile(r"[0-9]+(\.[0-9]+)+")


def load_strategy(given: str | None, settings: tuple[str, ...] = ()) -> Strategy:
    """The strategy that a command line names: a shipped name, a ``.sym`` file, or ``tp=8,pp=4,…``.

    ``settings`` are the ``NAME=VALUE`` of ``--set``; they win over the file.
    """
    if given is None:
        parsed, name = tree.StrategyFile(None, ()), "strategy"
    else:
        source, name = strategy_source(given)
        parsed = _inline(source) if source.name == INLINE else parse_strategy(source)
    return elaborate_strategy(parsed, name, tuple(_setting(s) for s in settings))


def strategy_of(source: Source, settings: tuple[str, ...] = (), name: str = "strategy") -> Strategy:
    """The strategy of a text; ``settings`` win over it.

    Raises:
        InputError: anything that is wrong with either.
    """
    return elaborate_strategy(parse_strategy(source), name, tuple(_setting(s) for s in settings))


INLINE = "<strategy>"
"""How errors call a strategy that is written on the command line."""


def _inline(source: Source) -> tree.StrategyFile:
    """Choices of the command line.

    Raises:
        InputError: they cannot be read; the hint says what to type where that is clear.
    """
    try:
        return parse_strategy(source, _semicolons(source.text))
    except InputError as problem:
        raise _with_hint(problem, strategy_hint(source.text)) from None


def _with_hint(problem: InputError, hint: str | None) -> InputError:
    if hint is None:
        return problem
    first, *others = problem.diagnostics
    return InputError([replace(first, hint=hint), *others])


def strategy_source(given: str) -> tuple[Source, str]:
    """The text of a strategy that a command line names, and what it is called if it does not say."""
    if given.endswith(".sym"):
        return read_source(Path(given), given), Path(given).stem
    if given.partition(",")[0] in resources.shipped("strategies") and "," in given:
        first, _, rest = given.partition(",")
        hint = f"-s {first} " + " ".join(f"--set {part.strip()}" for part in rest.split(","))
        raise error("E310", "a shipped strategy is changed with --set", hint=hint)
    if "=" in given or " in " in given:
        return Source(INLINE, given), "inline"
    if "/" in given:
        return read_source(Path(given), given), Path(given).stem
    known = resources.shipped("strategies")
    if given not in known:
        raise error("E310", f"no strategy is called '{given}'", hint=_shipped_hint(given, known))
    return read_source(known[given], f"strategies/{given}.sym"), given


def _shipped_hint(given: str, known: Mapping[str, Path]) -> str:
    shown = "'symsim list strategies' shows what is shipped; choices are written tp=8,pp=4,world=128"
    return strategy_hint(given) or file_hint(given) or _near_strategy(given, known) or shown


def _near_strategy(given: str, known: Mapping[str, Path]) -> str | None:
    near = nearest(given, known)
    return near if near is not None and near.startswith("did you mean") else None


def _setting(text: str) -> tree.Assign:
    source = Source("<--set>", text)
    place = Place(source, 1, 1, max(1, len(text)))
    hint = "for example --set tp=8; give --set again for another name"
    if "=" not in text and " in " not in text:
        raise error("E311", "--set takes NAME=VALUE", place, setting_hint(text) or hint)
    try:
        choices = parse_strategy(source).choices
    except InputError as problem:
        raise _with_hint(problem, setting_hint(text)) from None
    if len(choices) != 1 or not isinstance(choices[0], tree.Assign):
        raise error("E311", "--set takes one NAME=VALUE", place, setting_hint(text) or hint)
    return choices[0]


def _semicolons(text: str) -> str:
    """Commas between choices, outside brackets and texts, separate like a newline."""
    depth, out = 0, []
    for part in _TEXT.findall(text):
        depth += (part in "({[") - (part in ")}]")
        out.append(";" if part == "," and depth == 0 else part)
    return "".join(out)


def elaborate_strategy(parsed: tree.StrategyFile, name: str, settings: tuple[tree.Assign, ...] = ()) -> Strategy:
    """Check every choice.

    Raises:
        InputError: unknown names, wrong types, values out of range; all of them at once.
    """
    values: dict[str, Value] = {}
    among: dict[str, tree.Expression] = {}
    overrides: dict[str, Value | tree.Expression] = {}
    places: dict[str, Place] = {}
    unmade: set[str] = set()
    problems: list[InputError] = []
    given = [c for c in parsed.choices if isinstance(c, tree.Assign)]
    for choice in (*given, *settings):
        if choice.name in places and choice not in settings:
            hint = f"first given at {places[choice.name]}"
            problems.append(error("E201", f"'{choice.name}' is given twice", choice.place, hint))
            continue
        places[choice.name] = choice.place
        known = CHOICES.get(choice.name)
        try:
            unmade.discard(choice.name)
            if choice.among:
                _check_set(known, choice.value)
                among[choice.name] = choice.value
                values.pop(choice.name, None)
            elif known is None:
                among.pop(choice.name, None)
                overrides[choice.name] = choice.value
            else:
                refuse_unit(choice.name, choice.value)
                value = document_lengths(choice.value) if known.kind == "lengths" else evaluate(choice.value, Plain({}))
                among.pop(choice.name, None)
                if known.default is None and value == "none":
                    unmade.add(choice.name)
                    del places[choice.name]
                    values.pop(choice.name, None)
                else:
                    values[choice.name] = checked_choice(known, value, choice.value.place)
        except InputError as problem:
            problems.append(problem)
    among_settings = {setting.name for setting in settings}
    counted = (*(c for c in given if c.name not in among_settings), *settings)
    meant = (note for c in counted if c.name == "seq" for note in _binary_meant(c))
    written = (c.text for c in parsed.choices if isinstance(c, tree.NoteItem))
    notes = tuple(dict.fromkeys((*written, *meant)))
    objectives = [c for c in parsed.choices if isinstance(c, tree.Objective)]
    for second in objectives[1:]:
        hint = f"first given at {objectives[0].place}"
        problems.append(error("E201", "a search has one objective", second.place, hint))
    collect(problems)
    header = parsed.header
    objective = objectives[0] if objectives else None
    requires = tuple(c for c in parsed.choices if isinstance(c, tree.Require))
    title = header.title if header and header.title else ""
    named = header.name if header else name
    return Strategy(named, title, values, among, overrides, requires, objective, places, notes, tuple(sorted(unmade)))


def _binary_meant(choice: tree.Assign) -> Iterator[str]:
    """Sequences are powers of two more often than of ten: what ``8k`` is, and how 8,192 is written."""
    for number_ in numbers_in(choice.value):
        text = expression_text(number_)
        digits = text[:-1].rstrip()
        if number_.unit == "" and text[-1] in "kKM" and digits.isdigit():
            prefix = "Ki" if text[-1] in "kK" else "Mi"
            scale = 2**10 if text[-1] in "kK" else 2**20
            yield f"{choice.name} = {text} is {number_.value}; {digits}{prefix} is {int(digits) * scale}"


def _check_set(choice: Choice | None, node: tree.Expression) -> None:
    """Everything about a set that can be said before its model is known."""
    if isinstance(node, tree.Apply):
        check_function(node.function, len(node.arguments), node.place)
    elif choice is not None and (choice.kind not in ("size", "number") or not names_in(node)):
        members(choice, node, {})


def members(choice: Choice | None, node: tree.Expression, known: Mapping[str, Evaluated]) -> tuple[Value | None, ...]:
    """The values of a set, in the order in which they are written; ``None`` is a choice that is not made.

    ``known`` are names that the set may use: dimensions of the model. ``choice`` ``None``: plain numbers.

    Raises:
        InputError: no set, an empty one, or a value that the choice cannot have.
    """
    scope = Plain(known)
    if isinstance(node, tree.SetOf) and choice is not None and choice.kind == "lengths":
        found: list[tuple[Evaluated, Place]] = [(document_lengths(item), item.place) for item in node.items]
    elif isinstance(node, tree.SetOf):
        found = [(evaluate(item, scope), item.place) for item in node.items]
    else:
        whole = evaluate(node, scope)
        if not isinstance(whole, frozenset):
            raise error("E207", f"expected a set after 'in', not {describe(whole)}", node.place, SET_HINT)
        numbers = all(isinstance(v, int | Fraction) and not isinstance(v, bool) for v in whole)
        found = [(value, node.place) for value in (sorted(whole) if numbers else sorted(whole, key=str))]
    if not found:
        raise error("E370", "a set to search has at least one value", node.place, SET_HINT)
    return tuple(dict.fromkeys(_member(choice, value, place) for value, place in found))


def _member(choice: Choice | None, value: Evaluated, place: Place) -> Value | None:
    if choice is None:
        return number(value, place, Plain({}))  # type: ignore[no-any-return]
    if choice.default is None and value == "none":
        return None
    return checked_choice(choice, value, place)


def checked_choice(choice: Choice, value: Evaluated, place: Place) -> Value:
    """The value of a choice, if it is one that the choice may have.

    Raises:
        InputError: another kind, an unknown word, or a number out of range.
    """
    match choice.kind:
        case "size":
            return _size(choice, value, place)
        case "number":
            amount = _number(choice, value, place, "a number")
            if not 0 < amount <= MAX_SIZE:
                hint = f"for example {choice.name} = 1.25"
                raise error("E312", f"'{choice.name}' must be positive, not {describe(amount)}", place, hint)
            if choice.name == "moe_imbalance" and amount < 1:
                message = f"'moe_imbalance' must be at least 1, not {describe(amount)}"
                raise error("E312", message, place, "the busiest expert has no fewer tokens than the mean: 1.25")
            if choice.name == "packing_fill" and amount > 1:
                message = f"'packing_fill' must be at most 1, not {describe(amount)}"
                raise error("E312", message, place, "a share of each sequence: 0.98")
            return amount  # type: ignore[no-any-return]
        case "flag":
            if not isinstance(value, bool):
                hint = f"write {choice.name} = true or {choice.name} = false"
                raise error("E207", f"'{choice.name}' is true or false, not {describe(value)}", place, hint)
            return value
        case "regions":
            return _regions(choice, value, place)
        case "lengths":
            return str(value)
        case "text":
            return _text(choice, value, place)
    word = int(value) if choice.name == "zero" and isinstance(value, int) and not isinstance(value, bool) else value
    if choice.words and str(word) not in choice.words:
        one_of = other_word(choice.name, str(word)) or nearest(str(word), choice.words)
        raise error("E313", f"'{choice.name}' cannot be {describe(value)}", place, one_of)
    if not isinstance(word, str) and choice.name != "zero":
        hint = f"for example {choice.name} = {choice.default}"
        raise error("E207", f"'{choice.name}' is a word, not {describe(value)}", place, hint)
    return int(word) if choice.name == "zero" else str(word)


def _number(choice: Choice, value: Evaluated, place: Place, wanted: str) -> Evaluated:
    if isinstance(value, str | bool | frozenset):
        what = f"the word '{value}'" if isinstance(value, Word) else describe(value)
        hint = f"for example {choice.name} = 8"
        if isinstance(value, frozenset):
            hint = f"to search among values write: {choice.name} in {{1, 2, 4}}"
        raise error("E207", f"'{choice.name}' is {wanted}, not {what}", place, hint)
    return number(value, place, Plain({}))


def _size(choice: Choice, value: Evaluated, place: Place) -> int:
    amount = _number(choice, value, place, "a whole number")
    hint = f"for example {choice.name} = 8"
    if not isinstance(amount, int):
        raise error("E312", f"'{choice.name}' must be a whole number, not {describe(amount)}", place, hint)
    most = largest(choice.name)
    if not 1 <= amount <= most:
        wanted = "at least 1" if amount < 1 else f"at most {most:,}"
        raise error("E312", f"'{choice.name}' must be {wanted}, not {amount:,}", place, hint)
    return amount


def _regions(choice: Choice, value: Evaluated, place: Place) -> Value:
    words = choice.words or ("none", "full")
    hint = ", ".join(f"{choice.name} = {word}" for word in words)
    hint = f"write {hint}, or {choice.name} = {{{EXAMPLES.get(choice.name, 'core_attn, mlp')}}}"
    if isinstance(value, frozenset):
        names = frozenset(str(v) for v in value)
        if not all(isinstance(v, str) for v in value):
            raise error("E207", f"'{choice.name}' is a set of {_what_it_names(choice)}", place, hint)
        if not names and "none" not in words:
            raise error("E207", f"'{choice.name}' names nothing", place, hint)
        return names if names else "none"
    if not isinstance(value, str):
        wanted = f"{', '.join(words)} or a set of {_what_it_names(choice)}"
        message = f"'{choice.name}' is {wanted}, not {describe(value)}"
        raise error("E207", message, place, hint)
    return str(value) if value in words else frozenset({str(value)})


EXAMPLES = {"trainable": "attention, head", "lora_targets": "qkv, output"}
"""Names that a hint about a choice gives, where they are not regions that are recomputed."""


def _what_it_names(choice: Choice) -> str:
    return "names of regions or operators" if choice.name in EXAMPLES else "region names"


def _text(choice: Choice, value: Evaluated, place: Place) -> str:
    if not isinstance(value, str) or (choice.name.endswith("_version") and not _VERSION.fullmatch(value)):
        # As a number 2.10 would be 2.1, which is an older version.
        hint = (
            "write all parts of the version: 2.8.0" if choice.name.endswith("_version") else "a text has double quotes"
        )
        raise error("E313", f"'{choice.name}' cannot be {describe(value)}", place, hint)
    if choice.name == "cublas_workspace" and not _WORKSPACE.fullmatch(value):
        hint = "pairs of KiB and blocks, as the environment has them: :4096:8 or :4096:2:16:8"
        raise error("E313", f"'{choice.name}' cannot be {describe(value)}", place, hint)
    if choice.name == "layout":
        parse_layout(str(value), Place(place.source, place.line, place.column + 1))
    return str(value)


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
        elif name in figures or "." in name or name in OF_MACHINE:
            system[name] = node
        else:
            hint = other_name(name) or nearest(name, [*CHOICES, *dimensions, *figures, *OF_MACHINE])
            hint = hint or "docs/strategy.md lists the names of strategies; names of figures have a point"
            message = f"'{name}' is not a name of a strategy, of this model or of a machine"
            problems.append(error("E314", message, strategy.places[name], hint))
    collect(problems)
    return model, system
