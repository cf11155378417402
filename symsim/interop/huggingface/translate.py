"""Read a Hugging Face ``config.json`` as a model.

The configuration is translated into the text of a ``.sym`` file, which is then parsed like any other:
there is one road, and what was understood can be read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from pathlib import Path

from symsim.diagnostics import Diagnostic, InputError, Place, Source, error
from symsim.interop.huggingface.class_facts import facts_of
from symsim.interop.huggingface.class_facts import source as class_source
from symsim.interop.huggingface.class_refusals import class_refusals, refusals_in_layers
from symsim.interop.huggingface.key_expressions import Keys, asked, evaluate, filled, hold
from symsim.interop.huggingface.language_part import LanguageModel, language_model, shown
from symsim.interop.huggingface.reading import Reading, spoken
from symsim.interop.huggingface.rules import Rule, class_of, maps, rule_of
from symsim.interop.json_text import parse, read_text
from symsim.interop.model_text import Dimension, One, family_of, identifier, model_text, printable
from symsim.language import tree
from symsim.language.dimensions import LAYER, MAX_LISTED, dimension_kind
from symsim.language.expressions import names_in

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
    part = language_model(config, source)
    reading = Reading(part.config, source, facts_of(class_of(part.model_type)), part.outer)
    keys = Keys(reading, maps())
    rule = rule_of(part.model_type, keys)
    dimensions = _dimensions(rule, keys)
    comments = [f"Source: {_origin(config, source)}, model_type {part.model_type}."]
    notes: list[str] = []
    if part.outer is not None:
        notes.append(f"the text model of a {shown(config.get('model_type'))} model: its other parts are left out")
    notes += _defaulted(reading, part)
    notes += [filled(r.text, keys) for r in rule.checks if isinstance(r, tree.Remark) and evaluate(r.condition, keys)]
    notes += _quantised(part)
    notes += _not_understood(reading, rule)
    return model_text(identifier(name), _title(config, name), rule.family, dimensions, comments, notes)


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
                hold(check, keys)
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
        names = asked(rule.arguments[name]) if name in rule.arguments else [name]
        hint = (
            "its class has no usual value for it" if bool(keys.reading.facts.defaults) else "no class says what it is"
        )
        out += error(
            "E508", f"the configuration has no '{names[0]}'", Place(keys.reading.source, 1, 1), hint
        ).diagnostics
    return out


def _value(name: str, node: tree.Expression, keys: Keys, layers: object, family: tree.FamilyItem) -> Dimension | None:
    """One value, or where the dimension may differ between layers and does, one for each."""
    if isinstance(layers, int) and LAYER in names_in(node):
        if layers > MAX_LISTED:
            message = f"the {layers:,} layers are each looked at"
            raise error("E510", message, keys.reading.place_of(["num_hidden_layers"]), f"at most {MAX_LISTED:,} are")
        row = [_one(name, node, evaluate(node, keys.at(k, layers)), keys, family) for k in range(layers)]
        return _of_all_layers(name, node, row, keys)
    whole = evaluate(node, keys)
    if isinstance(whole, tuple) and isinstance(layers, int):
        if len(whole) != layers and not isinstance(node, tree.ListOf):
            message = f"{name}: {len(whole)} values are listed for {layers} layers"
            raise keys.reading.conflict(asked(node), message)
        return _of_all_layers(name, node, [_one(name, node, v, keys, family) for v in whole], keys)
    return _one(name, node, whole, keys, family)


def _of_all_layers(name: str, node: tree.Expression, row: list[One | None], keys: Keys) -> Dimension | None:
    """One value where all layers have it; null in all of them leaves the dimension to the family.

    Raises:
        InputError: it is null in some layers, of which the family would make something of its own.
    """
    values = tuple(v for v in row if v is not None)
    if values and len(values) < len(row):
        raise keys.reading.inexpressible(asked(node), f"{name} has no value in layer {row.index(None)}")
    return values if len(set(map(repr, values))) > 1 else next(iter(values), None)


def _one(name: str, node: tree.Expression, value: object, keys: Keys, family: tree.FamilyItem) -> One | None:
    """A value that the dimension may have; null leaves it to the family."""
    if value is None:
        return None
    kind, least = dimension_kind(family, name)
    names = asked(node)
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


def _defaulted(reading: Reading, part: LanguageModel) -> list[str]:
    """Sizes that the file leaves to the class, in words."""
    missing = [k for k in SIZES if reading.facts.knows(k) and not reading.given(k)]
    if not missing:
        return []
    verb = "is" if len(missing) == 1 else "are"
    return [f"{', '.join(missing)} {verb} not in the file: {class_source()} gives the values of {part.model_type}"]


def _quantised(part: LanguageModel) -> list[str]:
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
    read = {k.partition(".")[0] for node in rule.arguments.values() for k in asked(node)}
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
