"""Elaborate a model: its family, and a checked value for every dimension."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from symsim import resources
from symsim.diagnostics import InputError, Place, Source, error
from symsim.language import tree
from symsim.language.dimensions import settle
from symsim.language.expressions import collect
from symsim.language.library import RESERVED, Library, library_of
from symsim.language.near_names import near_names
from symsim.language.parser import parse_model
from symsim.language.source_files import file_hint, read_source
from symsim.records.model import Model

NEEDED = ("vocab",)
"""Dimensions that formulas of every model use."""


def model_source(given: str) -> Source:
    """The text behind what a command line names: a shipped name, a ``.sym`` file, or an inline call."""
    if "(" in given and not given.endswith(".sym"):
        return Source("<model>", f"model inline = {given}")
    if _is_folder(given) and given not in resources.shipped("models"):
        raise error("E100", f"'{given}' is a folder without a config.json", hint="give the path of a .sym file in it")
    if given.endswith(".sym") or ("/" in given and not _is_hugging_face_name(given)):
        return read_source(Path(given), given)
    known = resources.shipped("models")
    if given not in known:
        raise error("E210", f"no model is called '{given}'", hint=file_hint(given) or _model_hint(given, known))
    return read_source(known[given], f"models/{given}.sym")


def _is_folder(given: str) -> bool:
    try:
        return bool(given) and Path(given).is_dir()
    except (OSError, ValueError):
        return False


_HUGGING_FACE_NAME = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")


def _is_hugging_face_name(given: str) -> bool:
    """``organisation/name``, where no file has that path."""
    return _HUGGING_FACE_NAME.fullmatch(given) is not None and not Path(given).exists()


def _model_hint(given: str, known: Mapping[str, Path]) -> str:
    """The model that was meant; else how to give one that is not shipped."""
    near = near_names(given.rpartition("/")[2], known)
    if _is_hugging_face_name(given):
        own = "symsim downloads nothing: give the path of the model's config.json"
        return f"{meant} Else: {own}" if (meant := near.hint()) else own
    other = f"; '{near.other}' is another model" if near.other is not None else ""
    own = "give the path of a Hugging Face config.json or of a .sym file; 'symsim list models' shows what is shipped"
    return near.hint() or own + other


def elaborate_model(source: Source, overrides: Mapping[str, tree.Expression] | None = None) -> Model:
    """The one model of a text (or, of several, the first)."""
    items = parse_model(source)
    library = library_of(items)
    models = [i for i in items if isinstance(i, tree.ModelItem)]
    if not models:
        place = items[0].place if items else None
        raise error("E211", f"{source.name} defines no model", place, "a model is written: model NAME = FAMILY(…)")
    model = models[0]
    notes = tuple(i.text for i in items if isinstance(i, tree.NoteItem))
    own = source if len(items) > len(models) + len(notes) else None
    called = elaborate_call(model.name, model.title or model.name, model.call, library, overrides or {}, own)
    return replace(called, notes=notes)


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
    arguments = {n: tree.Argument(n, value, value.place) for n, value in overrides.items()}
    seen: list[str] = []
    while call.callee not in library.families:
        if call.callee in seen:
            raise _circle(seen[seen.index(call.callee) :], library)
        seen.append(call.callee)
        target = library.models.get(call.callee)
        if target is None and call.callee in resources.shipped("models"):
            path = resources.shipped("models")[call.callee]
            found = parse_model(read_source(path, f"models/{call.callee}.sym"))
            target = next((i for i in found if isinstance(i, tree.ModelItem)), None)
        if target is None:
            near = near_names(
                call.callee, [*library.families, *library.models, *resources.shipped("models")], typed=False
            )
            other = f"; '{near.other}' is another architecture" if near.other is not None else ""
            hint = near.hint() or f"'symsim list library' shows the families{other}"
            raise error("E213", f"no family or model is called '{call.callee}'", call.place, hint)
        _take(call, arguments, parameters=None)
        call = target.call
    family = library.families[call.callee]
    _take(call, arguments, tuple(p.name for p in family.parameters))
    _check_names(family, library)
    dimensions = settle(family, arguments, call.place, library.words)
    derived = frozenset(dimensions) - frozenset(arguments)
    return Model(name, title, family.name, dimensions, derived, own)


def _circle(names: list[str], library: Library) -> InputError:
    """One error for a circle of models, wherever it was entered."""
    first = names.index(min(names))
    names = names[first:] + names[:first]
    hint = f"the circle is {' → '.join([*names, names[0]])}"
    return error("E212", f"model '{names[0]}' is defined by itself", library.models[names[0]].call.place, hint)


def _take(call: tree.Call, arguments: dict[str, tree.Argument], parameters: tuple[str, ...] | None) -> None:
    """Add a call's arguments; what stands outside (an override, an outer model) wins."""
    taken: dict[str, Place] = {}
    for position, argument in enumerate(call.arguments):
        keyword = argument.keyword
        if keyword is None:
            if parameters is None or position >= len(parameters):
                hint = "a dimension is given by its name: layers = 32"
                raise error("E214", "it is not clear which dimension this is", argument.place, hint)
            keyword = parameters[position]
        if keyword in taken:
            raise error("E201", f"'{keyword}' is given twice", argument.place, f"first given at {taken[keyword]}")
        taken[keyword] = argument.place
        arguments.setdefault(keyword, argument)


def _check_names(family: tree.FamilyItem, library: Library) -> None:
    """Dimensions share the names of formulas with a strategy's sizes and what the library defines.

    Raises:
        InputError: a dimension is called like one of those, or one that every model has is missing.
    """
    names = {p.name for p in family.parameters}
    problems: list[InputError] = []
    for parameter in family.parameters:
        defined = library.defines.get(parameter.name)
        if parameter.name in RESERVED or "." in parameter.name:
            hint = "strategies and formulas use this name" if parameter.name in RESERVED else "a dimension has no point"
            message = f"'{parameter.name}' cannot be the name of a dimension"
            problems.append(error("E202", message, parameter.place, hint))
        elif defined is not None:
            hint = f"family '{family.name}' has a dimension of this name"
            problems.append(error("E202", f"'{defined.name}' cannot be defined", defined.place, hint))
    for missing in (n for n in NEEDED if n not in names):
        message = f"family '{family.name}' has no dimension '{missing}', which every model has"
        hint = f"write: family {family.name}({missing}, …)"
        problems.append(error("E245", message, family.place, hint))
    collect(problems)
