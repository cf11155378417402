"""SimuMax's strategy and model files as text of the language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from symsim.interop.foreign_file import ForeignFile, merged
from symsim.interop.formats import by_kind
from symsim.interop.model_text import identifier, model_text, printable
from symsim.interop.rules.account import account
from symsim.interop.rules.class_table import key_facts, source
from symsim.interop.rules.dimension_values import dimensions_of, remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook
from symsim.interop.rules.strategy_values import choices_of
from symsim.interop.strategy_text import strategy_text

BOOK = RuleBook("simumax")
REFUSED = "SimuMax itself refuses this file"
SILENT = "SimuMax's class refuses it"


def translate(files: Sequence[ForeignFile], lenient: bool = False) -> str:
    """The text of a strategy, of a model, or of both where a file of each is given.

    Raises:
        InputError: a key is unknown, wrong, or cannot be expressed; all such errors together.
    """
    strategy, model = by_kind(files, "simumax", ("a strategy of SimuMax", "a model of SimuMax"))
    keys = merged(files)
    types = [name for name, file in (("strategy", strategy), ("model", model)) if file is not None]
    facts = key_facts("simumax", "strategy", "model")
    reading = Reading(keys, files[0].source, facts, None, REFUSED, "file")
    known = Keys(reading, BOOK.maps())
    rules = {name: BOOK.rule_of(name, known) for name in types}
    unknown = account(reading, rules.values(), lenient, silent=SILENT)
    text = ""
    if model is not None:
        rule = rules["model"]
        dimensions = dimensions_of(rule, known)
        title = reading.value("model_name")
        name = model_name(model.path, title)
        notes = [*remarks_of(rule, known), *(unknown if strategy is None else ())]
        text += model_text(identifier(name), printable(name), rule.family, dimensions, [_origin(model)], notes)
    if strategy is not None:
        rule = rules["strategy"]
        choices = choices_of(rule, known)
        notes = [*remarks_of(rule, known), *unknown]
        name = identifier(strategy.path.stem)
        text += ("\n" if text else "") + strategy_text(name, "", choices, [_origin(strategy)], notes)
    return text


def model_name(path: Path, title: object) -> str:
    """What a model is called: as its file says, else as the file is named."""
    return title if isinstance(title, str) and title.strip() else path.stem


def _origin(file: ForeignFile) -> str:
    return f"Source: {printable(file.path.name)}, read as by {source('simumax')}."
