"""The request of the Megatron Memory Estimator as text of the language."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from symsim.diagnostics import Place, error
from symsim.interop.estimator.files import REQUEST
from symsim.interop.foreign_file import ForeignFile
from symsim.interop.formats import by_kind
from symsim.interop.huggingface.files import CONFIGURATION
from symsim.interop.huggingface.translate import load
from symsim.interop.huggingface.translate import translate as model_of
from symsim.interop.json_text import Object
from symsim.interop.model_text import identifier, printable
from symsim.interop.rules.account import account
from symsim.interop.rules.class_table import key_facts, source
from symsim.interop.rules.dimension_values import remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.reading import Reading, spoken
from symsim.interop.rules.rule_book import RuleBook
from symsim.interop.rules.strategy_values import choices_of
from symsim.interop.strategy_text import strategy_text

BOOK = RuleBook("estimator")
SILENT = "the estimator passes over it"


def translate(files: Sequence[ForeignFile], lenient: bool = False) -> str:
    """The plan of a request, and its model where the request holds its configuration or a file of it is given too.

    Raises:
        InputError: a key is unknown, wrong, or cannot be expressed.
    """
    request, configuration = by_kind(files, "estimator", (REQUEST, CONFIGURATION))
    if request is None:
        raise error("E520", f"{files[0].path} is {CONFIGURATION}", Place(files[0].source, 1, 1), f"give {REQUEST}")
    keys = request.keys or Object()
    facts = key_facts("estimator", "strategy")
    reading = Reading(keys, request.source, facts, None, "the estimator itself refuses this request")
    known = Keys(reading, BOOK.maps())
    rule = BOOK.rule_of("strategy", known)
    notes = [*account(reading, [rule], lenient, silent=SILENT)]
    model = _model(request, configuration)
    if model is None:
        named = printable(spoken(keys["hf_model_path"]), 80)
        notes.append(f"the model is {named}, which is not read from here: give its config.json as MODEL")
    choices = choices_of(rule, known)
    origin = f"Source: {printable(request.path.name)}, read as by the {source('estimator')}."
    text = strategy_text(identifier(request.path.stem), "", choices, [origin], [*remarks_of(rule, known), *notes])
    return f"{model}\n{text}" if model is not None else text


def _model(request: ForeignFile, configuration: ForeignFile | None) -> str | None:
    """The text of the model, if its configuration is there."""
    if configuration is not None:
        return load(configuration.path, configuration.source).text
    keys = request.keys or Object()
    held = keys.get("custom_hf_config")
    if held is None:
        return None
    if not isinstance(held, Object):
        message = f"'custom_hf_config' must be an object, not {spoken(held)}"
        raise error("E509", message, keys.places["custom_hf_config"], "expected { … }")
    path = keys.get("hf_model_path")
    name = PurePosixPath(path).name if isinstance(path, str) else ""
    return model_of(held, name or request.path.stem, request.source)
