"""Read a ``ds_config.json`` as a strategy, with the TrainingArguments that fill in its ``"auto"``."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.hjson_text import keys_of_hjson
from symsim.interop.huggingface.training_arguments import (
    maps,
    read_training_arguments,
    with_arguments,
    with_key,
)
from symsim.interop.model_text import identifier
from symsim.interop.rules.imported_strategy import imported_strategy
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook

BOOK = RuleBook("deepspeed")
REFUSED_BY = "DeepSpeed or transformers itself refuses this file"
INSTEAD = "change the file, or write the strategy by hand"
SILENT = "DeepSpeed passes over keys at its top and in data_types that it does not know"


def translate(files: Sequence[ForeignFile], lenient: bool, processes: int | None = None) -> str:
    """The text of a strategy; a second file holds TrainingArguments. ``processes``: what a launcher starts.

    Raises:
        InputError: all that is wrong with the files.
    """
    first = files[0]
    keys = keys_of_hjson(first)
    arguments = read_training_arguments(files[1], lenient) if len(files) > 1 else None
    own = Reading(keys, first.source, KeyFacts({}), None, REFUSED_BY, "file", INSTEAD)
    keys_of_all = with_arguments(keys, arguments)
    if processes is not None:
        keys_of_all = with_key(keys_of_all, "processes", processes)
    whole = Reading(keys_of_all, first.source, KeyFacts({}), None, REFUSED_BY, "file", INSTEAD)
    notes = arguments.notes if arguments is not None else ()
    name = identifier(first.path.stem)
    return imported_strategy(BOOK, "ds_config", whole, name, "", lenient, SILENT, notes=notes, own=own, maps=maps())
