"""Small files of other tools, as they would be read from a disk."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from symsim.diagnostics import InputError, Source
from symsim.interop.foreign_file import TEXT, ForeignFile
from symsim.interop.json_text import parse
from symsim.interop.yaml_text import parse_yaml
from symsim.language.strategies import Strategy, strategy_of
from symsim.loading.run_files import parts_of


def json_file(name: str, keys: Mapping[str, object]) -> ForeignFile:
    return text_file(name, json.dumps(keys, indent=1))


def text_file(name: str, text: str) -> ForeignFile:
    source, path = Source(name, text), Path(name)
    if path.suffix in TEXT:
        return ForeignFile(path, source, None)
    try:
        return ForeignFile(path, source, parse(source) if path.suffix == ".json" else parse_yaml(source))
    except InputError as problem:
        return ForeignFile(path, source, None, problem)


def strategy_in(text: str) -> Strategy:
    """The strategy of a translation."""
    run = parts_of(Source("translated", text))
    assert run.strategy is not None
    return strategy_of(run.strategy)
