"""Read a Hugging Face ``config.json`` as a model.

The configuration is translated into the text of a ``.sym`` file, which is then parsed like any other:
there is one road, and what was understood can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from symsim.diagnostics import InputError, Source
from symsim.interop.huggingface.class_facts import facts_of
from symsim.interop.huggingface.class_facts import source as class_source
from symsim.interop.huggingface.class_refusals import class_refusals, refusals_in_layers
from symsim.interop.huggingface.language_part import LanguageModel, language_model, shown
from symsim.interop.huggingface.rules import BOOK, class_of
from symsim.interop.json_text import parse, read_text
from symsim.interop.model_text import Dimension, family_of, identifier, model_text, printable
from symsim.interop.rules.dimension_values import dimensions_of, remarks_of
from symsim.interop.rules.key_expressions import Keys, asked
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import Rule

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
    facts = facts_of(class_of(part.model_type))
    reading = Reading(
        part.config, source, facts, part.outer, "Hugging Face's own class refuses this file", "model_type"
    )
    keys = Keys(reading, BOOK.maps())
    rule = BOOK.rule_of(part.model_type, keys)
    dimensions = _dimensions(rule, keys)
    comments = [f"Source: {_origin(config, source)}, model_type {part.model_type}."]
    notes: list[str] = []
    if part.outer is not None:
        notes.append(f"the text model of a {shown(config.get('model_type'))} model: its other parts are left out")
    notes += _defaulted(reading, part)
    notes += remarks_of(rule, keys)
    notes += _quantised(part)
    notes += _not_understood(reading, rule)
    return model_text(identifier(name), _title(config, name), rule.family, dimensions, comments, notes)


def _dimensions(rule: Rule, keys: Keys) -> dict[str, Dimension]:
    """The value of each dimension that a rule gives, and all that is wrong with the file."""
    if refused := list(class_refusals(keys.reading)):
        raise InputError(refused)
    found = dimensions_of(rule, keys, refusals_in_layers(keys.reading))
    family = family_of(rule.family)
    if any(p.name == "max_positions" for p in family.parameters) and "max_positions" not in rule.arguments:
        context = trained_context(keys.reading)
        if context is not None:
            found["max_positions"] = context
    return found


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
