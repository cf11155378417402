"""Read a Hugging Face ``config.json`` as a model.

The configuration is translated into the text of a ``.sym`` file, which is then parsed like any other:
there is one road, and what was understood can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from symsim.diagnostics import Diagnostic, InputError, Place, Source, error
from symsim.interop.huggingface.class_facts import facts_of, type_of_class, wrapper
from symsim.interop.huggingface.class_facts import source as class_source
from symsim.interop.huggingface.class_refusals import class_refusals, refusals_in_layers
from symsim.interop.huggingface.key_expressions import Keys, asked, evaluate, filled, in_braces
from symsim.interop.huggingface.reading import Reading, spoken
from symsim.interop.huggingface.rules import Rule, checks_of_whole, class_of, known_types, maps, rule_of
from symsim.interop.json_text import Object, parse, read_text
from symsim.interop.model_text import Dimension, One, family_of, identifier, model_text, printable
from symsim.language import tree
from symsim.language.dimensions import LAYER, MAX_LISTED, dimension_kind
from symsim.language.expressions import names_in
from symsim.language.near_names import near_names

MAX_SIZE = 10**12
"""Largest dimension that a model may have."""
SIZES = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size")
"""Keys that most files of their own have: their absence is said."""
CONTEXTS = ("max_position_embeddings", "n_positions", "max_sequence_length", "seq_length")
"""What configurations call the longest sequence of a model."""
MOST_CONTEXT = 10**9
"""Longest sequence that a strategy may have."""


def load(path: Path, read: Source | None = None) -> Source:
    """The ``.sym`` text of a ``config.json``, which may be ``read`` already; the model is named after its folder.

    Raises:
        InputError: the file cannot be read, is no JSON object, or describes no model that can be
            expressed.
    """
    source = read or read_text(path)
    folder = path.absolute().parent.name if path.stem == "config" else path.stem
    return Source(f"{path} (translated)", translate(parse(source), folder, source))


def translate(config: Mapping[str, object], name: str, source: Source) -> str:
    """``model NAME "…" = family(…)``: what a configuration says, as a person would write it.

    ``source`` is where errors are reported; a configuration read by :func:`symsim.interop.json_text.parse`
    has the place of each key. What is left out of the cost, or was not in the file, is a comment.

    Raises:
        InputError: the ``model_type`` is unknown, a key is wrong, or the model cannot be
            expressed; all such errors together.
    """
    part = _language_model(config, source)
    reading = Reading(part.config, source, facts_of(class_of(part.model_type)), part.outer)
    keys = Keys(reading, maps())
    rule = rule_of(part.model_type, keys)
    dimensions = _dimensions(rule, keys)
    comments = [f"Source: {_origin(config, source)}, model_type {part.model_type}."]
    notes: list[str] = []
    if part.outer is not None:
        notes.append(f"the text model of a {_shown(config.get('model_type'))} model: its other parts are left out")
    notes += _defaulted(reading, part)
    notes += [filled(r.text, keys) for r in rule.checks if isinstance(r, tree.Remark) and evaluate(r.condition, keys)]
    notes += _quantised(part)
    notes += _not_understood(reading, rule)
    return model_text(identifier(name), _title(config, name), rule.family, dimensions, comments, notes)


@dataclass(frozen=True, slots=True)
class _Part:
    """The configuration of a language model, and the larger one that it is nested in, if any."""

    config: Mapping[str, object]
    model_type: str
    outer: Mapping[str, object] | None = None


def _language_model(config: Mapping[str, object], source: Source) -> _Part:
    given = _type_of(config, source)
    if given is not None and given in known_types() and wrapper(given) is None:
        return _Part(config, given)
    held = wrapper(given) if given is not None else None
    if given is not None and held is not None:
        whole = Keys(Reading(config, source, facts_of(given)), maps())
        for check in checks_of_whole(given):
            _check(check, whole)
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
    if inner is None or inner not in known_types():
        raise _unknown_type(nested, inner, source)
    if held is not None and "inside" in held:
        held = wrapper(held["inside"])
    return _Part(_with_ties(nested, holder, held), inner, config)


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
    near = near_names(given, known_types(), typed=False)
    other = f"; '{near.other}' is another architecture" if near.other is not None else ""
    known = f"'symsim list types' shows the {len(known_types())} that are read"
    place = _place(config, "model_type", source)
    return error("E507", f"model_type '{_shown(given)}' is not known", place, near.hint() or known + other)


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


def _dimensions(rule: Rule, keys: Keys) -> dict[str, Dimension]:
    """The value of each dimension that a rule gives, and all that is wrong with the file."""
    family = family_of(rule.family)
    found: dict[str, Dimension] = {}
    if refused := list(class_refusals(keys.reading)):
        raise InputError(refused)
    problems: list[Diagnostic] = []
    further: list[Diagnostic] = []
    try:
        layers = evaluate(rule.arguments["layers"], keys)
    except InputError:
        layers = None
    for name, node in rule.arguments.items():
        by_layer = next((p.bracketed for p in family.parameters if p.name == name), False)
        try:
            value = _value(name, node, keys, layers if by_layer else None, family)
        except InputError as problem:
            (problems if isinstance(node, tree.Name) else further).extend(problem.diagnostics)
        else:
            if value is not None:
                found[name] = value
    problems += refusals_in_layers(keys.reading)
    for check in rule.checks if not problems else ():
        if isinstance(check, tree.Require | tree.Refuse):
            try:
                _check(check, keys)
            except InputError as problem:
                problems += problem.diagnostics
    problems += _missing(family, rule, found, keys) if not problems and not further else ()
    # What follows from several keys is no news where one of them is wrong.
    problems += [d for d in further if not problems or d.code not in ("E510", "E511")]
    if problems:
        raise InputError(dict.fromkeys(problems))
    if any(p.name == "max_positions" for p in family.parameters) and "max_positions" not in rule.arguments:
        context = trained_context(keys.reading)
        if context is not None:
            found["max_positions"] = context
    return found


def _missing(family: tree.FamilyItem, rule: Rule, found: Mapping[str, Dimension], keys: Keys) -> list[Diagnostic]:
    """Dimensions that the family needs, whose keys neither the file nor a class gives."""
    out: list[Diagnostic] = []
    for name in (p.name for p in family.parameters if p.default is None and p.name not in found):
        names = asked(rule.arguments[name], keys) if name in rule.arguments else [name]
        hint = (
            "its class has no usual value for it" if bool(keys.reading.facts.defaults) else "no class says what it is"
        )
        out += error(
            "E508", f"the configuration has no '{names[0]}'", Place(keys.reading.source, 1, 1), hint
        ).diagnostics
    return out


def _check(check: tree.Require | tree.Refuse, keys: Keys) -> None:
    """``require`` is what can be expressed; ``refuse`` is what Hugging Face's own class refuses."""
    holds = evaluate(check.condition, keys)
    message = check.message or "this cannot be expressed"
    names = [*in_braces(message), *asked(check.condition, keys)]
    if isinstance(check, tree.Refuse) and holds:
        raise keys.reading.conflict(names, filled(message, keys), "Hugging Face's own class refuses this file")
    if isinstance(check, tree.Require) and not holds:
        raise keys.reading.inexpressible(names, filled(message, keys))


