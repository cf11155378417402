"""Which part of a configuration is the language model, and its type: the file itself, or what a larger one holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from symsim.diagnostics import InputError, Place, Source, error
from symsim.interop.huggingface.class_facts import facts_of, type_of_class, wrapper
from symsim.interop.huggingface.rules import BOOK, checks_of_whole
from symsim.interop.json_text import Object
from symsim.interop.model_text import printable
from symsim.interop.rules.key_expressions import Keys, hold
from symsim.interop.rules.reading import Reading, spoken
from symsim.language.near_names import near_names


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """The configuration of a language model, and the larger one that it is nested in, if any."""

    config: Mapping[str, object]
    model_type: str
    outer: Mapping[str, object] | None = None


def language_model(config: Mapping[str, object], source: Source) -> LanguageModel:
    given = _type_of(config, source)
    if given is not None and given in BOOK.known_types() and wrapper(given) is None:
        return LanguageModel(config, given)
    held = wrapper(given) if given is not None else None
    if given is not None and held is not None:
        whole = Keys(Reading(config, source, facts_of(given)), BOOK.maps())
        for check in checks_of_whole(given):
            hold(check, whole)
    path = list(held["text"]) if held is not None else ["text_config"]
    nested: object = config
    holder = config
    for key in path:
        holder = nested if isinstance(nested, Mapping) else {}
        nested = holder.get(key)
    if held is not None and held.get("flat") and nested is None:
        nested = {k: v for k, v in config.items() if k != "model_type"}
    if nested is None and held is not None:
        nested = held["absent"]
    if nested is None:
        raise _unknown_type(config, given, source)
    if not isinstance(nested, Mapping):
        message = f"'{path[-1]}' must be an object, not {spoken(nested)}"
        raise error("E509", message, _place(config, path[0], source), "expected { … }")
    inner = held["default"] if held is not None and held["fixed"] else _type_of(nested, source)
    if inner is None and held is not None:
        inner = held["default"]
    if inner is None or inner not in BOOK.known_types():
        raise _unknown_type(nested, inner, source)
    if held is not None and "inside" in held:
        held = wrapper(held["inside"])
    return LanguageModel(_with_ties(nested, holder, held), inner, config)


def _type_of(config: Mapping[str, object], source: Source) -> str | None:
    """``model_type``; where it is left out, that of the class in ``architectures``."""
    given = config.get("model_type")
    if given is not None and not isinstance(given, str):
        message = f"'model_type' must be a text, not {spoken(given)}"
        raise error("E509", message, _place(config, "model_type", source), "write it in double quotes")
    if given:
        return given
    return next((t for t in map(type_of_class, _classes(config)) if t is not None), None)


def _classes(config: Mapping[str, object]) -> list[str]:
    """The classes of models that a file names."""
    classes = config.get("architectures")
    return [name for name in classes if isinstance(name, str)] if isinstance(classes, list) else []


def _unknown_type(config: Mapping[str, object], given: str | None, source: Source) -> InputError:
    if given is None:
        message = "the configuration has no 'model_type'"
        return error("E506", message, Place(source, 1, 1), "Hugging Face writes one into every config.json")
    near = near_names(given, BOOK.known_types(), typed=False)
    other = f"; '{near.other}' is another architecture" if near.other is not None else ""
    known = f"'symsim list types' shows the {len(BOOK.known_types())} that are read"
    place = _place(config, "model_type", source)
    return error("E507", f"model_type '{shown(given)}' is not known", place, near.hint() or known + other)


def _place(config: Mapping[str, object], key: str, source: Source) -> Place:
    return config.places[key] if isinstance(config, Object) and key in config.places else Place(source, 1, 1)


TIES = "tie_word_embeddings"


def _with_ties(
    nested: Mapping[str, object], outer: Mapping[str, object], held: Mapping[str, Any] | None
) -> Mapping[str, object]:
    """The text model with the tie of head and embedding that the whole model has: a rule of each wrapper."""
    table: Mapping[str, bool] = held.get("ties", {}) if held is not None else {}
    if held is not None and "ties_causal" in held and held["class"] not in _classes(outer):
        # The language model alone is what is trained, unless the file names the class of the whole.
        table = held["ties_causal"]
    tied: object = table.get(f"{_tie(outer)},{_tie(nested)}")
    if tied is None:
        tied = outer[TIES] if TIES not in nested and isinstance(outer.get(TIES), bool) else nested.get(TIES)
    if tied is None:
        return nested
    whole = Object()
    whole.update(nested)
    whole.places = dict(nested.places) if isinstance(nested, Object) else {}
    whole[TIES] = tied
    return whole


def _tie(config: Mapping[str, object]) -> str:
    return {True: "true", False: "false"}.get(config.get(TIES), "absent")  # type: ignore[call-overload,no-any-return]


def shown(value: object) -> str:
    """A value of the file as a message shows it."""
    return printable(value, 40) if isinstance(value, str) else spoken(value)
