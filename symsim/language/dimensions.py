"""The dimensions of a model: what was given and what the family's defaults say, each checked and settled once.

A dimension that is written ``name[]`` may differ between layers: by a list, or by an expression in ``layer``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from fractions import Fraction

from symsim.diagnostics import MAX_SHOWN, InputError, Place, error, nearest
from symsim.language import tree
from symsim.language.closed_words import never
from symsim.language.expressions import Plain, Value, Word, collect, describe, evaluate, names_in, refuse_unit
from symsim.language.library import Library
from symsim.records.model import One
from symsim.records.model import Value as Dimension

MAX_DIMENSION = 10**12
MAX_LISTED = 1024
"""Most layers of a model whose layers differ by a dimension: each has its own value."""


def settle(
    family: tree.FamilyItem,
    arguments: Mapping[str, tree.Argument],
    place: Place,
    words: Mapping[str, tuple[str, ...]],
) -> Mapping[str, Dimension]:
    parameters = {p.name: p for p in family.parameters}
    problems: list[InputError] = []
    meant: set[str] = set()
    for name, argument in list(arguments.items()):
        if name not in parameters and len(problems) < MAX_SHOWN:
            hint = nearest(name, parameters) or f"its dimensions are {', '.join(parameters)}"
            meant.add(hint.removeprefix("did you mean '").removesuffix("'?"))
            message = f"family '{family.name}' has no dimension '{name}'"
            problems.append(error("E215", message, replace(argument.place, width=len(name)), hint))
    missing = [p.name for p in family.parameters if p.default is None and p.name not in arguments]
    wanted = [n for n in missing if n not in meant]
    if wanted:
        message = f"family '{family.name}' needs {', '.join(wanted)}"
        problems.append(error("E216", message, place, "add " + ", ".join(f"{n} = …" for n in wanted)))
    scope = _Dimensions(parameters, arguments, place, words)
    for name in parameters:
        if scope.depends_on(missing, name):
            continue
        try:
            scope.lookup(name)
        except InputError as problem:
            problems.append(problem)
    collect(problems)
    return {name: scope.values[name] for name in parameters}


LAYER = "layer"
"""What the values of a dimension that differs between layers may use: the number of the layer, from 0 on."""


def _first(default: tree.Expression | None) -> tree.Expression | None:
    """The value that tells what a dimension is: the first that a default may have."""
    while isinstance(default, tree.Choose | tree.ListOf):
        default = default.then if isinstance(default, tree.Choose) else default.items[0].value
    return default


def _kind(parameters: Mapping[str, tree.Parameter], name: str) -> tuple[str, int]:
    """``flag``, ``word`` or ``size``, and the least size, by the default (of the dimension that it names)."""
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        default = _first(parameters[name].default)
        if isinstance(default, tree.Name) and default.name in parameters:
            name = default.name
        elif isinstance(default, tree.Name):
            return ("flag" if default.name in ("true", "false") else "word"), 1
        elif isinstance(default, tree.Number):
            return "size", int(default.value != 0)
    return "size", 1


def dimension_kind(family: tree.FamilyItem, name: str) -> tuple[str, int]:
    """What a dimension is: ``flag``, ``word`` or ``size``, and the least that a size may be."""
    return _kind({p.name: p for p in family.parameters}, name)


def needed_arguments(family: tree.FamilyItem, given: Mapping[str, Dimension], library: Library) -> dict[str, Dimension]:
    """What of ``given`` a call of the family has to say, in the family's order; the rest follows anyway.

    Raises:
        InputError: the family has no such dimensions, or they cannot have these values.
    """
    arguments = {
        p.name: tree.Argument(p.name, _node(given[p.name], p.place), p.place)
        for p in family.parameters
        if p.name in given
    }
    whole = settle(family, arguments, family.place, library.words)
    optional = {p.name for p in family.parameters if p.default is not None}
    for name in [n for n in reversed(arguments) if n in optional]:
        fewer = {n: a for n, a in arguments.items() if n != name}
        try:
            if settle(family, fewer, family.place, library.words) == whole:
                arguments = fewer
        except InputError:
            continue
    return {n: given[n] for n in arguments}


def _node(value: Dimension, place: Place) -> tree.Expression:
    """The expression that has a value."""
    if isinstance(value, tuple):
        return tree.ListOf(tuple(tree.Repeated(1, _node(v, place), place) for v in value), place)
    if isinstance(value, bool | str):
        return tree.Name(str(value).lower() if isinstance(value, bool) else value, place)
    return tree.Number(value, place)


def _typed(value: One) -> tuple[str, One]:
    """``true`` and 1 are equal to Python."""
    return type(value).__name__, value


class _Dimensions(Plain):
    """Dimensions settled on demand, so that a default may use any other dimension."""

    def __init__(
        self,
        parameters: Mapping[str, tree.Parameter],
        arguments: Mapping[str, tree.Argument],
        place: Place,
        words: Mapping[str, tuple[str, ...]],
    ) -> None:
        self.values: dict[str, Value] = {}
        self._parameters = parameters
        self._arguments = arguments
        self._place = place
        self._words = words
        self._pending: list[str] = []
        self._failed: dict[str, InputError] = {}
        self._layer: int | None = None

    def names(self) -> list[str]:
        return list(self._parameters)

    def node(self, name: str) -> tree.Expression | None:
        """What was written for a dimension, or its default."""
        given = self._arguments.get(name)
        return self._parameters[name].default if given is None else given.value

    def depends_on(self, missing: Collection[str], name: str) -> bool:
        """Whether a dimension has no value because another one, reported already, has none."""
        pending, seen = [name], set[str]()
        while pending:
            current = pending.pop()
            if current in missing:
                return True
            node = self.node(current) if current not in seen and current in self._parameters else None
            seen.add(current)
            pending += names_in(node) if node is not None else ()
        return False

    def lookup(self, name: str) -> Value | None:
        """Raises the one error of a dimension each time that it is asked for."""
        if name == LAYER and self._layer is not None:
            return self._layer
        if name in self.values or name not in self._parameters:
            return self._here(name)
        if name in self._failed:
            raise self._failed[name]
        node = self.node(name)
        assert node is not None
        if name in self._pending:
            circle = self._pending[self._pending.index(name) :]
            hint = f"the circle is {' → '.join([*circle, name])}"
            problem = error("E212", f"dimension '{name}' is defined by itself", self._blame(name), hint)
            self._failed |= dict.fromkeys(circle, problem)
            raise problem
        self._pending.append(name)
        try:
            refuse_unit(name, node)
            self.values[name] = (
                self._by_layer(name, node) if self._parameters[name].bracketed else self._one(name, node)
            )
        except InputError as problem:
            self._failed.setdefault(name, problem)
            raise self._failed[name] from None
        finally:
            self._pending.pop()
        return self._here(name)

    def _here(self, name: str) -> Value | None:
        """The value of a dimension in the layer whose values are being settled, if one is."""
        value = self.values.get(name)
        return value[self._layer] if isinstance(value, tuple) and self._layer is not None else value

    def _one(self, name: str, node: tree.Expression) -> One:
        outside, self._layer = self._layer, None
        try:
            return self._checked(name, evaluate(node, self), node.place)
        finally:
            self._layer = outside

    def _by_layer(self, name: str, node: tree.Expression) -> Dimension:
        """One value, or where layers differ one for each.

        A list begins again after its last value. Any other expression is evaluated for each layer if it uses
        ``layer``, or a dimension that differs between layers.
        """
        listed = [(i.value, i.times) for i in node.items] if isinstance(node, tree.ListOf) else [(node, 1)]
        outside, self._layer = self._layer, None
        try:
            differing = any(n == LAYER or isinstance(self.lookup(n), tuple) for n in names_in(node))
            if not differing:
                values = [
                    self._checked(name, evaluate(item, self), item.place)
                    for item, times in listed
                    for _ in range(times)
                ]
                if len(set(map(_typed, values))) == 1:
                    return values[0]
                layers = self._differing_layers(name, node.place)
                return tuple(values[k % len(values)] for k in range(layers))
            nodes = [item for item, times in listed for _ in range(times)]
            found: list[One] = []
            for k in range(self._differing_layers(name, node.place)):
                self._layer = k
                item = nodes[k % len(nodes)]
                found.append(self._checked(name, evaluate(item, self), item.place))
            return found[0] if len(set(map(_typed, found))) == 1 else tuple(found)
        finally:
            self._layer = outside

    def _differing_layers(self, name: str, place: Place) -> int:
        """How many layers a model has whose layers differ.

        Raises:
            InputError: E254, too many, or the family has no dimension ``layers``.
        """
        layers = self.lookup("layers")
        if not isinstance(layers, int):
            message = f"'{name}' has a value for each layer, and the family has no dimension 'layers'"
            raise error("E254", message, place, "add layers to its dimensions")
        if layers > MAX_LISTED:
            message = f"the {layers:,} layers differ by '{name}'"
            raise error("E254", message, place, f"at most {MAX_LISTED:,} layers may differ")
        return layers

    def _blame(self, name: str) -> Place:
        """Where a dimension can be changed: its value, what overrides its default, or the call of the family."""
        if name in self._arguments:
            return self._arguments[name].value.place
        default = self._parameters[name].default
        used = [self._arguments[n].value.place for n in names_in(default) if n in self._arguments] if default else []
        return next((place for place in used if place.source != self._place.source), self._place)

    def _checked(self, name: str, value: Value, place: Place) -> One:
        """A checked dimension: a size is whole and positive; 0 is allowed where the default is 0."""
        kind, least = _kind(self._parameters, name)
        if kind == "word" and isinstance(value, str):
            return self._word(name, value, place)
        if kind == "flag" and isinstance(value, bool):
            return value
        if isinstance(value, Word):
            names = [*self.names(), "true", "false"] if kind == "flag" else self.names()
            expected = "write true or false" if kind == "flag" else f"'{name}' is a number, such as {name} = 64"
            near = nearest(value, names)
            hint = near if near is not None and near.startswith("did you mean") else expected
            raise error("E203", f"unknown name '{value}'", value.place, hint)
        if kind != "size" or not isinstance(value, int | Fraction) or isinstance(value, bool):
            expected = {"flag": "true or false", "word": "a word", "size": "a size"}[kind]
            default = self._parameters[name].default
            example = default.name if isinstance(default, tree.Name) else "64"
            raise error(
                "E207", f"'{name}' is {expected}, not {describe(value)}", place, f"for example {name} = {example}"
            )
        if not isinstance(value, int):
            raise self._not_whole(name, value)
        if not least <= value <= MAX_DIMENSION:
            wanted = f"at least {least}" if value < least else f"at most {MAX_DIMENSION:,}"
            raise error("E218", f"'{name}' must be {wanted}, not {value:,}", self._blame(name), self._origin(name))
        return value

    def _word(self, name: str, word: str, place: Place) -> str:
        """A word that the dimension may be, or that the dimension which is its default may be."""
        declared = name
        while declared not in self._words:
            default = _first(self._parameters[declared].default)
            if not isinstance(default, tree.Name) or default.name not in self._parameters:
                message = f"'{name}' is a word, and nothing says which words it may be"
                place = self._parameters[name].place
                raise error("E253", message, place, f"write before the family: words {declared} {{ {word}, … }}")
            declared = default.name
        if word not in self._words[declared]:
            raise never(name, word, self._words[declared], place)
        return str(word)

    def _not_whole(self, name: str, value: Fraction) -> InputError:
        message = f"'{name}' must be a whole number, not {describe(value)}"
        return error("E217", message, self._blame(name), self._origin(name))

    def _origin(self, name: str) -> str:
        """How a dimension came to its value: what can be changed."""
        node = self.node(name)
        used = {n: self.values[n] for n in sorted(names_in(node)) if n in self.values} if node is not None else {}
        if not used:
            return f"for example {name} = 64"
        given = ", ".join(f"{n} = {value}" for n, value in used.items())
        return f"it follows from {given}; change these, or give {name} itself"
