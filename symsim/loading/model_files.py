"""A model that a command line names: its text, translated where it is another tool's, and what the disk cache keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from symsim.compiler import cache
from symsim.diagnostics import Source
from symsim.language import tree
from symsim.language.dimensions import MAX_DIMENSION
from symsim.language.models import elaborate_model, model_source
from symsim.records.model import Model
from symsim.resources import shipped


def source_of(given: str) -> Source:
    """A model's text; a Hugging Face ``config.json``, or a folder that holds one, is translated into the same text."""
    config = configuration(given)
    if config is not None:
        return _translated(config)
    return model_source(given)


def _translated(config: Path) -> Source:
    """The model text of a configuration, which is kept: rules need not be read again."""
    from symsim.interop import json_text

    read = json_text.read_text(config)
    key = cache.key_of("translated", str(config), str(config.absolute()), read.text)
    known = cache.read(key)
    if isinstance(known, dict) and isinstance(known.get("text"), str):
        return Source(f"{config} (translated)", known["text"])
    from symsim.interop.huggingface import translate

    source = translate.load(config, read)
    cache.write(key, {"text": source.text})
    return source


def configuration(given: str) -> Path | None:
    """The Hugging Face configuration that a name stands for: a ``.json``, or that of a folder. Shipped names win."""
    if given.endswith(".json"):
        return Path(given)
    inside = Path(given) / "config.json"
    try:
        return inside if given and given not in shipped("models") and inside.is_file() else None
    except (OSError, ValueError):
        return None


def load_model(source: Source, overrides: Mapping[str, tree.Expression]) -> Model:
    key = cache.key_of("model", source.name, source.text, sorted((n, repr(v)) for n, v in overrides.items()))
    known = _model_of(cache.read(key), source)
    if known is not None:
        return known
    model = elaborate_model(source, overrides)
    cache.write(
        key,
        {
            "name": model.name,
            "title": model.title,
            "family": model.family,
            "dimensions": {n: list(v) if isinstance(v, tuple) else v for n, v in model.dimensions.items()},
            "derived": sorted(model.derived),
            "own": model.own is not None,
            "notes": list(model.notes),
        },
    )
    return model


def _is_value(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and abs(value) <= MAX_DIMENSION)


def _model_of(data: Any, source: Source) -> Model | None:
    """A model from a cache entry, if the entry has the right form."""
    try:
        name, title, family, own = data["name"], data["title"], data["family"], data["own"]
        dimensions, derived, notes = data["dimensions"], data["derived"], tuple(data["notes"])
    except (TypeError, KeyError):
        return None
    texts = all(isinstance(t, str) for t in (name, title, family, *notes)) and isinstance(own, bool)
    if not texts or not isinstance(dimensions, dict) or not isinstance(derived, list):
        return None
    if not all(isinstance(n, str) and n in dimensions for n in derived):
        return None
    settled = {n: tuple(v) if isinstance(v, list) else v for n, v in dimensions.items()}
    if not all(map(_is_value, (o for v in settled.values() for o in (v if isinstance(v, tuple) else (v,))))):
        return None
    return Model(name, title, family, settled, frozenset(derived), source if own else None, notes)
