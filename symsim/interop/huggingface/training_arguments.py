"""The TrainingArguments of Hugging Face that come with a file of DeepSpeed or accelerate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from symsim.diagnostics import InputError, Place, error
from symsim.interop.foreign_file import ForeignFile
from symsim.interop.json_text import Object
from symsim.interop.rules.account import account
from symsim.interop.rules.dimension_values import broken_checks, remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook

BOOK = RuleBook("transformers")
KIND = "training_arguments"
"""Name of the rule, and of the object that rules of other tools find the arguments in."""

_TELLING = ("per_device_train_batch_size", "gradient_accumulation_steps", "output_dir", "max_grad_norm")


@dataclass(frozen=True, slots=True)
class TrainingArguments:
    """The arguments of one file, and what is said of them."""

    keys: Object
    notes: list[str]


def is_training_arguments(file: ForeignFile) -> bool:
    """Whether a file is one of TrainingArguments."""
    own = sum(file.has(key) for key in _TELLING)
    return (file.has("per_device_train_batch_size") or own > 1) and not file.has("model_type")


def read_training_arguments(file: ForeignFile, lenient: bool) -> TrainingArguments:
    """The arguments of a file, each accounted for.

    Raises:
        InputError: it holds something else, or an argument is unknown or wrong.
    """
    if file.problem is not None:
        raise file.problem
    if file.keys is None or not is_training_arguments(file):
        hint = "behind the first file stand TrainingArguments as JSON or YAML: per_device_train_batch_size: 2"
        raise error("E520", f"{file.path} holds no TrainingArguments", Place(file.source, 1, 1), hint)
    reading = Reading(file.keys, file.source, KeyFacts({}), None, "TrainingArguments refuses this")
    keys = Keys(reading, BOOK.maps())
    rule = BOOK.rule_of(KIND, keys)
    if problems := broken_checks(rule, keys):
        raise InputError(problems)
    return TrainingArguments(file.keys, [*remarks_of(rule, keys), *account(reading, [rule], lenient)])


def with_arguments(keys: Object, arguments: TrainingArguments | None) -> Object:
    """The keys of a file with the arguments that come with it, below ``training_arguments``."""
    return keys if arguments is None else with_key(keys, KIND, arguments.keys)


def with_key(keys: Object, name: str, value: object) -> Object:
    """The keys of a file and one more that no file has."""
    whole = Object()
    whole.update(keys)
    whole.places.update(keys.places)
    whole[name] = value
    return whole


def maps() -> Mapping[str, Mapping[str, str]]:
    """What words of the arguments are called here."""
    return BOOK.maps()
