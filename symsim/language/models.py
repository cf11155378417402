"""Elaborate a model: its family, and a checked value for every dimension."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path

from symsim import resources
from symsim.diagnostics import InputError, Place, Source, error, nearest
from symsim.language import tree
from symsim.language.expressions import Plain, Value, Word, collect, describe, evaluate
from symsim.language.library import Library, library_of, read_source
from symsim.language.parser import parse_model
from symsim.records.model import Model
from symsim.records.model import Value as Dimension

MAX_DIMENSION = 10**12


def model_source(given: str) -> Source:
    """The text behind what a command line names: a shipped name, a ``.sym`` file, or an inline call."""
    if "(" in given:
        return Source("<model>", f"model inline = {given}")
    if given.endswith(".sym") or "/" in given:
        return read_source(Path(given))
    known = resources.shipped("models")
    if given not in known:
        hint = nearest(given, known) or "'symsim list models' shows what is shipped"
        raise error("E210", f"no model is called '{given}'", hint=hint)
    return read_source(known[given], f"models/{given}.sym")


def elaborate_model(source: Source, overrides: Mapping[str, tree.Expression] | None = None) -> Model:
    """The one model of a text (or, of several, the first)."""
    items = parse_model(source)
    library = library_of(items)
    models = [i for i in items if isinstance(i, tree.ModelItem)]
    if not models:
        place = items[0].place if items else None
        raise error("E211", f"{source.name} defines no model", place, "a model is written: model NAME = FAMILY(…)")
    model = models[0]
    own = source if len(items) > len(models) else None
    return elaborate_call(model.name, model.title or model.name, model.call, library, overrides or {}, own)


def elaborate_call(
    name: str,
    title: str,
    call: tree.Call,
    library: Library,
    overrides: Mapping[str, tree.Expression],
    own: Source | None,
) -> Model:
    """Follow ``model a = b(…)`` down to a family, then settle every dimension.

    Raises:
        InputError: unknown family or dimension, a wrong type or value, a cyclic definition.
    """
    arguments: dict[str, tree.Expression] = dict(overrides)
    seen: list[str] = []
    while call.callee not in library.families:
        if call.callee in seen:
            raise error("E212", f"model '{call.callee}' is defined by itself", call.place)
        seen.append(call.callee)
        target = library.models.get(call.callee)
        if target is None and call.callee in resources.shipped("models"):
            path = resources.shipped("models")[call.callee]
            found = parse_model(read_source(path, f"models/{call.callee}.sym"))
            target = next((i for i in found if isinstance(i, tree.ModelItem)), None)
        if target is None:
            hint = nearest(call.callee, [*library.families, *library.models, *resources.shipped("models")])
            raise error("E213", f"no family or model is called '{call.callee}'", call.place, hint)
        _take(call, arguments, parameters=None)
        call = target.call
    family = library.families[call.callee]
    _take(call, arguments, tuple(p.name for p in family.parameters))
    dimensions = _settle(family, arguments, call.place)
    return Model(name, title, family.name, dimensions, own)


def _take(call: tree.Call, arguments: dict[str, tree.Expression], parameters: tuple[str, ...] | None) -> None:
    """Add a call's arguments; what stands outside (an override, an outer model) wins."""
    for position, argument in enumerate(call.arguments):
        keyword = argument.keyword
        if keyword is None:
            if parameters is None or position >= len(parameters):
                raise error("E214", "give this dimension by name: name = value", argument.place)
            keyword = parameters[position]
        arguments.setdefault(keyword, argument.value)


def _settle(family: tree.FamilyItem, arguments: Mapping[str, tree.Expression], place: Place) -> Mapping[str, Dimension]:
    parameters = {p.name: p for p in family.parameters}
    problems: list[InputError] = []
    for name, value in arguments.items():
        if name not in parameters:
            message = f"family '{family.name}' has no dimension '{name}'"
            problems.append(error("E215", message, value.place, nearest(name, parameters)))
    scope = _Dimensions(parameters, arguments)
    missing = [p.name for p in family.parameters if p.default is None and p.name not in arguments]
    if missing:
        problems.append(error("E216", f"family '{family.name}' needs {', '.join(missing)}", place))
    for parameter in family.parameters:
        if parameter.name in missing:
            continue
        try:
            scope.lookup(parameter.name)
        except InputError as problem:
            if not any(d in p.diagnostics for p in problems for d in problem.diagnostics):
                problems.append(problem)
    collect(problems)
    return {name: scope.values[name] for name in parameters}


class _Dimensions(Plain):
    """Dimensions settled on demand, so that a default may use any other dimension."""

    def __init__(self, parameters: Mapping[str, tree.Parameter], arguments: Mapping[str, tree.Expression]) -> None:
        self.values: dict[str, Value] = {}
        self._parameters = parameters
        self._arguments = arguments
        self._pending: list[str] = []

    def names(self) -> list[str]:
        return list(self._parameters)

    def lookup(self, name: str) -> Value | None:
        if name in self.values or name not in self._parameters:
            return self.values.get(name)
        parameter = self._parameters[name]
        node = self._arguments.get(name, parameter.default)
        if node is None:
            raise error("E216", f"dimension '{name}' has no value", parameter.place)
        if name in self._pending:
            cycle = " → ".join([*self._pending[self._pending.index(name) :], name])
            raise error("E212", f"dimension '{name}' is defined by itself", node.place, f"the circle is {cycle}")
        self._pending.append(name)
        self.values[name] = _dimension(name, evaluate(node, self), node, parameter, self)
        self._pending.pop()
        return self.values[name]


def _dimension(name: str, value: Value, node: tree.Expression, parameter: tree.Parameter, scope: Plain) -> Dimension:
    """A checked dimension: a size is whole and positive; 0 is allowed where the default is 0."""
    place = node.place
    default = parameter.default
    is_flag = isinstance(default, tree.Name) and default.name in ("true", "false")
    is_word = isinstance(default, tree.Name) and not is_flag and default.name not in scope.names()
    if isinstance(value, Word):
        if is_word:
            return str(value)
        raise error("E203", f"unknown name '{value}'", value.place, nearest(value, [*scope.names(), "true", "false"]))
    if isinstance(value, str) and is_word:
        return value
    if isinstance(value, bool):
        if is_flag or (isinstance(default, tree.Name) and not is_word):
            return value
        raise error("E207", f"'{name}' is a {'word' if is_word else 'size'}, not a flag", place)
    if is_flag or is_word:
        expected = "true or false" if is_flag else "a word"
        raise error("E207", f"'{name}' is {expected}, not {describe(value)}", place)
    if not isinstance(value, int | Fraction):
        raise error("E207", f"'{name}' is a size, not {describe(value)}", place)
    if not isinstance(value, int):
        raise error("E217", f"'{name}' must be a whole number, not {value}", place)
    least = 0 if isinstance(default, tree.Number) and default.value == 0 else 1
    if not least <= value <= MAX_DIMENSION:
        wanted = f"at least {least}" if value < least else f"at most {MAX_DIMENSION:,}"
        raise error("E218", f"'{name}' must be {wanted}, not {value}", place)
    return value
