"""One file of another tool while it is read: the value of each key, and where it stands."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Any

from symsim.diagnostics import InputError, Place, Source, error
from symsim.interop.json_text import Object
from symsim.interop.model_text import printable
from symsim.interop.rules.key_facts import KeyFacts


class Reading:
    """The keys of one file over the defaults of its tool.

    ``outer`` is the object that it is nested in, if any; ``refused_by`` says in words whose refusal a ``refuse`` is,
    ``kind_of_file`` what tells rules apart, and ``instead`` what to do where a file cannot be expressed. ``asked``
    collects the keys that rules used. A key inside an object is named with points: ``zero_optimization.stage``.
    """

    def __init__(
        self,
        config: Mapping[str, object],
        source: Source,
        facts: KeyFacts,
        outer: Mapping[str, object] | None = None,
        refused_by: str = "the tool itself refuses this file",
        kind_of_file: str = "file",
        instead: str = "write the model as a .sym file instead",
    ) -> None:
        self.config = config
        self.source = source
        self.facts = facts
        self.outer = outer or {}
        self.refused_by = refused_by
        self.kind_of_file = kind_of_file
        self.instead = instead
        self.asked: set[str] = set()

    def value(self, name: str) -> Any:
        """The value of a key, or of a key inside an object: ``rope_parameters.rope_type``; null where there is none.

        Raises:
            InputError: two names of one key have two values.
        """
        key, *path = name.split(".")
        self.asked.add(key)
        given = self.written(key)
        value: object = self.config[given] if given is not None else self._default(key)
        return _plain(_inside(value, path), given or key, self.place(given or key))

    def part(self, whole: object, path: str) -> Any:
        """What is inside an object that a list holds: ``attention.n_heads_in_group``; null where there is none."""
        return _plain(_inside(whole, path.split(".")), path, Place(self.source, 1, 1))

    def in_layer(self, name: str, layer: int) -> Any:
        """The value that ``per_layer_config`` gives a key in one layer, else that of the key.

        Layers are numbers in words there, with zeros before them or not.
        """
        by_layer = self.value("per_layer_config")
        for number, keys in by_layer.items() if isinstance(by_layer, Mapping) else ():
            if number.isdecimal() and int(number) == layer and isinstance(keys, Mapping) and name in keys:
                return _plain(keys[name], name, self.place("per_layer_config"))
        return self.value(name)

    def given(self, name: str) -> bool:
        """Whether the file has the key."""
        key, *path = name.split(".")
        written = self.written(key)
        if written is None or not path:
            return written is not None
        holder = _inside(self.config[written], path[:-1])
        return isinstance(holder, Mapping) and path[-1] in holder

    def written(self, key: str) -> str | None:
        """The name under which the file has a key of the class; a value is preferred to null.

        Raises:
            InputError: it has two, with different values.
        """
        names = [n for n in self.facts.names(key) if n in self.config]
        told = [n for n in names if self.config[n] is not None] or names
        for other in told[1:]:
            if self.config[other] != self.config[told[0]]:
                message = f"'{told[0]}' and '{other}' are one key, with two values here"
                raise error("E511", message, self.place(other), "one of the two keys is wrong")
        return told[0] if told else None

    def is_default(self, key: str) -> bool:
        """Whether the file has what the class gives anyway."""
        return bool(self.config[key] == self.facts.defaults.get(self.facts.own_name(key)))

    def _default(self, key: str) -> object:
        default: object = self.facts.defaults.get(self.facts.own_name(key))
        return default

    def place(self, key: str) -> Place:
        """Where the key stands, one inside an object too (``optimizer.zero_stage``), or the beginning of the text."""
        for config in (self.config, self.outer):
            if isinstance(config, Object) and key in config.places:
                return config.places[key]
        first, _, path = key.partition(".")
        return _inner_place(self.config, first, path) or Place(self.source, 1, 1)

    def place_of(self, keys: Iterable[str]) -> Place:
        """Where the first of some keys stands that the file has."""
        parts = ((self.written(first), point + path) for first, point, path in (k.partition(".") for k in keys))
        start = Place(self.source, 1, 1)
        return next((place for n, path in parts if n is not None and (place := self.place(n + path)) != start), start)

    def conflict(self, keys: Iterable[str], message: str, hint: str | None = None) -> InputError:
        return error("E511", message, self.place_of(keys), hint or "one of the two keys is wrong")

    def inexpressible(self, keys: Iterable[str], message: str, hint: str | None = None) -> InputError:
        return error("E512", message, self.place_of(keys), hint or self.instead)


def _inner_place(config: object, key: str, path: str) -> Place | None:
    """The place of a key inside an object; of the innermost one that is there where it is not."""
    if not isinstance(config, Object) or key not in config.places:
        return None
    first, _, rest = path.partition(".")
    return (_inner_place(config[key], first, rest) if path else None) or config.places[key]


def _inside(value: object, path: Iterable[str]) -> object:
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _plain(value: object, key: str, place: Place) -> Any:
    """A value of JSON as rules compute with it: lists as tuples, fractions exact."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise error("E509", f"'{key}' must be a whole number, not {value}", place, "write it as 8")
        return Fraction(repr(value))
    if isinstance(value, list | tuple):
        return tuple(_plain(v, key, place) for v in value)
    return value


def spoken(value: object) -> str:
    """What a value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return f"the text '{printable(value, 40)}'"
        case list() | tuple():
            return "a list"
        case dict():
            return "an object"
        case Fraction():
            return f"{float(value):g}"
    return f"{value}"
