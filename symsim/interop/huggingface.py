"""Read a Hugging Face ``config.json`` as a model.

The configuration is translated into the text of a ``.sym`` file, which is then parsed like any other:
there is one road, and what was understood can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from symsim.diagnostics import Diagnostic, InputError, Place, Source, error
from symsim.interop.huggingface_architectures import ARCHITECTURES, Architecture
from symsim.interop.huggingface_reading import Reading, spoken
from symsim.interop.huggingface_rules import trained_context
from symsim.interop.json_text import parse, read_text
from symsim.interop.model_text import DEFAULTS, identifier, model_text, printable
from symsim.language.near_names import near_names


def load(path: Path) -> Source:
    """The ``.sym`` text of a ``config.json``; the model is named after its folder.

    Raises:
        InputError: the file cannot be read, is no JSON object, or describes no model that can be
            expressed.
    """
    source = read_text(path)
    folder = path.absolute().parent.name if path.stem == "config" else path.stem
    return Source(f"{path} (translated)", translate(parse(source), folder, source))


def translate(config: Mapping[str, object], name: str, source: Source) -> str:
    """``model NAME "…" = family(…)``: what a configuration says, as a person would write it.

    ``source`` is where errors are reported; a configuration read by :func:`symsim.interop.json_text.parse`
    has the place of each key. What is left out of the cost, or was not in the file, is a comment.

    Raises:
        InputError: the ``model_type`` is unknown, a key is missing or wrong, or the model cannot be
            expressed; all such errors together.
    """
    text, outer = _text_model(config, source)
    model_type, architecture = _architecture(text, source)
    reading = Reading(text, source, outer)
    problems: list[Diagnostic] = []
    for dimension, rule in architecture.rules.items():
        try:
            value = rule(reading)
        except InputError as problem:
            problems += problem.diagnostics
        else:
            if value is not None:
                reading.dimensions[dimension] = value
    if "max_positions" in DEFAULTS[architecture.family] and "max_positions" not in architecture.rules:
        context = trained_context(reading)
        if context is not None:
            reading.dimensions["max_positions"] = context
    for check in architecture.checks:
        try:
            check(reading)
        except InputError as problem:
            problems += problem.diagnostics
    if problems:
        raise InputError(dict.fromkeys(problems))
    comments = [f"Source: {_origin(config, source)}, model_type {model_type}."]
    if outer is not None:
        comments.append(f"The text model of a {_shown(config.get('model_type'))} model; its other parts are left out.")
    comments += reading.remarks
    return model_text(identifier(name), _title(config, name), architecture.family, reading.dimensions, comments)


def _text_model(
    config: Mapping[str, object], source: Source
) -> tuple[Mapping[str, object], Mapping[str, object] | None]:
    """The configuration of the language model, and the larger one that it is nested in, if any."""
    nested = config.get("text_config")
    if nested is None or config.get("model_type") in ARCHITECTURES:
        return config, None
    if not isinstance(nested, Mapping):
        message = f"'text_config' must be an object, not {spoken(nested)}"
        raise error("E509", message, Reading(config, source, None).place("text_config"), "expected { … }")
    return nested, config


def _architecture(config: Mapping[str, object], source: Source) -> tuple[str, Architecture]:
    given = config.get("model_type")
    place = Reading(config, source, None).place("model_type")
    if given is None:
        message = "the configuration has no 'model_type'"
        raise error("E506", message, Place(source, 1, 1), "Hugging Face writes one into every config.json")
    if not isinstance(given, str):
        raise error("E509", f"'model_type' must be a text, not {spoken(given)}", place, "write it in double quotes")
    if given not in ARCHITECTURES:
        near = near_names(given, ARCHITECTURES, typed=False)
        other = f"; '{near.other}' is another architecture" if near.other is not None else ""
        hint = near.hint() or f"write it as a .sym file; known here: {', '.join(sorted(ARCHITECTURES))}{other}"
        raise error("E507", f"model_type '{_shown(given)}' is not known", place, hint)
    return given, ARCHITECTURES[given]


def _origin(config: Mapping[str, object], source: Source) -> str:
    path = config.get("_name_or_path")
    return f"{printable(path)}, config.json" if isinstance(path, str) and path.strip() else printable(source.name)


def _title(config: Mapping[str, object], name: str) -> str:
    path = config.get("_name_or_path")
    last = path.strip().rstrip("/").rpartition("/")[2] if isinstance(path, str) else ""
    return printable(last).strip() or printable(name).strip()


def _shown(value: object) -> str:
    return printable(value, 40) if isinstance(value, str) else spoken(value)