def _value(name: str, node: tree.Expression, keys: Keys, layers: object, family: tree.FamilyItem) -> Dimension | None:
    """One value, or where the dimension may differ between layers and does, one for each."""
    if isinstance(layers, int) and LAYER in names_in(node):
        if layers > MAX_LISTED:
            message = f"the {layers:,} layers are each looked at"
            raise error("E510", message, keys.reading.place_of(["num_hidden_layers"]), f"at most {MAX_LISTED:,} are")
        row = [_one(name, node, evaluate(node, keys.at(k, layers)), keys, family) for k in range(layers)]
        values = tuple(v for v in row if v is not None)
        return (
            (values if len(values) == layers else None) if len(set(map(repr, values))) > 1 else row[0] if row else None
        )
    whole = evaluate(node, keys)
    if isinstance(whole, tuple) and isinstance(layers, int):
        if len(whole) != layers and not isinstance(node, tree.ListOf):
            message = f"{name}: {len(whole)} values are listed for {layers} layers"
            raise keys.reading.conflict(asked(node, keys), message)
        listed = [_one(name, node, v, keys, family) for v in whole]
        return tuple(v for v in listed if v is not None) or None
    return _one(name, node, whole, keys, family)


def _one(name: str, node: tree.Expression, value: object, keys: Keys, family: tree.FamilyItem) -> One | None:
    """A value that the dimension may have; null leaves it to the family."""
    if value is None:
        return None
    kind, least = dimension_kind(family, name)
    names = asked(node, keys)
    place, what = keys.reading.place_of(names), f"'{names[0]}'" if len(names) == 1 else f"'{name}'"
    if kind == "size" and isinstance(value, Fraction) and not isinstance(node, tree.Name):
        message = f"{name} must be a whole number, not {spoken(value)}, with these {', '.join(names)}"
        raise keys.reading.conflict(names, message)
    wanted, fits, hint = _KINDS[kind]
    if not fits(value):
        raise error("E509", f"{what} must be {wanted}, not {spoken(value)}", place, hint)
    assert isinstance(value, bool | int | str)
    if kind == "size" and isinstance(value, int) and not least <= value <= MAX_SIZE:
        bound = f"at least {least}" if value < least else f"at most {MAX_SIZE:,}"
        raise error("E510", f"{what} must be {bound}, not {value}", place, "a size counts something")
    return value


