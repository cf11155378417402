"""Read the YAML of nanotron as a model and the strategy behind it."""

from __future__ import annotations

from collections.abc import Sequence

from symsim.interop.foreign_file import ForeignFile
from symsim.interop.model_text import identifier
from symsim.interop.rules.imported_model import imported_model
from symsim.interop.rules.imported_strategy import imported_strategy
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook

BOOK = RuleBook("nanotron")
REFUSED_BY = "nanotron itself refuses this file"
OF_MODEL = "nanotron takes a model_config with a key that it does not know for one without a class"


def translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    """The text of a model and of its strategy.

    Raises:
        InputError: all that is wrong with the file.
    """
    file = files[0]
    assert file.keys is not None
    name = identifier(file.path.stem)
    of_model = Reading(
        file.part("model", "model_config"), file.source, KeyFacts({}), file.keys, REFUSED_BY, "model_config"
    )
    model = imported_model(BOOK, "model", of_model, name, "", lenient, OF_MODEL)
    of_run = Reading(file.keys, file.source, KeyFacts({}), None, REFUSED_BY, "file", "change the file")
    return model + "\n" + imported_strategy(BOOK, "strategy", of_run, name, "", lenient)
