"""Read a Primus experiment as a model and the strategy behind it: its arguments are Megatron-LM's."""

from __future__ import annotations

import os
from collections.abc import Sequence

from symsim.diagnostics import InputError, error
from symsim.interop.foreign_file import ForeignFile
from symsim.interop.json_text import Object
from symsim.interop.megatron.arguments import Arguments, of_mapping
from symsim.interop.megatron.translate import translated
from symsim.interop.primus.files import TRAINERS
from symsim.interop.primus.presets import Presets
from symsim.interop.primus.variables import with_variables
from symsim.interop.rules.dimension_values import broken_checks, remarks_of
from symsim.interop.rules.key_expressions import Keys
from symsim.interop.rules.key_facts import KeyFacts
from symsim.interop.rules.reading import Reading
from symsim.interop.rules.rule_book import RuleBook

BOOK = RuleBook("primus")
REFUSED_BY = "Primus itself refuses this"
INSTEAD = "take it out, or write the strategy by hand"


def translate(files: Sequence[ForeignFile], lenient: bool) -> str:
    """The text of a model and of its strategy; further files are presets that the experiment names.

    Raises:
        InputError: all that is wrong with the files.
    """
    file = files[0]
    assert file.keys is not None
    name = next(name for name in TRAINERS if file.part("modules", name))
    trainer = with_variables(file.part("modules", name), os.environ)
    place = trainer.places.get("framework") or file.keys.places["modules"]
    framework = trainer.get("framework", "megatron")
    if framework != "megatron":
        message = f"a run of {str(framework)[:40]} through Primus is not read"
        raise error("E512", message, place, "framework: megatron is; or give the file of that framework itself")
    presets = Presets(file, files[1:])
    whole, origin = Object(), []
    for key in ("config", "model"):
        preset = trainer.get(key)
        if isinstance(preset, str):
            origin.append(preset)
            _put(whole, presets.keys(preset, trainer.places[key]))
    overrides = trainer.get("overrides")
    if isinstance(overrides, Object):
        _put(whole, overrides)
    given = Arguments(file.source)
    of_mapping(_without_own(whole, file, given, lenient), given, lenient)
    if presets.used:
        names = ", ".join(dict.fromkeys(presets.used))
        given.remarks.append(f"presets that are not at hand have what is known of them: {names}")
    title = f"{file.path.name}, an experiment of Primus with {', '.join(origin) or 'no presets'}"
    return translated(given.checked(), file.path.stem, title)


def _put(whole: Object, keys: Object) -> None:
    whole.update(keys)
    whole.places.update(keys.places)


def _without_own(whole: Object, file: ForeignFile, out: Arguments, lenient: bool) -> Object:
    """The arguments without the names that are Primus' own, of which remarks are kept.

    Raises:
        InputError: one of its own cannot be expressed.
    """
    reading = Reading(whole, file.source, KeyFacts({}), None, REFUSED_BY, "experiment", INSTEAD)
    keys = Keys(reading, BOOK.maps())
    rule = BOOK.rule_of("own", keys)
    if problems := broken_checks(rule, keys):
        raise InputError(problems)
    out.remarks += remarks_of(rule, keys)
    own = rule.asked()
    kept = Object()
    for key, value in whole.items():
        if key not in own:
            kept[key] = value
            kept.places[key] = whole.places[key]
    if kept.get("position_embedding_type") != "learned_absolute":
        # Megatron asks this of learned positions alone.
        kept.pop("add_position_embedding", None)
    return kept