_KINDS: Mapping[str, tuple[str, Callable[[object], bool], str]] = {
    "size": (
        "a whole number",
        lambda value: isinstance(value, int) and not isinstance(value, bool),
        "write it without quotes, a point or an exponent",
    ),
    "flag": ("true or false", lambda value: isinstance(value, bool), "write true or false, without quotes"),
    "word": ("a text", lambda value: isinstance(value, str), "write it in double quotes"),
}
"""What a value of a kind is called, whether one is of it, and how it is written."""


def trained_context(reading: Reading) -> int | None:
    """Tokens of a sequence that the model was trained on: before any scaling of its rotary positions.

    No formula needs it, so a configuration that has something else there is not refused.
    """
    config: Mapping[str, object] = {**reading.facts.defaults, **reading.config}
    scaled = [part for key in ("rope_scaling", "rope_parameters") if isinstance(part := config.get(key), Mapping)]
    before = [(part, "original_max_position_embeddings") for part in (*scaled, config)]
    for part, key in (*before, *((config, key) for key in CONTEXTS)):
        value = part.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST_CONTEXT:
            return value
    return None


def _defaulted(reading: Reading, part: _Part) -> list[str]:
    """Sizes that the file leaves to the class, in words."""
    missing = [k for k in SIZES if reading.facts.knows(k) and not reading.given(k)]
    if not missing:
        return []
    verb = "is" if len(missing) == 1 else "are"
    return [f"{', '.join(missing)} {verb} not in the file: {class_source()} gives the values of {part.model_type}"]


def _quantised(part: _Part) -> list[str]:
    """What a checkpoint of few bits says of training, in words."""
    for config in (part.config, part.outer or {}):
        found = config.get("quantization_config")
        if isinstance(found, Mapping):
            method = printable(str(found.get("quant_method", "few bits")), 20)
            return [f"the checkpoint is quantised ({method}): a step is counted in the strategy's precision"]
    return []


OF_TOKENS = ("_token_id", "_token_index")
"""Ends of keys that hold a token's number."""


def _not_understood(reading: Reading, rule: Rule) -> list[str]:
    """Keys that the rule does not name and no list calls inert, in words.

    Raises:
        InputError: E512, one of them changes the model.
    """
    facts = reading.facts
    read = {k.partition(".")[0] for node in rule.arguments.values() for k in asked(node, Keys(reading, {}))}
    used = {name for k in reading.asked | read for name in facts.names(k)} | rule.inert | facts.inert | INERT
    left = [k for k in reading.config if not {k, facts.own_name(k)} & used and not k.startswith("_")]
    left = [k for k in left if not k.endswith(OF_TOKENS) and not (reading.outer and k.endswith("_config"))]
    for key in left:
        own = facts.own_name(key)
        if own in facts.active and reading.config[key] != facts.defaults.get(own):
            raise reading.inexpressible([key], f"'{key}' changes the model, and no rule reads it")
    unknown = [printable(k, 40) for k in left if not facts.knows(k)]
    passed = [k for k in left if facts.own_name(k) in facts.cost and not reading.is_default(k)]
    said = {"keys that are not understood": unknown, "keys that may change what a step costs": passed}
    return [f"{what}, and left out: {', '.join(keys)}" for what, keys in said.items() if keys]


INERT = frozenset(
    {
        "architectures", "model_type", "transformers_version", "torch_dtype", "dtype", "use_cache", "auto_map",
        "bos_token_id", "eos_token_id", "pad_token_id", "sep_token_id", "decoder_start_token_id", "initializer_range",
        "attn_implementation", "is_encoder_decoder", "is_decoder", "id2label", "label2id", "pretraining_tp",
        "output_attentions", "output_hidden_states", "return_dict", "torchscript", "tokenizer_class", "text_config",
        "task_specific_params", "problem_type", "rope_parameters", "rope_scaling", "rope_theta", "quantization_config",
        "qk_head_dim", "unsloth_version", "unsloth_fixed", *CONTEXTS,
    }
)  # fmt: skip
"""Keys of every class that change nothing that is counted, or that a class works out and saves."""


def _origin(config: Mapping[str, object], source: Source) -> str:
    path = config.get("_name_or_path")
    return f"{printable(path)}, config.json" if isinstance(path, str) and path.strip() else printable(source.name)


def _title(config: Mapping[str, object], name: str) -> str:
    path = config.get("_name_or_path")
    last = path.strip().rstrip("/").rpartition("/")[2] if isinstance(path, str) else ""
    return printable(last).strip() or printable(name).strip()


def _shown(value: object) -> str:
    return printable(value, 40) if isinstance(value, str) else spoken(value)
