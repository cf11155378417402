"""The presets that a Primus experiment names: files at hand, else what is known of Primus' trainers and base models.

Presets of models are read and never known by name: that of Llama 3 8B has had 4 and 8 groups of queries.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from symsim import resources
from symsim.diagnostics import Place, Source, error
from symsim.interop.foreign_file import ForeignFile, read_foreign
from symsim.interop.json_text import Object
from symsim.interop.primus.variables import with_variables
from symsim.interop.yaml_text import parse_yaml

MAX_FILES = 40
"""Most presets that one experiment may name, directly or through others."""
INHERITS = ("extends", "includes", "bases")
"""What releases of Primus call the presets below one."""
FOLDERS = ("primus/configs/models/megatron", "primus/configs/modules/megatron", "primus/configs/modules")
"""Where a checkout of Primus has them."""


@cache
def _known() -> Object:
    path = resources.root() / "formats" / "primus" / "presets.yaml"
    return parse_yaml(Source("primus/presets.yaml", path.read_text(encoding="utf-8")))


class Presets:
    """Reads presets for one experiment. ``used`` are the names of those that were carried here, not read."""

    def __init__(self, experiment: ForeignFile, given: Sequence[ForeignFile]) -> None:
        self._folder = experiment.path.absolute().parent
        self._given = {file.path.name: file for file in given}
        self._left = MAX_FILES
        self.used: list[str] = []

    def keys(self, name: str, place: Place) -> Object:
        """All that a preset sets, with what it extends below it.

        Raises:
            InputError: it is not at hand and not known, or names too many others.
        """
        self._left -= 1
        if self._left < 0:
            raise error("E503", "presets that name more and more others", place, f"at most {MAX_FILES} are read")
        short = name.rpartition("/")[2]
        file = self._file(short)
        if file is not None:
            if file.keys is None:
                raise file.problem or error("E505", f"{file.path} holds no keys", place, "key: value")
            return self._extended(with_variables(file.keys, os.environ), place)
        carried = _known().get(short)
        if isinstance(carried, Object):
            self.used.append(short)
            return self._extended(carried, place)
        hint = f"give it, and what it extends, behind the experiment: symsim import primus run.yaml {short}"
        raise error("E512", f"the preset '{short[:60]}' is not at hand", place, hint)

    def _file(self, short: str) -> ForeignFile | None:
        if short in self._given:
            return self._given[short]
        for above in (self._folder, *self._folder.parents):
            for part in ("", *FOLDERS) if above == self._folder else FOLDERS:
                if (above / part / short).is_file():
                    return read_foreign(above / part / short)
        return None

    def _extended(self, keys: Object, place: Place) -> Object:
        below = Object()
        for word in INHERITS:
            names = keys.get(word)
            for name in names if isinstance(names, list) else []:
                below = _over(below, self.keys(str(name), place))
        own = Object()
        for key, value in keys.items():
            if key not in INHERITS:
                own[key] = value
                own.places[key] = place if keys.places[key].source.name.startswith("primus/") else keys.places[key]
        return _over(below, own)


def _over(below: Object, above: Mapping[str, Any]) -> Object:
    out = Object()
    for keys in (below, above):
        out.update(keys)
        out.places.update(getattr(keys, "places", {}))
    return out
