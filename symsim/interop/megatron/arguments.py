"""The arguments of a run, whatever kind of file they stand in: name of the parser → value, with places."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from symsim.diagnostics import Diagnostic, InputError, Place, Source, error, nearest
from symsim.interop.json_text import Object
from symsim.interop.megatron.argument_table import arguments, by_name
from symsim.interop.megatron.values import value_of
from symsim.interop.shell_text import Word

ENVIRONMENT = "env"
"""The key that holds variables of the environment."""
PEFT = "peft"
"""The key that holds what Megatron-Bridge says of adapters."""


@dataclass(slots=True)
class Arguments:
    """``keys``: what is given, by the parser's names, and under ``env`` variables of the environment."""

    source: Source
    keys: Object = field(default_factory=Object)
    remarks: list[str] = field(default_factory=list)
    problems: list[Diagnostic] = field(default_factory=list)

    def give(self, flag: str, texts: Sequence[str], place: Place, lenient: bool) -> None:
        """One argument by its switch; the last of several counts, as argparse has it."""
        argument = arguments().get(flag)
        if argument is None:
            self._unknown(flag, place, lenient)
            return
        if argument.sets is not None:
            value: Any = argument.sets
        elif argument.both:
            value = not flag.startswith("--no-") if not texts else value_of(argument, texts, place)
        else:
            try:
                value = value_of(argument, texts, place)
            except InputError as problem:
                self.problems += problem.diagnostics
                return
        self.put(argument.name, value, place)

    def put(self, name: str, value: Any, place: Place) -> None:
        self.keys[name] = value
        self.keys.places[name] = place

    def environment(self, variables: Mapping[str, Any], place: Place) -> None:
        """Variables of the environment, as texts."""
        inside = Object()
        for name, value in variables.items():
            inside[name] = str(value)
            inside.places[name] = place
        if inside:
            self.put(ENVIRONMENT, inside, place)

    def _unknown(self, flag: str, place: Place, lenient: bool) -> None:
        if lenient:
            self.remarks.append(f"{flag} is no argument that is known, and left out")
            return
        hint = nearest(flag, arguments()) or "--lenient leaves it out and says so"
        self.problems += error("E522", f"unknown argument '{flag[:60]}'", place, hint).diagnostics

    def checked(self) -> Arguments:
        """These arguments.

        Raises:
            InputError: everything that is wrong with them.
        """
        if self.problems:
            raise InputError(dict.fromkeys(self.problems))
        return self


def of_words(words: Iterable[Word], out: Arguments, lenient: bool) -> None:
    """Switches and their values, as argparse takes them from a command line."""
    flag: Word | None = None
    values: list[Word] = []

    def finish() -> None:
        if flag is not None:
            name, _, joined = flag.text.partition("=")
            texts = [joined, *(v.text for v in values)] if joined else [v.text for v in values]
            place = values[0].place if values and name in arguments() else flag.place
            out.give(name, texts, place, lenient)

    for word in words:
        if word.text.startswith("--") and len(word.text) > 2:
            finish()
            flag, values = word, []
        elif flag is not None:
            values.append(word)
    finish()


def of_mapping(given: Object, out: Arguments, lenient: bool) -> None:
    """Keys of a YAML or JSON: switches (``--num-layers: 8``) or names (``num_layers: 8``).

    A switch that is false or null is not given, as the runner of Megatron-LM's functional tests has it.
    """
    for key, value in given.items():
        place = given.places[key]
        if key.startswith("--"):
            argument = arguments().get(key)
            if argument is not None and argument.sets is not None and not isinstance(value, bool | None):
                message = f"{key} is a switch, not '{str(value)[:40]}'"
                out.problems += error("E509", message, place, f"{key}: true, or leave it out").diagnostics
            elif value is not False and value is not None:
                out.give(key, _texts(value, argument is not None and argument.many), place, lenient)
        else:
            give_named(key, value, place, out, lenient)


def give_named(key: str, value: Any, place: Place, out: Arguments, lenient: bool) -> None:
    """One argument by the parser's name for it, with a value as a YAML has it."""
    argument = by_name().get(key.replace("-", "_"))
    if argument is None:
        near = nearest(key, by_name()) or "--lenient leaves it out and says so"
        if lenient:
            out.remarks.append(f"{key} is no argument that is known, and left out")
        else:
            out.problems += error("E522", f"unknown argument '{key[:60]}'", place, near).diagnostics
        return
    if isinstance(value, bool) or value is None:
        out.put(argument.name, value, place)
        return
    if isinstance(value, list) and argument.type in ("pattern", "list") and all(type(v) is int for v in value):
        out.put(argument.name, list(value), place)
        return
    try:
        out.put(argument.name, value_of(argument, _texts(value, argument.many), place), place)
    except InputError as problem:
        out.problems += problem.diagnostics


def _texts(value: Any, many: bool = False) -> list[str]:
    """A value of a YAML as the words that a command line would have; ``[a b c]`` is a list without commas."""
    if value is True:
        return []
    if isinstance(value, list | tuple):
        return [text for part in value for text in _texts(part, many)]
    text = str(value)
    if many:
        return text.strip("[] ").replace(",", " ").split()
    if text.startswith("[") and text.endswith("]") and not any(c in text for c in "+*("):
        return text[1:-1].replace(",", " ").split()
    return [text]
